import type { AuditRecord, CheckpointRecord } from '../storage/contract.ts';
import { GENESIS, brokenLink } from './chain.ts';
import { isSignatureGood, parsePublicKey } from './signing.ts';

type Many<T> = AsyncIterable<T> | Iterable<T>;

/** At most this many events stand between two checkpoints of a gateway that runs as it should (1,000 and one batch, twice). */
const MAX_UNSIGNED = 3_000;

export interface AuditCheck {
  /** All rows, oldest first. */
  readonly events: Many<AuditRecord>;
  /** All checkpoints, oldest first. */
  readonly checkpoints: Many<CheckpointRecord>;
  /** SPKI in PEM. The only thing that must come from elsewhere than the data. */
  readonly publicKey: string;
  /** A head kept outside (from the log stream): finds a tail that was cut. */
  readonly keptHead?: { readonly sequence: number; readonly hash: string };
}

export interface AuditCheckResult {
  readonly ok: boolean;
  readonly events: number;
  readonly checkpoints: number;
  /** Hash and number of the last event of the good part. */
  readonly head: string;
  readonly headSequence: number;
  /** Events up to here stand under a good signature. */
  readonly signedThrough: number;
  /**
   * First bad sequence, or null. Where only a signature or a kept head does not fit, every hash was made anew, and this
   * is the first event that no good signature covers.
   */
  readonly firstBad: number | null;
  readonly problem: string | null;
}

/**
 * Checks the whole log: every hash, every link, every signature, the kept head. Holds one event at a time.
 * It cannot find what a thief of the signing key writes anew and no kept head contradicts.
 * @throws SallyportError config_invalid when `publicKey` is no Ed25519 public key
 */
export async function verifyAudit(check: AuditCheck): Promise<AuditCheckResult> {
  const key = parsePublicKey(check.publicKey);
  const kept = check.keptHead;
  let previous = { sequence: 0, hash: GENESIS };
  let signedThrough = 0;
  let checkpoints = 0;
  const result = (firstBad: number | null, problem: string | null): AuditCheckResult => ({
    ok: problem === null,
    events: previous.sequence,
    checkpoints,
    head: previous.hash,
    headSequence: previous.sequence,
    signedThrough,
    firstBad,
    problem,
  });

  const heads = iterate(check.checkpoints);
  let next = await heads.next();
  for await (const record of check.events) {
    const problem = brokenLink(record, previous);
    if (problem !== null) return result(previous.sequence + 1, problem);
    previous = { sequence: record.sequence, hash: record.hash };
    if (kept?.sequence === record.sequence && kept.hash !== record.hash)
      return result(signedThrough + 1, `event ${record.sequence} is not the one of the head that was kept`);
    while (next.done !== true && next.value.sequence <= record.sequence) {
      const wrong = wrongHead(next.value, previous, signedThrough);
      if (wrong !== null) return result(signedThrough + 1, wrong);
      if (!isSignatureGood(next.value, key))
        return result(signedThrough + 1, `the signature at event ${record.sequence} is not of this key`);
      signedThrough = record.sequence;
      checkpoints += 1;
      next = await heads.next();
    }
    if (record.sequence - signedThrough > MAX_UNSIGNED)
      return result(signedThrough + 1, `no signature for ${MAX_UNSIGNED} events after event ${signedThrough}`);
  }
  const due = Math.max(next.done === true ? 0 : next.value.sequence, kept?.sequence ?? 0);
  if (due > previous.sequence)
    return result(previous.sequence + 1, `the log ends at event ${previous.sequence}, but event ${due} was there`);
  return result(null, null);
}

/** Why a checkpoint does not speak of this event; null when it does. */
function wrongHead(
  head: CheckpointRecord,
  event: { sequence: number; hash: string },
  signedThrough: number,
): string | null {
  if (head.sequence !== event.sequence || head.sequence <= signedThrough)
    return `checkpoint ${head.sequence} stands out of order`;
  return head.hash === event.hash ? null : `event ${event.sequence} is not the one that was signed`;
}

async function* iterate<T>(many: Many<T>): AsyncGenerator<T, void> {
  for await (const one of many) yield one;
}
