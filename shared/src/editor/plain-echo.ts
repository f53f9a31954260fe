import { cleanPrompt, marked } from './marks.ts';

/** Continuation prompt, drawn before the second and later lines; never part of the text. */
export const CONTINUATION = '>> ';

/**
 * The authoritative echo of an accepted line: prompt with its colours, text without, `>> ` between lines, hidden
 * characters as marks, CR LF at the end. Recorded, replayed and shown to watchers. line-editor.md section 7.
 */
export function plainEcho(prompt: string, text: string): string {
  const lines = text.split('\n').map(marked);
  return `${cleanPrompt(prompt).replaceAll('\n', '\r\n')}\x1b[0m${lines.join(`\r\n${CONTINUATION}`)}\r\n`;
}
