/** One security context of the Kerberos mechanism, RFC 4121, through GSSAPI. winrm-auth.md section 5. */
import type { Library, Value } from './library.ts';
import type { ContextState, Delegation } from './messages.ts';
import {
  KerberosRefusal,
  bufferCell,
  cString,
  cells,
  gssRefusal,
  isGssError,
  numberIn,
  oidCell,
  pointTo,
  pointerIn,
  setBuffer,
  setPointer,
  takeBuffer,
} from './native.ts';

const OID = {
  krb5: '2a864886f712010202',
  hostBasedService: '2a864886f71201020104',
  /** GSS_C_INQ_SSPI_SESSION_KEY: the key, then an identifier that ends in the encryption type. */
  sessionKey: '2a864886f7120102020505',
} as const;
/** mutual 2, replay 4, sequence 8, confidentiality 16, integrity 32. RFC 2744 section 5.19. */
const FLAGS = 62;
const DELEGATION: Readonly<Record<Delegation, number>> = { never: 0, always: 1, policy: 32_768 };
const INITIATE = 1;
const CONTINUE_NEEDED = 1;
const IOV = { data: 1, header: 2, padding: 9, stream: 10 } as const;
/** `gss_iov_buffer_desc`: 4 type + 4 padding + 8 length + 8 address. */
const IOV_BYTES = 24;
const LENGTH_AT = 8;
const ADDRESS_AT = 16;
/** The header of every encryption type is shorter. */
const MAX_HEADER_BYTES = 256;

const hex = (text: string): Uint8Array => {
  const cell = cells(text.length / 2);
  cell.set(Buffer.from(text, 'hex'));
  return cell;
};

interface Constants {
  readonly krb5: Uint8Array;
  readonly krb5Set: Uint8Array;
  readonly hostBasedService: Uint8Array;
  readonly sessionKey: Uint8Array;
}
const constantsOf = new WeakMap<Library, Constants>();
function constants(library: Library): Constants {
  const known = constantsOf.get(library);
  if (known !== undefined) return known;
  const krb5 = oidCell(library, hex(OID.krb5));
  const krb5Set = cells(16);
  setPointer(krb5Set, 0, 1n);
  pointTo(library, krb5Set, 8, krb5);
  const made: Constants = {
    krb5,
    krb5Set,
    hostBasedService: oidCell(library, hex(OID.hostBasedService)),
    sessionKey: oidCell(library, hex(OID.sessionKey)),
  };
  constantsOf.set(library, made);
  return made;
}

/** `gss_channel_bindings_struct` without addresses: the application data is the fifth field, at 48. */
function bindingsCell(library: Library, data: Uint8Array): Uint8Array {
  const cell = cells(64);
  setBuffer(library, cell, 48, data);
  return cell;
}

/** The tickets of one cache as a credential of GSSAPI. `lifetimeS` is what is left of the ticket-granting ticket. */
function acquire(library: Library, cache: string): { credential: bigint; lifetimeS: number } {
  const [key, value] = [cString('ccache'), cString(cache)];
  const element = cells(16);
  pointTo(library, element, 0, key);
  pointTo(library, element, 8, value);
  const store = cells(16);
  setPointer(store, 0, 1n);
  pointTo(library, store, 8, element);
  const [minor, out, lifetime] = [cells(4), cells(8), cells(4)];
  const { krb5, krb5Set } = constants(library);
  const values: Value[] = [minor, null, 0xffffffff, krb5Set, INITIATE, store, out, null, lifetime];
  const major = library.call.gss_acquire_cred_from(...values);
  if (isGssError(major)) throw gssRefusal(library, 'tickets', major, numberIn(minor), krb5);
  return { credential: pointerIn(out), lifetimeS: numberIn(lifetime) };
}

/** How long the tickets hold, in seconds. @throws KerberosRefusal when the cache holds none */
export function lifetimeOf(library: Library, cache: string): number {
  const { credential, lifetimeS } = acquire(library, cache);
  release(library, credential);
  return lifetimeS;
}

function release(library: Library, credential: bigint): void {
  const cell = cells(8);
  setPointer(cell, 0, credential);
  library.call.gss_release_cred(cells(4), cell);
}

export interface ContextOptions {
  readonly cache: string;
  readonly service: string;
  readonly delegation: Delegation;
  /** Application data of the channel bindings; empty = none. */
  readonly bindings: Uint8Array;
}

export class SecurityContext {
  readonly #library: Library;
  readonly #bindingsData: Uint8Array;
  readonly #flags: number;
  readonly #handle = cells(8);
  readonly #name = cells(8);
  readonly #credential: bigint;
  #isClosed = false;

  /** @throws KerberosRefusal when the tickets cannot be used or the name is none */
  constructor(library: Library, options: ContextOptions) {
    this.#library = library;
    this.#bindingsData = options.bindings;
    this.#flags = FLAGS + DELEGATION[options.delegation];
    const { hostBasedService, krb5 } = constants(library);
    const service = cString(options.service);
    const minor = cells(4);
    const text = bufferCell(library, service.subarray(0, service.length - 1));
    const major = library.call.gss_import_name(minor, text, hostBasedService, this.#name);
    if (isGssError(major)) throw gssRefusal(library, 'context', major, numberIn(minor), krb5);
    try {
      this.#credential = acquire(library, options.cache).credential;
    } catch (error) {
      library.call.gss_release_name(minor, this.#name);
      throw error;
    }
  }

  /** @param token of the peer; empty at first. @throws KerberosRefusal */
  async step(token: Uint8Array): Promise<{ token: Uint8Array; state: ContextState }> {
    const library = this.#library;
    const { krb5 } = constants(library);
    const [minor, out, flags] = [cells(4), cells(16), cells(4)];
    const bindings = this.#bindingsData.length === 0 ? null : bindingsCell(library, this.#bindingsData);
    const input = token.length === 0 ? null : bufferCell(library, token);
    const major = await library.callAsync(
      'gss_init_sec_context',
      ...[minor, this.#credential, this.#handle, pointerIn(this.#name), krb5, this.#flags, 0],
      ...[bindings, input, null, out, flags, null],
    );
    const next = takeBuffer(library, out);
    if (isGssError(major)) throw gssRefusal(library, 'context', major, numberIn(minor), krb5);
    const isComplete = (major & CONTINUE_NEEDED) === 0;
    const encryption = isComplete ? this.#encryption() : 0;
    return { token: next, state: { isComplete, flags: numberIn(flags), encryption } };
  }

  /**
   * Seals in place: the bytes given are overwritten.
   * @returns header and, where the encryption type has one (RC4), padding that belongs behind the bytes
   */
  seal(bytes: Uint8Array): { header: Uint8Array; padding: Uint8Array } {
    const header = cells(MAX_HEADER_BYTES);
    const padding = cells(16);
    const iov = this.#iov([
      [IOV.header, header],
      [IOV.data, bytes],
      [IOV.padding, padding],
    ]);
    const { gss_wrap_iov_length: measure, gss_wrap_iov: wrap } = this.#library.call;
    const minor = cells(4);
    const confidential = cells(4);
    this.#check(measure(minor, pointerIn(this.#handle), 1, 0, confidential, iov, 3), minor);
    // Measuring sets the lengths and takes the addresses away.
    pointTo(this.#library, iov, ADDRESS_AT, header);
    pointTo(this.#library, iov, 2 * IOV_BYTES + ADDRESS_AT, padding);
    this.#check(wrap(minor, pointerIn(this.#handle), 1, 0, confidential, iov, 3), minor);
    if (numberIn(confidential) === 0) throw this.#refuse('the message was not encrypted');
    const lengthAt = (index: number): number => Number(pointerIn(iov, index * IOV_BYTES + LENGTH_AT));
    return { header: header.subarray(0, lengthAt(0)), padding: padding.subarray(0, lengthAt(2)) };
  }

  /** Opens in place. @param bytes header and sealed bytes in one. @returns the plain part of them. @throws KerberosRefusal */
  unseal(bytes: Uint8Array): Uint8Array {
    const iov = this.#iov([
      [IOV.stream, bytes],
      [IOV.data, new Uint8Array()],
    ]);
    const [minor, confidential] = [cells(4), cells(4)];
    const { gss_unwrap_iov: unwrap } = this.#library.call;
    this.#check(unwrap(minor, pointerIn(this.#handle), confidential, null, iov, 2), minor, true);
    if (numberIn(confidential) === 0) throw this.#refuse('the message was not encrypted');
    const start = Number(pointerIn(iov, IOV_BYTES + ADDRESS_AT) - this.#library.addressOf(bytes));
    return bytes.subarray(start, start + Number(pointerIn(iov, IOV_BYTES + LENGTH_AT)));
  }

  /** A checksum over the bytes: what SPNEGO protects its list of mechanisms with. RFC 4178 section 5. */
  sign(bytes: Uint8Array): Uint8Array {
    const [minor, out] = [cells(4), cells(16)];
    const text = bufferCell(this.#library, bytes);
    this.#check(this.#library.call.gss_get_mic(minor, pointerIn(this.#handle), 0, text, out), minor);
    return takeBuffer(this.#library, out);
  }

  /** @throws KerberosRefusal when the checksum is of something else */
  verify(signature: Uint8Array, bytes: Uint8Array): void {
    const minor = cells(4);
    const [text, token] = [bufferCell(this.#library, bytes), bufferCell(this.#library, signature)];
    this.#check(this.#library.call.gss_verify_mic(minor, pointerIn(this.#handle), text, token, null), minor, true);
  }

  /** Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const minor = cells(4);
    if (pointerIn(this.#handle) !== 0n) this.#library.call.gss_delete_sec_context(minor, this.#handle, null);
    this.#library.call.gss_release_name(minor, this.#name);
    release(this.#library, this.#credential);
  }

  #iov(buffers: readonly (readonly [number, Uint8Array])[]): Uint8Array {
    const iov = cells(IOV_BYTES * buffers.length);
    for (const [index, [type, bytes]] of buffers.entries()) {
      new DataView(iov.buffer).setUint32(index * IOV_BYTES, type, true);
      setBuffer(this.#library, iov, index * IOV_BYTES + LENGTH_AT, bytes);
    }
    return iov;
  }

  /** @param isStrict a hint (old, doubled, out of order) is a refusal too: these messages come one after the other */
  #check(major: number, minor: Uint8Array, isStrict = false): void {
    if (!isGssError(major) && !(isStrict && major !== 0)) return;
    throw gssRefusal(this.#library, 'message', major, numberIn(minor), constants(this.#library).krb5);
  }

  #refuse(text: string): KerberosRefusal {
    return new KerberosRefusal({ stage: 'message', major: 0, minor: 0, text });
  }

  /** Number of RFC 3961; 0 when the library does not tell. The key that comes with it is wiped at once. */
  #encryption(): number {
    const [minor, out] = [cells(4), cells(8)];
    const { call } = this.#library;
    const { sessionKey } = constants(this.#library);
    if (isGssError(call.gss_inquire_sec_context_by_oid(minor, pointerIn(this.#handle), sessionKey, out))) return 0;
    const set = this.#library.bytesAt(pointerIn(out), 16);
    const elements = this.#library.bytesAt(pointerIn(set, 8), 16 * Number(pointerIn(set, 0)));
    let encryption = 0;
    if (elements.length >= 32) {
      this.#library.wipeAt(pointerIn(elements, 8), Number(pointerIn(elements, 0)));
      const identifier = this.#library.bytesAt(pointerIn(elements, 24), Number(pointerIn(elements, 16)));
      encryption = identifier.at(-1) ?? 0;
    }
    call.gss_release_buffer_set(minor, out);
    return encryption;
  }
}
