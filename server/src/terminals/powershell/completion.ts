/** Answers of TabExpansion2 for the page. interactive.md section 6, line-editor.md section 6. */
import { commandCompletion } from '@sallyport/psrp';
import type { CommandCompletion } from '@sallyport/psrp';
import type { CompletionMatch } from '@sallyport/shared/wire/control';
import { visibleText } from '@sallyport/shared/terminal-output/visible-text';
import type { Clock } from '../../clock.ts';
import type { Jobs } from './jobs.ts';
import type { CommandTable } from './simple-commands.ts';

const COMPLETE_MS = 5_000;
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

/** Asks the target. The pipeline goes out with the link's next send; `cancel` gives no matches at once. */
export function tabExpansion(
  jobs: Jobs,
  clock: Clock,
  text: string,
  cursor: number,
  signal: AbortSignal,
): { readonly found: Promise<Completion>; readonly cancel: () => void } {
  let found: Completion = NO_MATCHES;
  let resolve: (value: Completion) => void = () => undefined;
  const result = new Promise<Completion>((done) => (resolve = done));
  const parameters = [
    { name: 'inputScript', value: text },
    { name: 'cursorColumn', value: Math.min(cursor, text.length) },
  ];
  const done = (): void => {
    cancelTimer();
    signal.removeEventListener('abort', cancel);
    resolve(found);
  };
  const job = jobs.start([{ command: 'TabExpansion2', parameters }], {}, (event) => {
    if (event.type === 'output') found = completionOf(commandCompletion(event.value), text) ?? found;
    else if (event.type === 'pipelineState') done();
  });
  const cancel = (): void => {
    if (jobs.signalOf(job) === undefined) return;
    found = NO_MATCHES;
    jobs.stop(job);
    done();
  };
  const cancelTimer = clock.after(COMPLETE_MS, cancel);
  signal.addEventListener('abort', cancel, { once: true });
  return { found: result, cancel };
}

/** Names of commands and parameters, for an endpoint that runs nothing but its commands. */
export function completeFrom(commands: CommandTable, text: string, cursor: number): Completion {
  const line = text.slice(0, cursor);
  const word = /[^\s|;]*$/.exec(line)?.[0] ?? '';
  const index = line.length - word.length;
  const statement =
    line
      .slice(0, index)
      .split(/[|;\n]/)
      .at(-1) ?? '';
  const [head] = statement.trim().split(/\s+/);
  const isHead = head === undefined || head === '';
  const names = isHead
    ? [...commands.values()].map(({ name }) => name)
    : (commands.get(head.toLowerCase())?.parameters.map(({ name }) => `-${name}`) ?? []);
  const found = names.filter((name) => name.toLowerCase().startsWith(word.toLowerCase())).toSorted();
  if (!isHead && !word.startsWith('-')) return NO_MATCHES;
  const kind = isHead ? 'Command' : 'ParameterName';
  const matches = found
    .slice(0, MAX_MATCHES)
    .map((name) => ({ text: name, list: visibleText(name, 200, false), kind, toolTip: '' }));
  return { index, length: word.length, matches, more: found.length - matches.length };
}
