/** Answers of TabExpansion2 for the page. interactive.md section 6, line-editor.md section 6. */
import type { CommandCompletion } from '@sallyport/psrp';
import type { CompletionMatch } from '@sallyport/shared/wire/control';
import { visibleText } from '@sallyport/shared/terminal-output/visible-text';

const MAX_MATCHES = 500;
const MAX_TEXT = 4096;

/** Matches with where they go. */
export interface Completion {
  readonly index: number;
  readonly length: number;
  readonly matches: readonly CompletionMatch[];
  readonly more: number;
}
export const NO_MATCHES: Completion = { index: 0, length: 0, matches: [], more: 0 };

/** @returns null when the answer does not fit the text */
export function completionOf(answer: CommandCompletion | null, text: string): Completion | null {
  if (answer === null) return null;
  const { replacementIndex: index, replacementLength: length } = answer;
  if (index < 0 || length < 0 || index + length > text.length) return null;
  const usable = answer.matches.filter(
    ({ completionText }) => completionText.length <= MAX_TEXT && !/[\x00-\x08\x0b-\x1f\x7f-\x9f]/.test(completionText),
  );
  const matches = usable.slice(0, MAX_MATCHES).map((each) => ({
    text: each.completionText,
    list: visibleText(each.listItemText, 200, false),
    kind: visibleText(each.resultType, 40, false),
    toolTip: visibleText(each.toolTip, 300),
  }));
  return { index, length, matches, more: usable.length - matches.length };
}
