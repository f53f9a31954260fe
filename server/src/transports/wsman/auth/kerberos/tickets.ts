/**
 * First tickets, got with a password or a keytab, into a cache in memory that belongs to one identity. The krb5 calls are
 * used rather than gss_acquire_cred_with_password because they say exactly what the KDC refused, let go of the password as
 * soon as the ticket is there, and leave a ticket that many connections share.
 */
import type { Library, Value } from './library.ts';
import type { TicketSource } from './messages.ts';
import { KerberosRefusal, cString, cells, pointerIn } from './native.ts';

/** More than `krb5_creds` takes on any machine (136 bytes on 64 bits). */
const CREDENTIALS_BYTES = 512;

/** One identity. `cache` names the tickets for gss_acquire_cred_from. */
export interface Tickets {
  readonly cache: string;
  /** Removes the tickets from memory; leaves a cache alone that is not ours. */
  forget(): void;
}

/** One krb5 context with what was made in it; freed in the opposite order. */
class Krb5 {
  readonly #library: Library;
  readonly #context: bigint;
  readonly #undo: (() => void)[] = [];

  constructor(library: Library) {
    this.#library = library;
    const out = cells(8);
    const code = library.call.krb5_init_context(out);
    if (code !== 0) throw new KerberosRefusal({ stage: 'tickets', major: 0, minor: code, text: 'krb5_init_context' });
    this.#context = pointerIn(out);
  }

  get context(): bigint {
    return this.#context;
  }

  /** @throws KerberosRefusal with the library's own text */
  check(code: number): void {
    if (code === 0) return;
    const { krb5_get_error_message: message, krb5_free_error_message: free } = this.#library.call;
    const at = message(this.#context, code) as unknown as bigint | null;
    const text = at === null ? '' : this.#library.textAt(at);
    free(this.#context, at);
    throw new KerberosRefusal({ stage: 'tickets', major: 0, minor: code, text });
  }

  /** A call that leaves a pointer. @param free how it is given back */
  make(call: (out: Uint8Array) => number, free: (pointer: bigint) => void): bigint {
    const out = cells(8);
    this.check(call(out));
    const pointer = pointerIn(out);
    this.#undo.push(() => free(pointer));
    return pointer;
  }

  close(): void {
    for (const undo of this.#undo.reverse()) undo();
    this.#library.call.krb5_free_context(this.#context);
  }
}

function emptyCache(library: Library): string {
  const krb5 = new Krb5(library);
  const { call } = library;
  const { context } = krb5;
  try {
    const kind = cString('MEMORY');
    const cache = krb5.make(
      (out) => call.krb5_cc_new_unique(context, kind, null, out),
      (pointer) => call.krb5_cc_close(context, pointer),
    );
    const name = krb5.make(
      (out) => call.krb5_cc_get_full_name(context, cache, out),
      (pointer) => call.krb5_free_string(context, pointer),
    );
    return library.textAt(name);
  } finally {
    krb5.close();
  }
}

function destroyCache(library: Library, name: string): void {
  const krb5 = new Krb5(library);
  const out = cells(8);
  const { call } = library;
  if (call.krb5_cc_resolve(krb5.context, cString(name), out) === 0) call.krb5_cc_destroy(krb5.context, pointerIn(out));
  krb5.close();
}

async function fill(
  library: Library,
  cacheName: string,
  source: Exclude<TicketSource, { kind: 'ccache' }>,
  password: Uint8Array,
): Promise<void> {
  const krb5 = new Krb5(library);
  const { call } = library;
  const { context } = krb5;
  const made = cells(CREDENTIALS_BYTES);
  try {
    const principal = krb5.make(
      (out) => call.krb5_parse_name(context, cString(source.principal), out),
      (pointer) => call.krb5_free_principal(context, pointer),
    );
    const cache = krb5.make(
      (out) => call.krb5_cc_resolve(context, cString(cacheName), out),
      (pointer) => call.krb5_cc_close(context, pointer),
    );
    const options = krb5.make(
      (out) => call.krb5_get_init_creds_opt_alloc(context, out),
      (pointer) => call.krb5_get_init_creds_opt_free(context, pointer),
    );
    call.krb5_get_init_creds_opt_set_forwardable(options, source.isForwardable ? 1 : 0);
    call.krb5_get_init_creds_opt_set_proxiable(options, 0);
    krb5.check(call.krb5_get_init_creds_opt_set_out_ccache(context, options, cache));
    const rest: Value[] = [0, null, options];
    if (source.kind === 'password') {
      // Without a prompter the library asks for nothing: an expired password is an error, not a dialog.
      const values = [context, made, principal, password, null, null, ...rest];
      krb5.check(await library.callAsync('krb5_get_init_creds_password', ...values));
    } else {
      const keytab = krb5.make(
        (out) => call.krb5_kt_resolve(context, cString(source.file), out),
        (pointer) => call.krb5_kt_close(context, pointer),
      );
      krb5.check(await library.callAsync('krb5_get_init_creds_keytab', context, made, principal, keytab, ...rest));
    }
    call.krb5_free_cred_contents(context, made);
  } finally {
    krb5.close();
  }
}

/**
 * Signs in at the KDC, where the source is no cache already.
 * @param password for a source of that kind: NUL-terminated; the caller wipes it
 * @throws KerberosRefusal
 */
export async function getTickets(library: Library, source: TicketSource, password: Uint8Array): Promise<Tickets> {
  if (source.kind === 'ccache') return { cache: source.name, forget: () => undefined };
  const cache = emptyCache(library);
  try {
    await fill(library, cache, source, password);
  } catch (error) {
    destroyCache(library, cache);
    throw error;
  }
  return { cache, forget: () => destroyCache(library, cache) };
}
