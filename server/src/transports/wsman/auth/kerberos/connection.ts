/** One connection being signed in with Kerberos: tokens out, tokens in, and the sealing that comes of it. */
import { SallyportError } from '../../../../errors.ts';
import { findChallenge } from '../challenges.ts';
import type { ConnectionSignIn, MessageSealing, SealedPart, SignInAnswer, SignInStep } from '../contract.ts';
import { KerberosError } from './errors.ts';
import type { ContextState, Delegation } from './messages.ts';
import type { Identified, KerberosRun } from './process.ts';
import type { ContextSigner, TokenWrapping } from './wrapping.ts';

/** Without these a context is worth nothing here: mutual 2, confidentiality 16, integrity 32. RFC 2744 section 5.19. */
const NEEDED_FLAGS = 2 + 16 + 32;
/** GSS_C_DELEG_FLAG: the server has got a ticket of the user. */
const DELEGATED_FLAG = 1;
/** AES of RFC 3962 and RFC 8009, by number. Anything else is refused. */
const ENCRYPTION: ReadonlyMap<number, string> = new Map([
  [17, 'AES-128'],
  [18, 'AES-256'],
  [19, 'AES-128, SHA-2'],
  [20, 'AES-256, SHA-2'],
]);
/** One round trip is the rule; more are clocks being set and lists of mechanisms being confirmed. */
const MAX_LEGS = 6;
/** The longest body of WinRM here is 2 MiB; the frame to the process takes more. */
const MAX_PART = 4 * 1024 * 1024;

export interface ConnectionOptions {
  readonly scheme: 'Kerberos' | 'Negotiate';
  readonly wrapping: TokenWrapping;
  /** Host-based name, `HTTP@host`. */
  readonly service: string;
  readonly delegation: Delegation;
  readonly isTls: boolean;
  readonly binding: Uint8Array | null;
  readonly deadlineMs: number;
  /** Tickets of the identity. @throws SallyportError */
  identify(signal: AbortSignal): Promise<Identified>;
}

/** A context in the Kerberos process. */
export class ContextHandle implements ContextSigner {
  readonly run: KerberosRun;
  readonly context: number;
  #isOver = false;

  constructor(run: KerberosRun) {
    this.run = run;
    this.context = run.newHandle();
  }

  /** @throws SallyportError wsman_seal_broken, target_lost; the context is worth nothing then */
  async message(
    op: 'seal' | 'unseal' | 'sign',
    body: readonly Uint8Array[],
  ): Promise<{ header: number; body: Uint8Array }> {
    if (this.#isOver) throw new SallyportError('target_lost', 'the kerberos context is over');
    try {
      const { answer, body: bytes } = await this.run.request({ op, context: this.context }, body);
      return { header: answer.header ?? 0, body: bytes };
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async sign(bytes: Uint8Array): Promise<Uint8Array> {
    return (await this.message('sign', [bytes])).body;
  }

  /** @throws SallyportError wsman_seal_broken */
  async verify(signature: Uint8Array, bytes: Uint8Array): Promise<void> {
    await this.run.request({ op: 'verify', context: this.context, signature: signature.length }, [signature, bytes]);
  }

  /** Idempotent. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.run.tell({ op: 'end', context: this.context });
  }
}

class KerberosSealing implements MessageSealing {
  readonly protocol: string;
  readonly label: string;
  readonly maxPart = MAX_PART;
  readonly #handle: ContextHandle;

  constructor(handle: ContextHandle, scheme: 'Kerberos' | 'Negotiate', encryption: string) {
    this.#handle = handle;
    this.protocol = `application/HTTP-${scheme === 'Kerberos' ? 'Kerberos' : 'SPNEGO'}-session-encrypted`;
    this.label = `Kerberos sealed (${encryption})`;
  }

  async seal(plain: Uint8Array): Promise<SealedPart> {
    const { header, body } = await this.#handle.message('seal', [plain]);
    return { signature: body.subarray(0, header), sealed: body.subarray(header) };
  }

  async unseal({ signature, sealed }: SealedPart): Promise<Uint8Array> {
    return (await this.#handle.message('unseal', [signature, sealed])).body;
  }
}

/** Used for one TCP connection, once. */
export class KerberosConnection implements ConnectionSignIn {
  readonly #options: ConnectionOptions;
  #handle: ContextHandle | null = null;
  #state: ContextState = { isComplete: false, flags: 0, encryption: 0 };
  #legs = 0;
  #isClosed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  async next(answer: SignInAnswer | null, signal: AbortSignal): Promise<SignInStep> {
    try {
      return this.#handle === null
        ? await this.#begin(answer, signal)
        : await this.#answered(answer, this.#handle, signal);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#handle?.close();
  }

  /** A server that was asked must have offered the scheme; one that was not is told at once, which saves a round trip. */
  async #begin(answer: SignInAnswer | null, signal: AbortSignal): Promise<SignInStep> {
    const { scheme, service, delegation, binding, deadlineMs, wrapping } = this.#options;
    if (answer?.status === 401 && findChallenge(answer.challenges, scheme) === null) throw this.#notOffered();
    const { run, identity } = await this.#options.identify(signal);
    this.#refuseIfClosed();
    const handle = (this.#handle = new ContextHandle(run));
    const { context } = handle;
    const body = [binding ?? new Uint8Array()];
    const limits = { deadlineMs, signal };
    const reply = await run.request({ op: 'begin', context, identity, service, delegation }, body, limits);
    this.#refuseIfClosed();
    this.#learn(reply.answer.state);
    return this.#send(wrapping.first(reply.body));
  }

  async #answered(answer: SignInAnswer | null, handle: ContextHandle, signal: AbortSignal): Promise<SignInStep> {
    if (answer === null) throw new SallyportError('bad_state', 'kerberos: the answer is missing');
    const challenge = findChallenge(answer.challenges, this.#options.scheme);
    if (challenge === null || challenge.token === null) throw this.#refusedBy(answer, challenge !== null);
    const { inner, isRejected } = this.#options.wrapping.open(challenge.token);
    let token: Uint8Array = new Uint8Array();
    if (inner !== null && !this.#state.isComplete) token = await this.#step(handle, inner, signal);
    // After the step: a rejection may carry Kerberos' own reason.
    if (isRejected) throw this.#refusedBy({ ...answer, status: 401 }, true);
    const next = await this.#options.wrapping.next(token, this.#state.isComplete ? handle : null);
    if (answer.status === 401) {
      if (next === null) throw this.#refusedBy(answer, true);
      return this.#send(next);
    }
    if (!this.#state.isComplete || next !== null)
      throw new SallyportError('wsman_server_unproven', 'kerberos: the server ended the exchange early');
    return this.#done(handle);
  }

  async #step(handle: ContextHandle, token: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    const { deadlineMs } = this.#options;
    try {
      const reply = await handle.run.request({ op: 'step', context: handle.context }, [token], { deadlineMs, signal });
      this.#refuseIfClosed();
      this.#learn(reply.answer.state);
      return reply.body;
    } catch (error) {
      if (error instanceof KerberosError && error.isGeneric && this.#isBound) throw this.#bindingRefused(error);
      throw error;
    }
  }

  get #isBound(): boolean {
    return this.#options.isTls && this.#options.binding !== null;
  }

  #bindingRefused(cause?: Error): SallyportError {
    const text = 'the target refused the ticket over this TLS connection';
    return new SallyportError('wsman_binding_refused', text, { cause });
  }

  #send(token: Uint8Array): SignInStep {
    this.#legs += 1;
    if (this.#legs > MAX_LEGS) throw new SallyportError('kerberos_failed', 'kerberos: the exchange does not end');
    const text = Buffer.from(token.buffer, token.byteOffset, token.length).toString('base64');
    return { kind: 'send', authorization: `${this.#options.scheme} ${text}` };
  }

  #done(handle: ContextHandle): SignInStep {
    const { flags, encryption } = this.#state;
    if ((flags & NEEDED_FLAGS) !== NEEDED_FLAGS)
      throw new SallyportError('wsman_server_unproven', `kerberos: the context lacks protection (${flags})`);
    const name = ENCRYPTION.get(encryption);
    if (name === undefined)
      throw new SallyportError('kerberos_failed', `kerberos: encryption type ${encryption} is not allowed`);
    const sealing = new KerberosSealing(handle, this.#options.scheme, name);
    return { kind: 'done', session: { mechanism: 'Kerberos', sealing, isDelegated: (flags & DELEGATED_FLAG) !== 0 } };
  }

  #learn(state: ContextState | undefined): void {
    if (state !== undefined) this.#state = state;
  }

  #refuseIfClosed(): void {
    if (this.#isClosed) throw new SallyportError('cancelled', 'kerberos: closed');
  }

  #notOffered(): SallyportError {
    return new SallyportError('wsman_method_disabled', `the target does not offer ${this.#options.scheme}`);
  }

  /** An answer without a token, after ours. The KDC has accepted the account before, so the password is right. */
  #refusedBy({ status }: SignInAnswer, isOffered: boolean): SallyportError {
    if (status === 401 && !isOffered && this.#legs === 1) return this.#notOffered();
    if (status === 401 && this.#isBound) return this.#bindingRefused();
    if (status === 401) return new SallyportError('target_auth_failed', 'the target refused the ticket');
    if (status === 403) return new SallyportError('wsman_access_denied', 'the target answered 403');
    if (status >= 200 && status < 300)
      return new SallyportError('wsman_server_unproven', 'the target took the ticket and did not prove itself');
    return new SallyportError('wsman_not_winrm', `the target answered the sign-in with ${status}`);
  }
}
