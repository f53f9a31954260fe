/** CredSSP over HTTP: TLS in tokens, a sign-in inside it, and the password handed over. winrm-auth.md section 8. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  CREDSSP_MIN_VERSION,
  CREDSSP_NONCE_BYTES,
  decodeTsRequest,
  derLength,
  encodeTsCredentials,
  encodeTsRequest,
  publicKeyBinding,
  splitUser,
} from '@sallyport/wsman';
import type { TsRequest } from '@sallyport/wsman';
import type { ErrorCode } from '@sallyport/shared/error-codes';
import { systemClock } from '../../../clock.ts';
import { SallyportError } from '../../../errors.ts';
import type { Secret } from '../../../secret.ts';
import { findChallenge } from './challenges.ts';
import type { ConnectionSignIn, HttpSignIn, MessageSealing, SealedPart, SignInAnswer, SignInPlace, SignInStep } from './contract.ts'; // prettier-ignore
import { KerberosInner, NtlmInner } from './credssp-inner.ts';
import type { InnerContext } from './credssp-inner.ts';
import { named } from './named.ts';
import { FALLS_BACK, isKerberosName } from './negotiate.ts';
import { MAX_RECORD_PLAIN, TokenTls } from './token-tls.ts';

const SCHEME = 'CredSSP';
const PROTOCOL = 'application/HTTP-CredSSP-session-encrypted';
/** Of the exchange inside TLS. Kerberos and NTLM have three at most. */
const MAX_LEGS = 6;

/** What a server says of a sign-in that failed. MS-ERREF 2.3.1 NTSTATUS Values. */
const STATUS: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [0xc000006e, 'target_account_locked'], // restriction
  [0xc0000072, 'target_account_locked'], // disabled
  [0xc0000234, 'target_account_locked'],
  [0xc0000071, 'password_expired'],
  [0xc0000224, 'password_expired'], // must change
]);

/** Who signs in, whether the password may be handed over, and what the caller knows of the target. */
export interface CredSspOptions {
  /** As typed. */
  readonly user: string;
  /** Stays the caller's. */
  readonly password: Secret;
  /** An administrator allows it for this target, and a person confirmed it for this session. */
  readonly isDelegationAllowed: boolean;
  /** HTTPS stands around it and proves the target. */
  readonly isAuthenticated: boolean;
  /** NTLM may be spoken inside although nothing proves the target. */
  readonly isTrusted: boolean;
  /** Kerberos with scheme Negotiate for the service below; null where it cannot be. */
  readonly kerberos: HttpSignIn | null;
  /** First part of the service name inside; `WSMAN` when absent, as the delegation policies of Windows name it. */
  readonly service?: string;
  readonly now?: () => number;
}

class CredSspSealing implements MessageSealing {
  readonly protocol = PROTOCOL;
  readonly label: string;
  readonly maxPart = MAX_RECORD_PLAIN;
  readonly #tls: TokenTls;

  constructor(tls: TokenTls, mechanism: string) {
    this.#tls = tls;
    this.label = `CredSSP sealed (${tls.version.replace('TLSv', 'TLS ')}, ${mechanism} inside)`;
  }

  async seal(plain: Uint8Array): Promise<SealedPart> {
    const records = await this.#tls.write(plain);
    const at = this.#tls.trailerBytes(plain.length);
    return { signature: records.subarray(0, at), sealed: records.subarray(at) };
  }

  async unseal({ signature, sealed }: SealedPart): Promise<Uint8Array> {
    const plain = await this.#tls.read(Buffer.concat([signature, sealed]));
    if (plain.length === 0) throw new SallyportError('wsman_seal_broken', 'a sealed part with nothing in it');
    return plain;
  }
}

const sha256 = (...parts: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** The exchange on one connection. The password leaves only in its last message, after the server has proved its key. */
class CredSspConnection implements ConnectionSignIn {
  readonly #options: CredSspOptions;
  readonly #place: SignInPlace;
  readonly #nonce = randomBytes(CREDSSP_NONCE_BYTES);
  #tls: TokenTls | null = null;
  #inner: InnerContext | null = null;
  #state: 'tls' | 'signing-in' | 'binding' | 'delegated' = 'tls';
  #legs = 0;
  #isClosed = false;

  constructor(options: CredSspOptions, place: SignInPlace) {
    this.#options = options;
    this.#place = place;
  }

  async next(answer: SignInAnswer | null, signal: AbortSignal): Promise<SignInStep> {
    try {
      if (this.#isClosed || signal.aborted) throw new SallyportError('cancelled', 'credssp: cancelled');
      return answer === null ? await this.#begin(signal) : await this.#answered(answer, signal);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#inner?.close();
    this.#tls?.close();
  }

  async #begin(signal: AbortSignal): Promise<SignInStep> {
    if (!this.#options.isDelegationAllowed)
      throw new SallyportError('credssp_not_allowed', `credssp to ${this.#place.host}: delegation is not allowed`);
    this.#tls = new TokenTls();
    return send((await this.#tls.handshake(null, signal)).flight);
  }

  async #answered(answer: SignInAnswer, signal: AbortSignal): Promise<SignInStep> {
    const tls = this.#tls;
    if (tls === null) throw new SallyportError('wsman_server_unproven', 'credssp: an answer before a question');
    const token = this.#tokenOf(answer);
    switch (this.#state) {
      case 'tls':
        return this.#handshake(tls, token, signal);
      case 'signing-in':
        return this.#signIn(tls, await this.#read(tls, token), signal);
      case 'binding':
        return this.#delegate(tls, await this.#read(tls, token), signal);
      case 'delegated':
        return this.#finish(tls, answer);
    }
  }

  /** @returns the token of the answer; empty when there is none and none is needed */
  #tokenOf({ status, challenges }: SignInAnswer): Uint8Array {
    const offer = findChallenge(challenges, SCHEME);
    if (offer !== null && offer.token !== null) return offer.token;
    const isOver = this.#state === 'delegated' || (this.#state === 'tls' && this.#tls?.isSecure === true);
    if (status === 401 && offer === null && this.#state === 'tls')
      throw new SallyportError('wsman_method_disabled', 'the target does not offer CredSSP');
    if (isOver) return new Uint8Array();
    if (status === 401 && this.#state === 'tls')
      throw new SallyportError('wsman_method_disabled', 'the target offers CredSSP and does not answer it');
    if (status === 401) throw new SallyportError('target_auth_failed', 'the target refused the credential, once');
    if (status === 403) throw new SallyportError('wsman_access_denied', 'HTTP status 403 to the sign-in');
    throw new SallyportError('wsman_server_unproven', `credssp: HTTP status ${status}, no token`);
  }

  async #handshake(tls: TokenTls, token: Uint8Array, signal: AbortSignal): Promise<SignInStep> {
    if (!tls.isSecure) {
      const { flight, isOver } = await tls.handshake(token, signal);
      // The last flight of TLS 1.3 goes on its own.
      if (flight.length > 0 || !isOver) return this.#leg(flight);
    } else if (token.length > 0 && (await tls.read(token)).length > 0) {
      throw new SallyportError('wsman_server_unproven', 'credssp: the target speaks before it is asked');
    }
    this.#state = 'signing-in';
    return this.#say(tls, { negoToken: await this.#beginInner(signal) });
  }

  /** Kerberos where it can be, else NTLM by its rule. Nothing made from the password has been sent yet. */
  async #beginInner(signal: AbortSignal): Promise<Uint8Array> {
    const { kerberos, service = 'WSMAN', user, password, now = () => systemClock.now() } = this.#options;
    const { host, isTls } = this.#place;
    if (kerberos !== null && isKerberosName(host)) {
      const inner = (this.#inner = new KerberosInner(kerberos, this.#place));
      try {
        return await inner.begin(signal);
      } catch (error) {
        inner.close();
        if (!(error instanceof SallyportError) || !FALLS_BACK.includes(error.code)) throw error;
      }
    }
    if (!this.#options.isTrusted && !(isTls && this.#options.isAuthenticated))
      throw new SallyportError('ntlm_not_trusted', `ntlm inside credssp to ${host}: nothing proves who the target is`);
    const inner = (this.#inner = new NtlmInner(user, password, `${service}/${host}`, now));
    return inner.begin();
  }

  async #signIn(tls: TokenTls, { negoToken }: TsRequest, signal: AbortSignal): Promise<SignInStep> {
    const inner = this.#open();
    if (negoToken === null)
      throw new SallyportError('wsman_server_unproven', 'credssp: the target leaves the sign-in out');
    const { token, isLast } = await inner.step(negoToken, signal);
    if (!isLast) return this.#say(tls, { negoToken: token });
    this.#state = 'binding';
    const binding = publicKeyBinding(sha256, 'client', this.#nonce, tls.publicKey);
    return this.#say(tls, { negoToken: token, pubKeyAuth: await inner.wrap(binding), clientNonce: this.#nonce });
  }

  /** The server proves that it ends this TLS, and only then gets the password. */
  async #delegate(tls: TokenTls, { negoToken, pubKeyAuth }: TsRequest, signal: AbortSignal): Promise<SignInStep> {
    const inner = this.#open();
    if (pubKeyAuth === null) throw new SallyportError('credssp_relayed', 'credssp: the target does not bind its key');
    if (negoToken !== null) await inner.finish(negoToken, signal);
    const said = await inner.unwrap(pubKeyAuth);
    const due = publicKeyBinding(sha256, 'server', this.#nonce, tls.publicKey);
    if (said.length !== due.length || !timingSafeEqual(said, due))
      throw new SallyportError('credssp_relayed', 'credssp: the target has another key than this connection');
    this.#state = 'delegated';
    const credentials = encodeTsCredentials({
      ...splitUser(this.#options.user),
      password: this.#options.password.reveal(),
    });
    const authInfo = await inner.wrap(credentials);
    credentials.fill(0);
    return this.#say(tls, { authInfo });
  }

  async #finish(tls: TokenTls, answer: SignInAnswer): Promise<SignInStep> {
    const token = findChallenge(answer.challenges, SCHEME)?.token ?? null;
    // TLS counts its records: none may be left out, even one that says nothing.
    if (token !== null && answer.status === 401) await this.#read(tls, token);
    else if (token !== null) await tls.read(token);
    if (answer.status === 401) throw new SallyportError('target_auth_failed', 'the target refused what was delegated');
    if (answer.status === 403) throw new SallyportError('wsman_access_denied', 'HTTP status 403 after the sign-in');
    if (answer.status !== 200)
      throw new SallyportError('wsman_server_unproven', `credssp: HTTP status ${answer.status} at the end`);
    return {
      kind: 'done',
      session: { mechanism: 'CredSSP', sealing: new CredSspSealing(tls, this.#open().mechanism) },
    };
  }

  #open(): InnerContext {
    if (this.#inner === null) throw new SallyportError('wsman_server_unproven', 'credssp: no sign-in inside');
    return this.#inner;
  }

  /** One message out of the records of a token. @throws SallyportError for an error or an old version in it */
  async #read(tls: TokenTls, token: Uint8Array): Promise<TsRequest> {
    const plain = await tls.read(token);
    if (named(() => derLength(plain)) !== plain.length)
      throw new SallyportError('wsman_malformed', 'credssp: not one whole message in a token');
    const request = named(() => decodeTsRequest(plain));
    if (request.errorCode !== null) {
      const code = STATUS.get(request.errorCode) ?? 'target_auth_failed';
      throw new SallyportError(code, `credssp: the target says 0x${request.errorCode.toString(16)}`);
    }
    if (request.version < CREDSSP_MIN_VERSION)
      throw new SallyportError('credssp_version', `credssp: the target speaks version ${request.version}`);
    return request;
  }

  async #say(tls: TokenTls, request: Partial<TsRequest>): Promise<SignInStep> {
    return this.#leg(await tls.write(encodeTsRequest(request)));
  }

  #leg(token: Uint8Array): SignInStep {
    this.#legs += 1;
    if (this.#legs > 2 * MAX_LEGS)
      throw new SallyportError('wsman_server_unproven', 'credssp: the exchange does not end');
    return send(token);
  }
}

const send = (token: Uint8Array): SignInStep => ({
  kind: 'send',
  authorization: `${SCHEME} ${Buffer.from(token).toString('base64')}`,
});

/**
 * CredSSP with one identity. The target gets the password, and can use it anywhere as long as it keeps it.
 * @throws SallyportError (from `next`) credssp_not_allowed, credssp_version, credssp_relayed, ntlm_not_trusted, tls_failed,
 * wsman_method_disabled, target_auth_failed, target_account_locked, password_expired, wsman_server_unproven
 */
export const credSspSignIn = (options: CredSspOptions): HttpSignIn => ({
  begin: (place) => new CredSspConnection(options, place),
  close: async () => options.kerberos?.close(),
});
