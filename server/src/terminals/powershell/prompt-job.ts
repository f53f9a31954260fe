/** The question for the target's prompt. interactive.md 2. */
import { displayText } from '@sallyport/psrp';
import { colouredText } from '@sallyport/shared/terminal-output/visible-text';
import type { Clock } from '../../clock.ts';
import type { Jobs } from './jobs.ts';

const PROMPT_MS = 5_000;
const MAX_PROMPT = 4096;
/** Where there is none. */
export const FALLBACK_PROMPT = 'PS>';
/** A stopped line may hold its runspace for a moment after the target has said that it stopped. */
export const BUSY_MS = 50;
/** How often the prompt is asked for again then. */
export const BUSY_TRIES = 20;

/** What is shown. */
export const promptText = (targetName: string, text: string): string =>
  colouredText(`[${targetName}]: ${text.slice(0, MAX_PROMPT)}`);

/** `busy`: a line that was stopped holds its runspace still. */
export type PromptAnswer =
  | 'busy'
  | {
      /** null = none came in time, or it failed. */
      readonly text: string | null;
      /** There is no prompt function. */
      readonly isBare: boolean;
    };

/**
 * Goes out with the link's next `send`. @param mayBeBusy a busy runspace is told; otherwise it is a failure like others
 * @param answered called once @returns the id of its pipeline
 */
export function startPrompt(
  jobs: Jobs,
  clock: Clock,
  mayBeBusy: boolean,
  answered: (answer: PromptAnswer) => void,
): string {
  let text: string | null = null;
  let isDone = false;
  const done = (answer: PromptAnswer): void => {
    if (isDone) return;
    isDone = true;
    cancel();
    answered(answer);
  };
  const job = jobs.start([{ command: 'prompt' }], {}, (event) => {
    if (event.type === 'output') text ??= displayText(event.value);
    else if (event.type !== 'pipelineState') return;
    else if (mayBeBusy && event.error?.reason === 'PSInvalidOperationException') done('busy');
    else
      done({
        text: event.state === 'Completed' ? text : null,
        isBare: event.error?.reason === 'CommandNotFoundException',
      });
  });
  const cancel = clock.after(PROMPT_MS, () => {
    jobs.stop(job);
    done({ text: null, isBare: false });
  });
  return job;
}
