/** How large envelopes may be at a target. One for everything that goes over a connection there. */
import { ENVELOPE_BYTES } from '@sallyport/wsman';

/** Faults of who announces larger answers than the target makes: nothing was done. wsman.md section 6. */
const REFUSED: ReadonlySet<number> = new Set([2150858823, 2150858824, 2150858825]);
/** Tried in turn. The last is the least that a server can be set to. */
const LADDER: readonly number[] = [ENVELOPE_BYTES.old, 64 * 1024, 32 * 1024];

/** Whether the target refused a request for the size of answers that it announces. */
export const isSizeRefused = ({ number }: { readonly number: number }): boolean => REFUSED.has(number);

/** Every target that nobody has set to less takes 150 KiB; one that takes less is found out by its refusals. */
export class EnvelopeSize {
  readonly #isFixed: boolean;
  #bytes: number;

  /** @param kib as the target's settings say; null = to be found out */
  constructor(kib: number | null) {
    this.#isFixed = kib !== null;
    this.#bytes = kib === null ? ENVELOPE_BYTES.old : kib * 1024;
  }

  /** For requests, and for answers but those to polls. */
  get bytes(): number {
    return this.#bytes;
  }
  /** For answers to polls of a current target. Windows 7 and Server 2008 R2 say nothing of their shells and take no more. */
  get currentBytes(): number {
    return this.#isFixed || this.#bytes < ENVELOPE_BYTES.old ? this.#bytes : ENVELOPE_BYTES.current;
  }
  /** Something of this size was refused. @returns false when there is nothing smaller to try */
  lower(refused: number): boolean {
    if (this.#isFixed) return false;
    const next = this.#bytes < refused ? this.#bytes : LADDER.find((bytes) => bytes < refused);
    if (next === undefined) return false;
    this.#bytes = next;
    return true;
  }
}
