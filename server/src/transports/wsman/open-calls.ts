/** Host calls that the target waits for, as far as the target knows: an answer counts when it was taken there. */
import type { ClientPool } from '@sallyport/psrp';
import type { LeftCall } from '../contract.ts';

/** Those of one pool. */
export class OpenCalls {
  #calls = new Map<string, LeftCall>();
  #list: readonly LeftCall[] = [];

  get list(): readonly LeftCall[] {
    return this.#list;
  }

  /** @param isAnswering answers are on their way @returns whether they are others now */
  update(pool: ClientPool, isAnswering: boolean): boolean {
    const next = new Map<string, LeftCall>();
    for (const { pipelineId, callId, body } of pool.openHostCalls()) {
      const key = `${pipelineId ?? ''}/${String(callId)}`;
      const call = { pipelineId, callId: String(callId), body: Buffer.from(body).toString('base64') };
      next.set(key, this.#calls.get(key) ?? call);
    }
    for (const [key, call] of this.#calls) {
      const isAlive = call.pipelineId === null || pool.pipelineState(call.pipelineId) === 'Running';
      if (isAnswering && isAlive) next.set(key, call);
    }
    const isSame = next.size === this.#calls.size && [...next.keys()].every((key) => this.#calls.has(key));
    if (isSame) return false;
    this.#calls = next;
    this.#list = [...next.values()];
    return true;
  }
}
