/** One key of the phone's key bar. */
export type BarKey = { readonly label: string; readonly spoken: string } & (
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'modifier'; readonly name: 'ctrl' | 'alt' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'act'; readonly name: 'paste' | 'stop' }
);

const key = (label: string, spoken: string, name: string): BarKey => ({ label, spoken, kind: 'key', key: name });
const text = (label: string, spoken: string, typed = label): BarKey => ({ label, spoken, kind: 'text', text: typed });

/** Two rows of eight, as in the design. */
export const KEY_BAR: readonly BarKey[] = [
  key('Esc', 'Esc, Escape', 'Escape'),
  key('Tab', 'Tab', 'Tab'),
  { label: 'Ctrl', spoken: 'Ctrl, for the next key', kind: 'modifier', name: 'ctrl' },
  { label: 'Alt', spoken: 'Alt, for the next key', kind: 'modifier', name: 'alt' },
  key('↑', 'Up', 'ArrowUp'),
  key('↓', 'Down', 'ArrowDown'),
  key('←', 'Left', 'ArrowLeft'),
  key('→', 'Right', 'ArrowRight'),
  text('-', 'Hyphen'),
  text('|', 'Pipe'),
  text('$', 'Dollar'),
  text('\\', 'Backslash'),
  text('{ }', 'Braces', '{}'),
  text('/', 'Slash'),
  { label: 'Paste', spoken: 'Paste', kind: 'act', name: 'paste' },
  { label: 'Stop', spoken: 'Stop the command', kind: 'act', name: 'stop' },
];

const SEQUENCES: Readonly<Record<string, string>> = {
  Escape: '\x1b',
  Tab: '\t',
  Enter: '\r',
  ArrowUp: '\x1b[A',
  ArrowDown: '\x1b[B',
  ArrowRight: '\x1b[C',
  ArrowLeft: '\x1b[D',
};
/** What a terminal sends for a key of the bar. */
export const ptySequence = (name: string): string => SEQUENCES[name] ?? '';

/** What a terminal sends for a letter with the sticky modifiers. */
export function ptyChord(letter: string, held: { readonly ctrl: boolean; readonly alt: boolean }): string {
  const code = letter.toUpperCase().charCodeAt(0);
  const plain = held.ctrl && code >= 64 && code <= 95 ? String.fromCharCode(code - 64) : letter;
  return held.alt ? `\x1b${plain}` : plain;
}
