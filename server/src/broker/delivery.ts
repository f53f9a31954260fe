/** Record first, then deliver, all in one order: what comes after output in the stream waits until that is in the file. */
import type { RecordedEvent, RecordingWriter } from '../recording/contract.ts';

interface Item {
  isWritten: boolean;
  readonly act: () => void;
}

export class Delivery {
  readonly #recording: RecordingWriter;
  readonly #failed: (error: unknown) => void;
  #queue: Item[] = [];

  /** @param failed told once when an `act` throws: nothing is delivered after it, and nobody else's turn suffers */
  constructor(recording: RecordingWriter, failed: (error: unknown) => void) {
    this.#recording = recording;
    this.#failed = failed;
  }

  /** Recorded, then `act`. Never called when the recording fails. */
  recorded(event: RecordedEvent, act: () => void): void {
    const item: Item = { isWritten: false, act };
    this.#queue.push(item);
    this.#recording.append(event, () => {
      item.isWritten = true;
      this.#drain();
    });
  }

  /** Not recorded, but in its place. */
  ordered(act: () => void): void {
    this.#queue.push({ isWritten: true, act });
    this.#drain();
  }

  /** The recording failed or is closed: what was not written is never delivered. */
  stop(): void {
    this.#queue = [];
  }

  #drain(): void {
    for (let next = this.#queue[0]; next?.isWritten === true; next = this.#queue[0]) {
      this.#queue.shift();
      try {
        next.act();
      } catch (error) {
        this.stop();
        this.#failed(error);
      }
    }
  }
}
