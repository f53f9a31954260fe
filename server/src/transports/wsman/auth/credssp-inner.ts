/** What proves the user inside CredSSP: NTLM, or Kerberos through whoever speaks it. */
import { decodeNegTokenResp, NEG_STATE, ntHash, splitUser, SpnegoNtlmClient } from '@sallyport/wsman';
import type { NtlmSession } from '@sallyport/wsman';
import { SallyportError } from '../../../errors.ts';
import type { Secret } from '../../../secret.ts';
import type { ConnectionSignIn, HttpSignIn, MessageSealing, SignInPlace, SignInStep } from './contract.ts';
import { ntlmPrimitives } from './md5.ts';
import { named } from './named.ts';

/** A token to send, and whether the key is known with it: then the public key is bound in the same message. */
export interface InnerStep {
  readonly token: Uint8Array | null;
  readonly isLast: boolean;
}

/** One context inside CredSSP. */
export interface InnerContext {
  readonly mechanism: 'NTLM' | 'Kerberos';
  begin(signal: AbortSignal): Promise<Uint8Array>;
  step(token: Uint8Array, signal: AbortSignal): Promise<InnerStep>;
  /** The token that comes back with the server's binding. @throws SallyportError when it proves nothing */
  finish(token: Uint8Array, signal: AbortSignal): Promise<void>;
  wrap(plain: Uint8Array): Promise<Uint8Array>;
  /** @throws SallyportError wsman_seal_broken */
  unwrap(token: Uint8Array): Promise<Uint8Array>;
  close(): void;
}

const refused = (): SallyportError =>
  new SallyportError('target_auth_failed', 'the target refused the credential, once');
/** Before a wrapped token of NTLM. */
const NTLM_SIGNATURE = 16;

/** NTLM: the last token goes with the binding, and the server's code comes with its own. */
export class NtlmInner implements InnerContext {
  readonly mechanism = 'NTLM';
  readonly #client: SpnegoNtlmClient;
  readonly #password: Secret;
  #session: NtlmSession | null = null;

  constructor(user: string, password: Secret, targetName: string, now: () => number) {
    const primitives = ntlmPrimitives(now);
    this.#password = password;
    this.#client = new SpnegoNtlmClient(primitives, {
      ...splitUser(user),
      workstation: '',
      targetName,
      bindingHash: null,
    });
  }

  async begin(): Promise<Uint8Array> {
    return this.#client.begin();
  }

  async step(token: Uint8Array): Promise<InnerStep> {
    const hash = ntHash(this.#password.reveal());
    const step = named(() => this.#client.challenged(token, hash));
    hash.fill(0);
    if (step.kind !== 'send') throw refused();
    this.#session = this.#client.proved;
    return { token: step.token, isLast: true };
  }

  async finish(token: Uint8Array): Promise<void> {
    if (named(() => this.#client.finished(token)).kind !== 'done') throw refused();
  }

  async wrap(plain: Uint8Array): Promise<Uint8Array> {
    const { signature, sealed } = named(() => this.#open().seal(plain));
    return Buffer.concat([signature, sealed]);
  }

  async unwrap(token: Uint8Array): Promise<Uint8Array> {
    const part = { signature: token.subarray(0, NTLM_SIGNATURE), sealed: token.subarray(NTLM_SIGNATURE) };
    return named(() => this.#open().unseal(part));
  }

  close(): void {
    this.#client.close();
    this.#session?.close();
  }

  #open(): NtlmSession {
    if (this.#session === null) throw new SallyportError('wsman_server_unproven', 'no session inside credssp');
    return this.#session;
  }
}

/** A Kerberos sign-in with scheme Negotiate, its tokens carried here in place of HTTP. */
export class KerberosInner implements InnerContext {
  readonly mechanism = 'Kerberos';
  readonly #connection: ConnectionSignIn;
  #sealing: MessageSealing | null = null;

  /** Inside CredSSP nothing is bound to TLS but the public key, later. */
  constructor(signIn: HttpSignIn, place: SignInPlace) {
    this.#connection = signIn.begin({ ...place, channelBinding: null });
  }

  async begin(signal: AbortSignal): Promise<Uint8Array> {
    const { token } = this.#taken(await this.#connection.next(null, signal));
    if (token === null) throw new SallyportError('kerberos_failed', 'kerberos: no first token');
    return token;
  }

  async step(token: Uint8Array, signal: AbortSignal): Promise<InnerStep> {
    const isFinal = named(() => decodeNegTokenResp(token)).state === NEG_STATE.completed;
    const challenges = [`Negotiate ${Buffer.from(token).toString('base64')}`];
    return this.#taken(await this.#connection.next({ status: isFinal ? 200 : 401, challenges }, signal));
  }

  async finish(token: Uint8Array, signal: AbortSignal): Promise<void> {
    if (this.#sealing === null) await this.step(token, signal);
  }

  /** The parts of a sealed message joined are a token that is rotated as RFC 4121 section 4.2.5 allows. */
  async wrap(plain: Uint8Array): Promise<Uint8Array> {
    const { signature, sealed } = await this.#open().seal(plain);
    return Buffer.concat([signature, sealed]);
  }

  async unwrap(token: Uint8Array): Promise<Uint8Array> {
    return this.#open().unseal({ signature: token, sealed: new Uint8Array() });
  }

  close(): void {
    this.#connection.close();
  }

  #taken(step: SignInStep): InnerStep {
    if (step.kind === 'send') {
      return { token: Buffer.from(step.authorization.replace(/^\S+ /, ''), 'base64'), isLast: false };
    }
    this.#sealing = step.session.sealing;
    return { token: null, isLast: true };
  }

  #open(): MessageSealing {
    if (this.#sealing === null) throw new SallyportError('wsman_server_unproven', 'no session inside credssp');
    return this.#sealing;
  }
}
