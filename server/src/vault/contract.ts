/** Secrets at rest: AES-256-GCM envelopes bound to their row. security.md T10 and section 3 "Secrets". */
import type { Secret } from '../secret.ts';

/** Where a sealed value lives: the associated data of its envelope, so that it opens nowhere else. */
export interface Place {
  readonly table: string;
  readonly row: string;
  readonly field: string;
}

export interface Vault {
  /** A data key of its own per secret, wrapped by the key-encryption key outside the database. */
  seal(place: Place, plain: Uint8Array): Uint8Array;
  /** @throws SallyportError secret_unreadable (moved, cut, changed, or another key) */
  open(place: Place, sealed: Uint8Array): Secret;
}
