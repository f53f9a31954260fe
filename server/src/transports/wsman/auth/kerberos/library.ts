/**
 * The system's MIT Kerberos, called through koffi. Only the Kerberos process loads this: a fault in native code ends that
 * process and nothing else.
 */
import { writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import type koffiModule from 'koffi';

export type Value = bigint | number | Uint8Array | null;
type Call = (...values: readonly Value[]) => number;
type Bound = Call & { async(...values: unknown[]): void };

/** Parameters: p pointer, i int32, u uint32. Before them the result: i int32, v nothing, p pointer. */
const KRB5 = {
  krb5_init_context: 'i p',
  krb5_free_context: 'v p',
  krb5_parse_name: 'i ppp',
  krb5_free_principal: 'v pp',
  krb5_cc_new_unique: 'i pppp',
  krb5_cc_get_full_name: 'i ppp',
  krb5_cc_resolve: 'i ppp',
  krb5_cc_close: 'i pp',
  krb5_cc_destroy: 'i pp',
  krb5_free_string: 'v pp',
  krb5_kt_resolve: 'i ppp',
  krb5_kt_close: 'i pp',
  krb5_get_init_creds_opt_alloc: 'i pp',
  krb5_get_init_creds_opt_free: 'v pp',
  krb5_get_init_creds_opt_set_out_ccache: 'i ppp',
  krb5_get_init_creds_opt_set_forwardable: 'v pi',
  krb5_get_init_creds_opt_set_proxiable: 'v pi',
  krb5_get_init_creds_password: 'i ppppppipp',
  krb5_get_init_creds_keytab: 'i ppppipp',
  krb5_free_cred_contents: 'v pp',
  krb5_get_error_message: 'p pi',
  krb5_free_error_message: 'v pp',
} as const;
const GSS = {
  gss_import_name: 'u pppp',
  gss_release_name: 'u pp',
  gss_acquire_cred_from: 'u ppupipppp',
  gss_release_cred: 'u pp',
  gss_init_sec_context: 'u pppppuupppppp',
  gss_delete_sec_context: 'u ppp',
  gss_release_buffer: 'u pp',
  gss_display_status: 'u puippp',
  gss_wrap_iov_length: 'u ppiuppi',
  gss_wrap_iov: 'u ppiuppi',
  gss_unwrap_iov: 'u pppppi',
  gss_get_mic: 'u ppupp',
  gss_verify_mic: 'u ppppp',
  gss_inquire_sec_context_by_oid: 'u pppp',
  gss_release_buffer_set: 'u pp',
} as const;
const TYPES = { p: 'void *', i: 'int32', u: 'uint32', v: 'void' } as const;

type Functions = { readonly [name in keyof typeof KRB5 | keyof typeof GSS]: Bound };

export interface Library {
  readonly call: Functions;
  /** Calls on a thread of its own: for what goes over the network. The values live until it is done. */
  callAsync(name: keyof Functions, ...values: readonly Value[]): Promise<number>;
  /** Where the bytes lie. They must stay referenced while the native side knows the address. */
  addressOf(bytes: Uint8Array): bigint;
  textAt(address: bigint): string;
  /** A copy of native memory. */
  bytesAt(address: bigint, length: number): Uint8Array;
  /** Overwrites native memory. */
  wipeAt(address: bigint, length: number): void;
}

const isKey = (letter: string): letter is keyof typeof TYPES => Object.hasOwn(TYPES, letter);
const typeOf = (letter: string): string => (isKey(letter) ? TYPES[letter] : 'void');

/** Gone with the descriptor; and programs that are started do not get it. */
const MFD_CLOEXEC = 1;

/**
 * A file that is nowhere but in memory: the gateway may run where it can write to its data directory alone.
 * @returns the name under which this process may open it
 */
function fileInMemory(koffi: typeof koffiModule, text: string): string {
  const create = koffi.load('libc.so.6').func('memfd_create', 'int', ['str', 'uint']) as (name: string, flags: number) => number; // prettier-ignore
  const file = create('krb5.conf', MFD_CLOEXEC);
  if (file < 0) throw new Error('no memory for the configuration');
  writeSync(file, text);
  return `/proc/self/fd/${file}`;
}

const FILES = { krb5: 'libkrb5.so.3', gss: 'libgssapi_krb5.so.2' } as const;

/**
 * @param configuration text of a krb5.conf; empty = the file that KRB5_CONFIG names
 * @param files other names, for tests
 * @throws Error that says what is missing
 */
export function loadLibrary(
  configuration: string,
  files: Readonly<Record<keyof typeof FILES, string>> = FILES,
): Library {
  // INVARIANT: structures are written here as 64-bit little-endian machines lay them out.
  if (process.arch !== 'x64' && process.arch !== 'arm64') throw new Error(`no Kerberos on ${process.arch}`);
  if (process.platform !== 'linux') throw new Error(`no Kerberos on ${process.platform}`);
  let koffi: typeof koffiModule;
  try {
    koffi = createRequire(import.meta.url)('koffi') as typeof koffi;
  } catch {
    throw new Error('the package koffi is not installed');
  }
  if (configuration !== '') process.env['KRB5_CONFIG'] = fileInMemory(koffi, configuration);
  const functions: Record<string, Bound> = {};
  for (const [file, table] of [
    [files.krb5, KRB5],
    [files.gss, GSS],
  ] as const) {
    let library;
    try {
      library = koffi.load(file);
    } catch {
      throw new Error(`${file} is not installed (Debian: libgssapi-krb5-2)`);
    }
    for (const [name, signature] of Object.entries<string>(table)) {
      const [result = 'v', parameters = ''] = signature.split(' ');
      functions[name] = library.func(name, typeOf(result), Array.from(parameters, typeOf)) as Bound;
    }
  }
  const call = functions as Functions;
  return {
    call,
    callAsync: (name, ...values) =>
      new Promise((resolve, reject) => {
        const held = [...values];
        call[name].async(...held, (error: Error | null, result: number) => {
          // Held until here: nothing of it may be collected while the thread works.
          held.length = 0;
          if (error === null) resolve(result);
          else reject(error);
        });
      }),
    addressOf: (bytes) => koffi.address(bytes),
    textAt: (address) => koffi.decode.string(address),
    bytesAt: (address, length) =>
      length === 0 ? new Uint8Array() : new Uint8Array(koffi.view(address, length)).slice(),
    wipeAt: (address, length) => {
      if (length > 0) new Uint8Array(koffi.view(address, length)).fill(0);
    },
  };
}
