import type { ITheme } from '@xterm/xterm';

const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const;

/**
 * The terminal's colours as plain values: xterm does not understand `light-dark()`, so each role is read from the
 * computed `color` of a probe inside the terminal. Read again when the theme changes.
 */
export function readTheme(host: HTMLElement): ITheme {
  const probe = document.createElement('span');
  probe.hidden = true;
  host.append(probe);
  const read = (role: string): string => {
    probe.style.color = `var(--term-${role})`;
    return getComputedStyle(probe).color;
  };
  const theme: Record<string, string> = {
    background: read('bg'),
    foreground: read('fg'),
    cursor: read('cursor'),
    cursorAccent: read('cursor-text'),
    selectionBackground: read('selection'),
    selectionInactiveBackground: read('selection'),
  };
  for (const name of NAMES) {
    theme[name] = read(name);
    theme[`bright${name.charAt(0).toUpperCase()}${name.slice(1)}`] = read(`bright-${name}`);
  }
  probe.remove();
  return theme;
}

/** Calls `changed` when the page's theme may have changed: the system's, or the pinned one at the root. */
export function watchTheme(changed: () => void): () => void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const pinned = new MutationObserver(changed);
  pinned.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  system.addEventListener('change', changed);
  return () => {
    pinned.disconnect();
    system.removeEventListener('change', changed);
  };
}
