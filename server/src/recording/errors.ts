import { SallyportError } from '../errors.ts';

/** The chain of a recording does not hold from here on. What was read before is proven. */
export class RecordingCorruptError extends SallyportError {
  /** Index of the first event that cannot be vouched for. */
  readonly firstBad: number;
  constructor(firstBad: number, why: string) {
    super('recording_corrupt', `recording does not verify from event ${firstBad}: ${why}`);
    this.firstBad = firstBad;
  }
}
