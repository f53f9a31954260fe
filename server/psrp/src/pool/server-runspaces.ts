import { PsrpProtocolError } from '../errors.ts';

/** Calls to change the size that may wait for the owner; a client that sends more fills us up. */
const MAX_WAITING = 64;

/** Which bound a client wants to move. */
export type RunspaceBound = 'min' | 'max';

/**
 * How many runspaces a pool on a server has. A change comes from the client, is judged here, allowed by the pool's owner,
 * and holds from its answer on. [MS-PSRP] 3.2.5.4.6 SET_MAX_RUNSPACES Message, 3.2.5.4.7 SET_MIN_RUNSPACES Message.
 */
export class ServerRunspaces {
  #min = 1;
  #max = 1;
  readonly #waiting = new Map<bigint, { readonly bound: RunspaceBound; readonly count: number }>();

  get min(): number {
    return this.#min;
  }
  get max(): number {
    return this.#max;
  }

  /** As INIT_RUNSPACEPOOL or CONNECT_RUNSPACEPOOL asks. */
  set(min: number, max: number): void {
    this.#max = Math.max(1, max);
    this.#min = Math.min(Math.max(1, min), this.#max);
  }

  /**
   * A client wants another bound.
   * @returns false when it cannot be: below 1, or min above max; PowerShell 7.5 and 7.6 answer false then
   * @throws PsrpProtocolError psrp_bad_state when too many wait already
   */
  ask(bound: RunspaceBound, callId: bigint, count: number): boolean {
    if (!(bound === 'min' ? this.#canBe(count, this.#max) : this.#canBe(this.#min, count))) return false;
    if (this.#waiting.size >= MAX_WAITING) {
      const section = 'MS-PSRP 3.2.5.4 Message Processing';
      throw new PsrpProtocolError('psrp_bad_state', 'too many calls wait', { section });
    }
    this.#waiting.set(callId, { bound, count });
    return true;
  }

  /** The owner's answer. @returns what the client is told: an allowed change that became impossible meanwhile is false */
  answer(callId: bigint, response: boolean | bigint): boolean | bigint {
    const asked = this.#waiting.get(callId);
    this.#waiting.delete(callId);
    if (asked === undefined || response !== true) return response;
    const { bound, count } = asked;
    if (!(bound === 'min' ? this.#canBe(count, this.#max) : this.#canBe(this.#min, count))) return false;
    if (bound === 'min') this.#min = count;
    else this.#max = count;
    return true;
  }

  /** Bounds that can be; null for one of them = as it is. */
  canBe(min: number | null, max: number | null): boolean {
    return this.#canBe(min ?? this.#min, max ?? this.#max);
  }

  #canBe(min: number, max: number): boolean {
    return Number.isInteger(min) && Number.isInteger(max) && min >= 1 && min <= max;
  }
}
