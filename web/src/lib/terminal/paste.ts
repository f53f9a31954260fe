/** What a paste comes to. line-editor.md section 8, security.md "Terminal output policy". */
export interface CleanPaste {
  /** CR LF and CR are LF; controls but tab and LF are gone. */
  readonly text: string;
  readonly lines: number;
  readonly hadControls: boolean;
}
/** Pastes above this ask, however few lines they have. */
const ASK_ABOVE_CHARACTERS = 5 * 1024;

/** Makes pasted text harmless for a program that reads keys. One line end at the end of one line is cut. */
export function cleanPaste(pasted: string): CleanPaste {
  const joined = pasted.replace(/\r\n?/g, '\n');
  const plain = joined.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '');
  const text = plain.indexOf('\n') === plain.length - 1 ? plain.slice(0, -1) : plain;
  return { text, lines: text.split('\n').length, hadControls: plain.length !== joined.length };
}

/** Whether a person is asked before a program gets it. */
export const asksFirst = (paste: CleanPaste): boolean =>
  paste.lines > 1 || paste.hadControls || paste.text.length > ASK_ABOVE_CHARACTERS;
