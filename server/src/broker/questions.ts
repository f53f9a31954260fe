/** Questions of one session: numbered, pending, answered once with what fits. security.md section 4. */
import { assertNever, SallyportError } from '../errors.ts';
import type { Clock } from '../clock.ts';
import type { Answer, NewQuestion, Question } from '@sallyport/shared/wire/questions';

/** How long a person has while the target is being opened. */
export const QUESTION_MS = 120_000;
const MAX_PER_MINUTE = 20;
const MINUTE_MS = 60_000;
/** Open at one time; a host asks one after the other. */
const MAX_PENDING = 32;

interface Pending {
  readonly question: Question;
  readonly settle: (answer: Answer | null) => void;
}
/** What the session does about questions. */
export interface QuestionEvents {
  asked(question: Question): void;
  ended(id: number): void;
  /** The target asks too often: the session must end. */
  tooMany(): void;
}

type FieldsAnswer = Extract<Answer, { kind: 'fields' }>;
function fieldFits(kind: string, value: FieldsAnswer['values'][number]): boolean {
  if (value === null) return true;
  if (typeof value === 'string') return kind === 'text' || kind === 'secure';
  if (typeof value === 'boolean') return kind === 'boolean';
  return Array.isArray(value) ? kind === 'list' : kind === 'credential';
}

/** Whether an answer is one that the question can have. */
export function fits(question: Question, answer: Answer): boolean {
  if (answer.kind === 'cancel') return true;
  switch (question.kind) {
    case 'hostKey':
      return answer.kind === 'accept';
    case 'secret':
    case 'line':
      return answer.kind === 'text';
    case 'keyboard':
      return answer.kind === 'texts' && answer.texts.length === question.prompts.length;
    case 'prompt':
      return (
        answer.kind === 'fields' &&
        answer.values.length === question.fields.length &&
        answer.values.every((value, index) => fieldFits(question.fields[index]?.kind ?? '', value))
      );
    case 'credential':
      return answer.kind === 'credential';
    case 'choice':
      return (
        answer.kind === 'choice' &&
        (question.multiple || answer.indexes.length <= 1) &&
        (answer.indexes.length > 0 || question.multiple || question.defaults.length > 0) &&
        answer.indexes.every((index) => index < question.choices.length)
      );
    case 'key':
      return answer.kind === 'key';
    default:
      return assertNever(question);
  }
}

const aborted = () => new DOMException('the question is not asked any more', 'AbortError');

export class Questions {
  readonly #clock: Clock;
  readonly #events: QuestionEvents;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #targetAsked: number[] = [];
  #isClosed = false;

  constructor(clock: Clock, events: QuestionEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  get pending(): readonly Question[] {
    return [...this.#pending.values()].map(({ question }) => question);
  }

  /** @param timed while opening: `cancel` after 120 s. Rejects with an AbortError when `signal` fires */
  ask(asked: NewQuestion, signal: AbortSignal, timed: boolean): Promise<Answer> {
    if (signal.aborted) return Promise.reject(aborted());
    if (this.#isClosed || this.#isTooMany(asked)) return Promise.resolve({ kind: 'cancel' });
    const question: Question = { ...asked, id: this.#nextId };
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      const settle = (answer: Answer | null) => {
        if (!this.#pending.delete(question.id)) return;
        cancelTimer();
        signal.removeEventListener('abort', onAbort);
        this.#events.ended(question.id);
        if (answer === null) reject(aborted());
        else resolve(answer);
      };
      const onAbort = () => {
        settle(null);
      };
      const cancelTimer = timed
        ? this.#clock.after(QUESTION_MS, () => {
            settle({ kind: 'cancel' });
          })
        : () => undefined;
      signal.addEventListener('abort', onAbort);
      this.#pending.set(question.id, { question, settle });
      this.#events.asked(question);
    });
  }

  /**
   * An answer to a question that has ended meanwhile is let go. `allowed` is asked before a host key is accepted.
   * @throws SallyportError bad_state, forbidden
   */
  answer(id: number, answer: Answer, mayAcceptHostKeys: () => boolean): void {
    const found = this.#pending.get(id);
    if (found === undefined) {
      if (id === 0 || id >= this.#nextId) throw new SallyportError('bad_state', 'answers what was never asked');
      return;
    }
    const { question, settle } = found;
    if (!fits(question, answer)) throw new SallyportError('bad_state', 'the answer does not fit the question');
    if (question.kind === 'hostKey' && answer.kind === 'accept' && !(question.mayAccept && mayAcceptHostKeys()))
      throw new SallyportError('forbidden', 'may not accept host keys');
    settle(answer);
  }

  /** Everything is set aside, now and from now on. */
  close(): void {
    this.#isClosed = true;
    for (const { settle } of [...this.#pending.values()]) settle({ kind: 'cancel' });
  }

  #isTooMany(asked: NewQuestion): boolean {
    if (asked.from !== 'target') return false;
    const now = this.#clock.monotonic();
    this.#targetAsked = this.#targetAsked.filter((at) => now - at < MINUTE_MS);
    this.#targetAsked.push(now);
    if (this.#targetAsked.length <= MAX_PER_MINUTE && this.#pending.size < MAX_PENDING) return false;
    this.#events.tooMany();
    return true;
  }
}
