import { WsManProtocolError } from '../errors.ts';
import { isSame, joinBytes, uint32 } from './bytes.ts';
import type { NtlmPrimitives } from './primitives.ts';
import { Rc4 } from './rc4.ts';

const SECTION = 'MS-NLMP 3.4.4.2 With Extended Session Security';
/** Version, code, sequence number. MS-NLMP 2.2.2.9.2 NTLMSSP_MESSAGE_SIGNATURE for Extended Session Security. */
export const SIGNATURE_BYTES = 16;
const MAX_SEQUENCE = 0xffffffff;

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

/** A message under seal. */
export interface Sealed {
  readonly signature: Uint8Array;
  readonly sealed: Uint8Array;
}

/** One direction: its keys, the running cipher and the count of messages. */
class Direction {
  readonly #primitives: NtlmPrimitives;
  readonly #signKey: Uint8Array;
  readonly #sealKey: Uint8Array;
  #cipher: Rc4;
  #sequence = 0;

  constructor(primitives: NtlmPrimitives, sessionKey: Uint8Array, way: string) {
    this.#primitives = primitives;
    const key = (use: string): Uint8Array =>
      primitives.md5(sessionKey, ascii(`session key to ${way} ${use} key magic constant\0`));
    this.#signKey = key('signing');
    this.#sealKey = key('sealing');
    this.#cipher = new Rc4(this.#sealKey);
  }

  cipher(bytes: Uint8Array): Uint8Array {
    return this.#cipher.update(bytes);
  }

  /** Of the next message; what it protects has gone through the cipher already. */
  signature(plain: Uint8Array): Uint8Array {
    if (this.#sequence > MAX_SEQUENCE) throw new WsManProtocolError('wsman_seal_broken', 'too many messages for one key', { section: SECTION }); // prettier-ignore
    const sequence = uint32(this.#sequence++);
    const mac = this.#primitives.hmacMd5(this.#signKey, sequence, plain).subarray(0, 8);
    return joinBytes(uint32(1), this.#cipher.update(mac), sequence);
  }

  /** The cipher begins anew, the count goes on. MS-NLMP 3.4.4.2, with SPNEGO: after mechListMIC. */
  reset(): void {
    this.#cipher.wipe();
    this.#cipher = new Rc4(this.#sealKey);
  }

  wipe(): void {
    this.#signKey.fill(0);
    this.#sealKey.fill(0);
    this.#cipher.wipe();
  }
}

/**
 * Sealing and signing of one signed-in connection, with 128-bit keys and key exchange; nothing weaker exists here. Each
 * direction counts its messages, so one that is lost, sent twice or changed breaks the session for good. MS-NLMP 3.4.
 */
export class NtlmSession {
  readonly #outgoing: Direction;
  readonly #incoming: Direction;
  #isOver = false;

  /** @param sessionKey the exported session key, 16 bytes; not kept */
  constructor(primitives: NtlmPrimitives, sessionKey: Uint8Array, role: 'client' | 'server') {
    const toServer = new Direction(primitives, sessionKey, 'client-to-server');
    const toClient = new Direction(primitives, sessionKey, 'server-to-client');
    [this.#outgoing, this.#incoming] = role === 'client' ? [toServer, toClient] : [toClient, toServer];
  }

  /** MS-NLMP 3.4.3 Message Confidentiality: the message is sealed, its plain form signed. */
  seal(plain: Uint8Array): Sealed {
    this.#mustGoOn();
    const sealed = this.#outgoing.cipher(plain);
    return { sealed, signature: this.#outgoing.signature(plain) };
  }

  /** @throws WsManProtocolError wsman_seal_broken; then and ever after */
  unseal({ signature, sealed }: Sealed): Uint8Array {
    this.#mustGoOn();
    const plain = this.#incoming.cipher(sealed);
    if (!isSame(this.#incoming.signature(plain), signature)) {
      plain.fill(0);
      this.#break('a sealed message that was changed, sent twice or left out');
    }
    return plain;
  }

  /** MS-NLMP 3.4.2 Message Integrity. */
  sign(message: Uint8Array): Uint8Array {
    this.#mustGoOn();
    return this.#outgoing.signature(message);
  }

  /** @throws WsManProtocolError wsman_seal_broken; then and ever after */
  verify(message: Uint8Array, signature: Uint8Array): void {
    this.#mustGoOn();
    if (!isSame(this.#incoming.signature(message), signature)) this.#break('a wrong signature');
  }

  /** After the mechListMIC was signed. */
  resetOutgoing(): void {
    this.#outgoing.reset();
  }

  /** After the peer's mechListMIC was verified. */
  resetIncoming(): void {
    this.#incoming.reset();
  }

  /** Forgets the keys. Idempotent. */
  close(): void {
    this.#isOver = true;
    this.#outgoing.wipe();
    this.#incoming.wipe();
  }

  #mustGoOn(): void {
    if (this.#isOver) throw new WsManProtocolError('wsman_seal_broken', 'a sealed session that is over', { section: SECTION }); // prettier-ignore
  }

  #break(message: string): never {
    this.close();
    throw new WsManProtocolError('wsman_seal_broken', message, { section: SECTION });
  }
}
