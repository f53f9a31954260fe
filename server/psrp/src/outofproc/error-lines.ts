import { lineText } from './packets.ts';

const PREFIX = '__NamedPipeError__:';
const REFUSED = 'Remote transport error:';

/** What a line that is no packet says. */
export type TextLine =
  /** One message was refused; the pool lives. */
  | { readonly kind: 'refusal'; readonly text: string }
  /** The server ends. */
  | { readonly kind: 'fatal'; readonly text: string }
  /** A line of a stack trace after a fatal one. */
  | { readonly kind: 'trace' }
  | { readonly kind: 'other'; readonly text: string };

/** Sorts text that pwsh writes to its standard output in server mode. */
export function sortLine(line: Uint8Array): TextLine {
  const text = lineText(line);
  if (!text.toLowerCase().startsWith(PREFIX.toLowerCase())) {
    return /^\s+at /.test(text) ? { kind: 'trace' } : { kind: 'other', text };
  }
  const rest = text.slice(PREFIX.length);
  if (!rest.startsWith(REFUSED)) return { kind: 'fatal', text: rest.trim() };
  return { kind: 'refusal', text: rest.slice(REFUSED.length).trim() };
}

/** A fatal error for the line of a server. */
export const errorLine = (text: string): string => `${PREFIX}${text}\n`;
