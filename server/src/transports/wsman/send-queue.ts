import { endsMessage } from '@sallyport/psrp';
import type { Priority } from '@sallyport/psrp';
import type { InputStream } from '@sallyport/wsman';

/** Bytes for one Command or Send. */
export interface SendUnit {
  readonly pipelineId: string | null;
  readonly stream: InputStream;
  readonly bytes: Uint8Array;
  /** The first of a pipeline: goes with Command. */
  readonly isCommand: boolean;
  /** Its last fragment ends a message. */
  readonly isWholeMessage: boolean;
}

interface Item {
  readonly pipelineId: string | null;
  readonly fragment: Uint8Array;
}

/**
 * Fragments that wait for their turn. Answers to host calls overtake the rest; fragments of one destination that follow
 * each other go together while they fit, except those of a pipeline's first message, which must arrive before anything
 * else is done with it.
 */
export class SendQueue {
  #maxBytes: number;
  readonly #answers: Item[] = [];
  readonly #rest: Item[] = [];
  /** Pipelines of which nothing was sent yet. */
  readonly #fresh = new Set<string>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** From now on at most this goes together. */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
  }

  /** The next fragment of this pipeline is its first. */
  begin(pipelineId: string): void {
    this.#fresh.add(pipelineId);
  }

  add(pipelineId: string | null, priority: Priority, fragment: Uint8Array): void {
    (priority === 'promptResponse' ? this.#answers : this.#rest).push({ pipelineId, fragment });
  }

  /** Answers to host calls wait. */
  get hasAnswers(): boolean {
    return this.#answers.length > 0;
  }

  /** What goes out next; null when nothing waits. */
  take(): SendUnit | null {
    const isAnswer = this.#answers.length > 0;
    const queue = isAnswer ? this.#answers : this.#rest;
    const first = queue.shift();
    if (first === undefined) return null;
    const { pipelineId } = first;
    const isCommand = pipelineId !== null && this.#fresh.delete(pipelineId);
    const taken = [first.fragment];
    let size = first.fragment.length;
    while (!isCommand) {
      const next = queue[0];
      if (next?.pipelineId !== pipelineId || size + next.fragment.length > this.#maxBytes) break;
      queue.shift();
      taken.push(next.fragment);
      size += next.fragment.length;
    }
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const fragment of taken) {
      bytes.set(fragment, at);
      at += fragment.length;
    }
    const last = taken.at(-1) ?? bytes;
    return { pipelineId, stream: isAnswer ? 'pr' : 'stdin', bytes, isCommand, isWholeMessage: endsMessage(last) };
  }
}
