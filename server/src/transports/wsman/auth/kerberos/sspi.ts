/**
 * Kerberos through SSPI, for gateways on Windows: the same steps as GSSAPI, by secur32.dll. UNTESTED: written from the
 * documentation of Windows and never run there; a test holds the layouts alone. docs/winrm.md says so too.
 */
import { createRequire } from 'node:module';
import type koffiModule from 'koffi';
import type { Mechanism, MechanismContext, MechanismOptions, MechanismTickets } from './mechanism.ts';
import type { ContextState, TicketSource } from './messages.ts';
import { KerberosRefusal, cells, numberIn, pointTo, pointerIn } from './native.ts';
import type { Memory } from './native.ts';

/** Where fields stand on 64-bit Windows, in bytes. sspi.h; sspi.test.ts holds them against a C compiler's rules. */
export const LAYOUT = {
  secHandle: { size: 16 },
  authIdentity: { size: 48, user: 0, userLength: 8, domain: 16, domainLength: 24, password: 32, passwordLength: 40, flags: 44 },
  secBuffer: { size: 16, length: 0, type: 4, address: 8 },
  secBufferDesc: { size: 16, version: 0, count: 4, buffers: 8 },
  channelBindings: { size: 32, dataLength: 24, dataOffset: 28 },
  sizes: { size: 16, maxSignature: 4, blockSize: 8, securityTrailer: 12 },
  keyInfo: { size: 32, signatureName: 0, encryptName: 8, encryptAlgorithm: 24 },
} as const; // prettier-ignore

/** p pointer, u uint32, i int32, s UTF-16 text. */
const FUNCTIONS = {
  AcquireCredentialsHandleW: 'i ssupppppp',
  FreeCredentialsHandle: 'i p',
  InitializeSecurityContextW: 'i ppsuuupupppp',
  DeleteSecurityContext: 'i p',
  FreeContextBuffer: 'i p',
  QueryContextAttributesW: 'i pup',
  EncryptMessage: 'i pupu',
  DecryptMessage: 'i ppup',
  MakeSignature: 'i pupu',
  VerifySignature: 'i ppup',
} as const;
const TYPES: Readonly<Record<string, string>> = { p: 'void *', u: 'uint32', i: 'int32', s: 'str16' };

type Value = bigint | number | Uint8Array | string | null;
type Bound = ((...values: readonly Value[]) => number) & { async(...values: unknown[]): void };
/** secur32.dll, called through koffi. */
export interface SspiLibrary extends Memory {
  readonly call: Readonly<Record<keyof typeof FUNCTIONS, Bound>>;
  bytesAt(address: bigint, length: number): Uint8Array;
}

/** The process's own account takes the place of a ticket cache under this name. */
export const PROCESS_ACCOUNT = 'SSPI:';
const PACKAGE = 'Kerberos';
const OUTBOUND = 2;
const UNICODE_IDENTITY = 2;
const NETWORK_REPRESENTATION = 0;
/** ISC_REQ_*: mutual 2, replay 4, sequence 8, confidentiality 16, allocate memory 256, integrity 65,536. */
const REQUIRED = 2 + 4 + 8 + 16 + 256 + 65_536;
const DELEGATE = 1;
const BUFFER = { data: 1, token: 2, padding: 9, stream: 10, channelBindings: 14 } as const;
const ATTRIBUTE = { sizes: 0, keyInfo: 5 } as const;
const NOT_ENCRYPTED = 0x80000001;
const CONTINUE_NEEDED = 0x00090312;
/** From ISC_RET_INTEGRITY to GSS_C_INTEG_FLAG; the lower flags are the same on both sides. */
const RET_INTEGRITY = 65_536;
const GSS_INTEGRITY = 32;

/** What SSPI says, as the krb5 numbers that the gateway knows. winerror.h; krb5_err.et */
const BASE = -1765328384;
const MINORS: ReadonlyMap<number, number> = new Map([
  [0x8009030c, BASE + 24], // SEC_E_LOGON_DENIED
  [0x80090303, BASE + 7], // SEC_E_TARGET_UNKNOWN
  [0x80090322, BASE + 7], // SEC_E_WRONG_PRINCIPAL
  [0x80090324, BASE + 37], // SEC_E_TIME_SKEW
  [0x80090311, -1765328228], // SEC_E_NO_AUTHENTICATING_AUTHORITY
]);
const BAD_BINDINGS = 0x80090346;

function check(status: number, stage: 'tickets' | 'context' | 'message'): void {
  const code = status >>> 0;
  if (code < 0x80000000) return;
  const major = code === BAD_BINDINGS ? 4 << 16 : 13 << 16;
  throw new KerberosRefusal({ stage, major, minor: MINORS.get(code) ?? 0, text: `SSPI 0x${code.toString(16)}` });
}

const setNumber = (cell: Uint8Array, at: number, value: number): void =>
  new DataView(cell.buffer, cell.byteOffset).setUint32(at, value, true);
function wide(text: string): Uint8Array {
  const cell = cells(2 * text.length + 2);
  const view = new DataView(cell.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i), true);
  return cell;
}

/** SEC_WINNT_AUTH_IDENTITY_W. @param principal `user@REALM`, quoted as krb5 does it */
export function identityCell(memory: Memory, principal: string, password: Uint8Array): Uint8Array {
  const at = principal.lastIndexOf('@');
  const plain = (text: string): string => text.replace(/\\(.)/g, '$1');
  const secret = wide(new TextDecoder().decode(password));
  const layout = LAYOUT.authIdentity;
  const cell = cells(layout.size);
  for (const [field, length, text] of [
    [layout.user, layout.userLength, wide(plain(principal.slice(0, at)))],
    [layout.domain, layout.domainLength, wide(plain(principal.slice(at + 1)))],
    [layout.password, layout.passwordLength, secret],
  ] as const) {
    pointTo(memory, cell, field, text);
    setNumber(cell, length, text.length / 2 - 1);
  }
  setNumber(cell, layout.flags, UNICODE_IDENTITY);
  return cell;
}

/** SecBufferDesc with its SecBuffers behind each other. */
export function messageCells(
  memory: Memory,
  buffers: readonly (readonly [type: number, bytes: Uint8Array])[],
): { readonly desc: Uint8Array; readonly buffers: Uint8Array } {
  const { secBuffer, secBufferDesc } = LAYOUT;
  const cell = cells(secBuffer.size * buffers.length);
  for (const [index, [type, bytes]] of buffers.entries()) {
    setNumber(cell, index * secBuffer.size + secBuffer.length, bytes.length);
    setNumber(cell, index * secBuffer.size + secBuffer.type, type);
    pointTo(memory, cell, index * secBuffer.size + secBuffer.address, bytes);
  }
  const desc = cells(secBufferDesc.size);
  setNumber(desc, secBufferDesc.count, buffers.length);
  pointTo(memory, desc, secBufferDesc.buffers, cell);
  return { desc, buffers: cell };
}

/** SEC_CHANNEL_BINDINGS without addresses, its application data behind it. */
export function bindingsCell(data: Uint8Array): Uint8Array {
  const { size, dataLength, dataOffset } = LAYOUT.channelBindings;
  const cell = cells(size + data.length);
  setNumber(cell, dataLength, data.length);
  setNumber(cell, dataOffset, size);
  cell.set(data, size);
  return cell;
}

const lengthAt = (buffers: Uint8Array, index: number): number =>
  numberIn(buffers, index * LAYOUT.secBuffer.size + LAYOUT.secBuffer.length);
const addressAt = (buffers: Uint8Array, index: number): bigint =>
  pointerIn(buffers, index * LAYOUT.secBuffer.size + LAYOUT.secBuffer.address);

class SspiContext implements MechanismContext {
  readonly #library: SspiLibrary;
  readonly #credential: Uint8Array;
  readonly #options: MechanismOptions;
  readonly #handle = cells(LAYOUT.secHandle.size);
  #isBegun = false;
  #isClosed = false;

  constructor(library: SspiLibrary, credential: Uint8Array, options: MechanismOptions) {
    this.#library = library;
    this.#credential = credential;
    this.#options = options;
  }

  async step(token: Uint8Array): Promise<{ token: Uint8Array; state: ContextState }> {
    const library = this.#library;
    const { service, delegation, bindings } = this.#options;
    const input = messageCells(library, [
      ...(token.length === 0 ? [] : [[BUFFER.token, token] as const]),
      ...(bindings.length === 0 ? [] : [[BUFFER.channelBindings, bindingsCell(bindings)] as const]),
    ]);
    const output = messageCells(library, [[BUFFER.token, new Uint8Array()]]);
    const [attributes, expiry] = [cells(4), cells(8)];
    // Windows gives a ticket away only to servers that the domain marks, so `policy` and `always` are one.
    const flags = REQUIRED + (delegation === 'never' ? 0 : DELEGATE);
    const status = await this.#callAsync(
      'InitializeSecurityContextW',
      ...[this.#credential, this.#isBegun ? this.#handle : null, service.replace('@', '/'), flags, 0],
      ...[NETWORK_REPRESENTATION, input.desc, 0, this.#handle, output.desc, attributes, expiry],
    );
    check(status, 'context');
    this.#isBegun = true;
    const address = addressAt(output.buffers, 0);
    const next = library.bytesAt(address, lengthAt(output.buffers, 0));
    if (address !== 0n) library.call.FreeContextBuffer(address);
    const isComplete = status !== CONTINUE_NEEDED;
    const given = numberIn(attributes);
    const state = (given & 31) + ((given & RET_INTEGRITY) === 0 ? 0 : GSS_INTEGRITY);
    return { token: next, state: { isComplete, flags: state, encryption: isComplete ? this.#encryption() : 0 } };
  }

  seal(bytes: Uint8Array): { header: Uint8Array; padding: Uint8Array } {
    const sizes = this.#sizes();
    const header = cells(numberIn(sizes, LAYOUT.sizes.securityTrailer));
    const padding = cells(numberIn(sizes, LAYOUT.sizes.blockSize));
    const { desc, buffers } = messageCells(this.#library, [
      [BUFFER.token, header],
      [BUFFER.data, bytes],
      [BUFFER.padding, padding],
    ]);
    check(this.#library.call.EncryptMessage(this.#handle, 0, desc, 0), 'message');
    return { header: header.subarray(0, lengthAt(buffers, 0)), padding: padding.subarray(0, lengthAt(buffers, 2)) };
  }

  unseal(bytes: Uint8Array): Uint8Array {
    const { desc, buffers } = messageCells(this.#library, [
      [BUFFER.stream, bytes],
      [BUFFER.data, new Uint8Array()],
    ]);
    const quality = cells(4);
    check(this.#library.call.DecryptMessage(this.#handle, desc, 0, quality), 'message');
    if (numberIn(quality) === NOT_ENCRYPTED)
      throw new KerberosRefusal({ stage: 'message', major: 0, minor: 0, text: 'the message was not encrypted' });
    const start = Number(addressAt(buffers, 1) - this.#library.addressOf(bytes));
    return bytes.subarray(start, start + lengthAt(buffers, 1));
  }

  sign(bytes: Uint8Array): Uint8Array {
    const token = cells(numberIn(this.#sizes(), LAYOUT.sizes.maxSignature));
    const { desc, buffers } = messageCells(this.#library, [
      [BUFFER.data, bytes],
      [BUFFER.token, token],
    ]);
    check(this.#library.call.MakeSignature(this.#handle, 0, desc, 0), 'message');
    return token.subarray(0, lengthAt(buffers, 1));
  }

  verify(signature: Uint8Array, bytes: Uint8Array): void {
    const { desc } = messageCells(this.#library, [
      [BUFFER.data, bytes],
      [BUFFER.token, signature],
    ]);
    check(this.#library.call.VerifySignature(this.#handle, desc, 0, cells(4)), 'message');
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isBegun) this.#library.call.DeleteSecurityContext(this.#handle);
  }

  #sizes(): Uint8Array {
    const cell = cells(LAYOUT.sizes.size);
    check(this.#library.call.QueryContextAttributesW(this.#handle, ATTRIBUTE.sizes, cell), 'message');
    return cell;
  }

  /** Number of RFC 3961; 0 when it is not told. */
  #encryption(): number {
    const { size, signatureName, encryptName, encryptAlgorithm } = LAYOUT.keyInfo;
    const cell = cells(size);
    const { QueryContextAttributesW: query, FreeContextBuffer: free } = this.#library.call;
    if (query(this.#handle, ATTRIBUTE.keyInfo, cell) !== 0) return 0;
    for (const at of [signatureName, encryptName]) if (pointerIn(cell, at) !== 0n) free(pointerIn(cell, at));
    return numberIn(cell, encryptAlgorithm);
  }

  #callAsync(name: keyof typeof FUNCTIONS, ...values: readonly Value[]): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#library.call[name].async(...values, (error: Error | null, result: number) =>
        error === null ? resolve(result) : reject(error),
      );
    });
  }
}

/** Kerberos of Windows, by a library that is loaded. */
export const sspiMechanism = (library: SspiLibrary): Mechanism => ({
  async getTickets(source: TicketSource, password: Uint8Array): Promise<MechanismTickets> {
    const isOwn = source.kind === 'ccache' && source.name === PROCESS_ACCOUNT;
    if (source.kind !== 'password' && !isOwn)
      throw new KerberosRefusal({ stage: 'tickets', major: 0, minor: 0, text: `no ${source.kind} on Windows` });
    // Without the NUL that GSSAPI wants behind it.
    const identity =
      source.kind === 'password' ? identityCell(library, source.principal, password.subarray(0, -1)) : null;
    const [credential, expiry] = [cells(LAYOUT.secHandle.size), cells(8)];
    const { AcquireCredentialsHandleW: acquire } = library.call;
    check(acquire(null, PACKAGE, OUTBOUND, null, identity, null, null, credential, expiry), 'tickets');
    const kept = identity === null ? [] : [identity];
    return {
      // SSPI renews tickets by itself.
      lifetimeS: 8 * 3600,
      begin: (options) => new SspiContext(library, credential, options),
      forget: () => {
        library.call.FreeCredentialsHandle(credential);
        for (const cell of kept) cell.fill(0);
      },
    };
  },
});

/** @throws Error that says what is missing */
export function loadSspi(): SspiLibrary {
  // INVARIANT: structures are written here as 64-bit little-endian machines lay them out.
  if (process.arch !== 'x64' && process.arch !== 'arm64') throw new Error(`no Kerberos on ${process.arch}`);
  let koffi: typeof koffiModule;
  try {
    koffi = createRequire(import.meta.url)('koffi') as typeof koffi;
  } catch {
    throw new Error('the package koffi is not installed');
  }
  const dll = koffi.load('secur32.dll');
  const functions: Record<string, Bound> = {};
  for (const [name, signature] of Object.entries<string>(FUNCTIONS)) {
    const [result = 'i', parameters = ''] = signature.split(' ');
    const typeOf = (letter: string): string => TYPES[letter] ?? 'void *';
    functions[name] = dll.func(name, typeOf(result), Array.from(parameters, typeOf)) as Bound;
  }
  const call = functions as SspiLibrary['call'];
  return {
    call,
    addressOf: (bytes) => koffi.address(bytes),
    bytesAt: (address, length) =>
      length === 0 ? new Uint8Array() : new Uint8Array(koffi.view(address, length)).slice(),
  };
}
