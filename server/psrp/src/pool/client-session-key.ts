import { PsrpStateError } from '../errors.ts';
import type { PoolEvent } from './events.ts';
import type { SessionCipher, SessionCipherFactory } from './session-key.ts';
import type { ProtocolVersion } from './version.ts';

/** Where the key exchange of a client stands. [MS-PSRP] 3.1.5.4.3 PUBLIC_KEY Message. */
export class ClientSessionKey {
  #state: 'none' | 'requested' | 'ready' = 'none';
  #cipher: SessionCipher | null = null;
  readonly #factory: SessionCipherFactory | undefined;

  constructor(factory: SessionCipherFactory | undefined) {
    this.#factory = factory;
  }
  get state(): 'none' | 'requested' | 'ready' {
    return this.#state;
  }
  request(version: ProtocolVersion | null): PoolEvent[] {
    if (this.#state !== 'none') return [];
    if (isPlain(version)) {
      this.#state = 'ready';
      return [{ type: 'sessionKeyReady' }];
    }
    this.#state = 'requested';
    return [{ type: 'needsKeyPair' }];
  }
  /** PUBLIC_KEY_REQUEST; a second exchange replaces the key. */
  requestedByServer(): PoolEvent[] {
    if (this.#state === 'requested') return [];
    this.#state = 'requested';
    return [{ type: 'needsKeyPair' }];
  }
  mustBeRequested(): void {
    if (this.#state !== 'requested') throw new PsrpStateError('no key was asked for');
  }
  supply(key: Uint8Array): PoolEvent[] {
    this.mustBeRequested();
    if (key.length !== 32) throw new PsrpStateError('a session key has 32 bytes');
    this.#cipher = this.#factory?.(key) ?? null;
    this.#state = 'ready';
    return [{ type: 'sessionKeyReady' }];
  }
  /** null = secure strings are not encrypted. @throws PsrpStateError while there is no key */
  cipher(version: ProtocolVersion | null): SessionCipher | null {
    if (isPlain(version)) return null;
    if (this.#state !== 'ready' || this.#cipher === null) throw new PsrpStateError('there is no session key');
    return this.#cipher;
  }
}

/** Protocol 2.4 on both sides: secure strings are not encrypted. */
const isPlain = (version: ProtocolVersion | null): boolean => version === '2.4';
