/** What is kept in this browser only, about looks: no names, no text, nothing of a session. */
const KEY = 'sallyport.preferences';

export type Theme = 'system' | 'light' | 'dark';

interface Stored {
  readonly theme: Theme;
  readonly terminalPx: number;
  readonly utc: boolean;
  readonly screenReader: boolean;
}
const DEFAULTS: Stored = { theme: 'system', terminalPx: 14, utc: false, screenReader: false };

function parseStored(text: string | null): Stored {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    if (typeof value !== 'object' || value === null) return DEFAULTS;
    const given = new Map<string, unknown>(Object.entries(value));
    const theme = given.get('theme');
    const px = given.get('terminalPx');
    return {
      theme: theme === 'light' || theme === 'dark' ? theme : 'system',
      terminalPx: typeof px === 'number' && px >= 10 && px <= 24 ? Math.round(px) : DEFAULTS.terminalPx,
      utc: given.get('utc') === true,
      screenReader: given.get('screenReader') === true,
    };
  } catch {
    return DEFAULTS;
  }
}

function read(): Stored {
  try {
    return parseStored(localStorage.getItem(KEY));
  } catch {
    return DEFAULTS; // Storage may be refused by the browser; the defaults are good.
  }
}

/** Theme, terminal size, time zone and screen reader mode of this browser. */
class Preferences {
  #stored = $state.raw(read());

  get theme(): Theme {
    return this.#stored.theme;
  }
  set theme(theme: Theme) {
    this.#save({ ...this.#stored, theme });
    this.applyTheme();
  }
  /** Size of the terminal's letters in px, 10 to 24. */
  get terminalPx(): number {
    return this.#stored.terminalPx;
  }
  set terminalPx(px: number) {
    this.#save({ ...this.#stored, terminalPx: Math.min(24, Math.max(10, Math.round(px))) });
  }
  /** Times in UTC instead of the zone of this browser. */
  get utc(): boolean {
    return this.#stored.utc;
  }
  set utc(utc: boolean) {
    this.#save({ ...this.#stored, utc });
  }
  get screenReader(): boolean {
    return this.#stored.screenReader;
  }
  set screenReader(screenReader: boolean) {
    this.#save({ ...this.#stored, screenReader });
  }

  /** Pins the theme at the root, or lets it follow the system. */
  applyTheme(): void {
    if (this.theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = this.theme;
  }

  #save(stored: Stored): void {
    this.#stored = stored;
    try {
      localStorage.setItem(KEY, JSON.stringify(stored));
    } catch {
      // Kept for this page only.
    }
  }
}

/** The one set of preferences of the page. */
export const preferences = new Preferences();
