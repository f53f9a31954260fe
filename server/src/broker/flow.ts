/** How fast a target may talk: as fast as its pages read and the disk writes. */
import { HIGH_WATER_BYTES, LOW_WATER_BYTES } from '@sallyport/shared/wire/credit';
import type { RecordingWriter } from '../recording/contract.ts';
import type { Terminal } from '../terminals/contract.ts';

export type PauseReason = 'credit' | 'recording';

/** Of one session. */
export class Flow {
  readonly #recording: Pick<RecordingWriter, 'outputBytes' | 'writtenBytes'>;
  readonly #acked: () => number | null;
  readonly #reasons = new Set<PauseReason>();
  #terminal: Terminal | null = null;

  /** @param acked what the controller has; null without one: then the recording is all there is to wait for */
  constructor(recording: Pick<RecordingWriter, 'outputBytes' | 'writtenBytes'>, acked: () => number | null) {
    this.#recording = recording;
    this.#acked = acked;
  }

  /** The terminal is there now. */
  begin(terminal: Terminal): void {
    this.#terminal = terminal;
    if (this.#reasons.size > 0) terminal.pause();
  }

  pause(reason: PauseReason): void {
    if (this.#reasons.size === 0) this.#terminal?.pause();
    this.#reasons.add(reason);
  }
  resume(reason: PauseReason): void {
    if (this.#reasons.delete(reason) && this.#reasons.size === 0) this.#terminal?.resume();
  }

  /** Output has come and goes to the disk: a target that keeps what was not asked for is asked for no more meanwhile. */
  told(): void {
    this.#terminal?.hold?.(true);
  }
  /** Some of it is in the file. When all of it is, the target is asked on: so a kill loses one answer, not two. */
  written(): void {
    const { outputBytes, writtenBytes } = this.#recording;
    if (writtenBytes >= outputBytes) this.#terminal?.hold?.(false);
    if (this.#reasons.has('credit')) this.creditChanged();
  }

  /**
   * Pauses the target at HIGH_WATER behind the controller or the disk, lets it go on under LOW_WATER. Without a page it runs
   * as fast as its recording can be written.
   */
  creditChanged(): void {
    const { outputBytes, writtenBytes } = this.#recording;
    const behind = outputBytes - (this.#acked() ?? writtenBytes);
    if (behind >= HIGH_WATER_BYTES) this.pause('credit');
    else if (behind < LOW_WATER_BYTES) this.resume('credit');
  }
}
