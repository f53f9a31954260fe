/** NTLMv2 inside SPNEGO over HTTP. winrm-auth.md sections 2, 3 and 9. */
import { channelBindingHash, ntHash, splitUser, SpnegoNtlmClient } from '@sallyport/wsman';
import type { NtlmPrimitives, NtlmSession, SpnegoStep } from '@sallyport/wsman';
import { systemClock } from '../../../clock.ts';
import { SallyportError } from '../../../errors.ts';
import type { Secret } from '../../../secret.ts';
import { findChallenge } from './challenges.ts';
import type {
  ConnectionSignIn,
  HttpSignIn,
  MessageSealing,
  SignInAnswer,
  SignInPlace,
  SignInStep,
} from './contract.ts';
import { ntlmPrimitives } from './md5.ts';
import { named } from './named.ts';

const SCHEME = 'Negotiate';
/** Of sealed bodies. MS-WSMV 2.2.9.1. */
const PROTOCOL = 'application/HTTP-SPNEGO-session-encrypted';

/** Who signs in, and what the caller knows of the target. */
export interface NtlmOptions {
  /** As typed: `DOM\user`, `user@realm`, `.\user` or `user`. */
  readonly user: string;
  /** Stays the caller's: it is needed for each connection and not wiped here. */
  readonly password: Secret;
  /** TLS stands and proves the target. Without TLS it counts for nothing. */
  readonly isAuthenticated: boolean;
  /** An administrator allows NTLM although the target proves nothing. winrm-auth.md section 9 */
  readonly isTrusted: boolean;
  /** First part of the service name that the proof is for; `HTTP` when absent. */
  readonly service?: string;
  /** Wall clock, milliseconds. Only for servers that tell no time. */
  readonly now?: () => number;
  /** For tests of a platform without MD5. */
  readonly primitives?: (now: () => number) => NtlmPrimitives;
}

/** Sealing with RC4 and HMAC-MD5: the signature stands before the ciphertext, which is as long as the text. */
const sealingOf = (session: NtlmSession): MessageSealing => ({
  protocol: PROTOCOL,
  label: 'NTLM sealed (RC4)',
  maxPart: Number.MAX_SAFE_INTEGER,
  seal: async (plain) => named(() => session.seal(plain)),
  unseal: async (part) => named(() => session.unseal(part)),
});

/** NTLM on one connection: two tokens out, and the server's own proof at the end. */
class NtlmConnection implements ConnectionSignIn {
  readonly #options: NtlmOptions;
  readonly #place: SignInPlace;
  #client: SpnegoNtlmClient | null = null;
  #session: NtlmSession | null = null;
  #isProved = false;
  #isClosed = false;

  constructor(options: NtlmOptions, place: SignInPlace) {
    this.#options = options;
    this.#place = place;
  }

  async next(answer: SignInAnswer | null, signal: AbortSignal): Promise<SignInStep> {
    if (signal.aborted || this.#isClosed) throw new SallyportError('cancelled', 'ntlm: cancelled');
    // A first answer is one to a request that only asked what there is.
    if (answer?.status === 401 && this.#client === null && findChallenge(answer.challenges, SCHEME) === null)
      throw new SallyportError('wsman_method_disabled', 'the target does not offer Negotiate');
    if (this.#client === null) return this.#send(this.#begin());
    if (answer === null) throw new SallyportError('bad_state', 'ntlm: the answer is missing');
    return this.#isProved ? this.#finish(this.#client, answer) : this.#prove(this.#client, answer);
  }

  close(): void {
    this.#isClosed = true;
    this.#client?.close();
    this.#session?.close();
  }

  #begin(): Uint8Array {
    const { user, isAuthenticated, isTrusted, service = 'HTTP', now = () => systemClock.now() } = this.#options;
    const { host, isTls, channelBinding } = this.#place;
    if (!isTrusted && !(isTls && isAuthenticated))
      throw new SallyportError('ntlm_not_trusted', `ntlm to ${host}: nothing proves who the target is`);
    if (isTls && channelBinding === null)
      throw new SallyportError('internal', 'ntlm over TLS without channel bindings');
    const primitives = (this.#options.primitives ?? ntlmPrimitives)(now);
    this.#client = new SpnegoNtlmClient(primitives, {
      ...splitUser(user),
      workstation: '',
      targetName: `${service}/${host}`,
      bindingHash: channelBinding === null ? null : channelBindingHash(primitives, channelBinding),
    });
    return this.#client.begin();
  }

  /** Nothing made from the password has been sent yet. */
  #prove(client: SpnegoNtlmClient, { status, challenges }: SignInAnswer): SignInStep {
    const offer = findChallenge(challenges, SCHEME);
    if (status !== 401)
      throw new SallyportError('wsman_server_unproven', `ntlm: HTTP status ${status}, not a challenge`);
    if (offer === null) throw new SallyportError('wsman_method_disabled', 'the target does not offer Negotiate');
    if (offer.token === null)
      throw new SallyportError('wsman_method_disabled', 'the target offers Negotiate without NTLM');
    const { token } = offer;
    const hash = ntHash(this.#options.password.reveal());
    const step = named(() => client.challenged(token, hash));
    hash.fill(0);
    this.#isProved = true;
    return this.#answer(step);
  }

  #finish(client: SpnegoNtlmClient, { status, challenges }: SignInAnswer): SignInStep {
    if (status === 401) return this.#answer({ kind: 'refused' });
    if (status === 403) throw new SallyportError('wsman_access_denied', 'HTTP status 403 after the sign-in');
    const token = findChallenge(challenges, SCHEME)?.token ?? null;
    return this.#answer(named(() => client.finished(token)));
  }

  #answer(step: SpnegoStep): SignInStep {
    if (step.kind === 'send') return this.#send(step.token);
    if (step.kind === 'refused') {
      const why = this.#place.isTls ? 'or something in between opens TLS' : 'once';
      throw new SallyportError('target_auth_failed', `the target refused the credential, ${why}`);
    }
    this.#session = step.session;
    return { kind: 'done', session: { mechanism: 'NTLM', sealing: sealingOf(step.session) } };
  }

  #send(token: Uint8Array): SignInStep {
    return { kind: 'send', authorization: `${SCHEME} ${Buffer.from(token).toString('base64')}` };
  }
}

/**
 * NTLMv2 with one identity. Every connection proves the password anew, and none is tried twice.
 * @throws SallyportError (from `next`) ntlm_not_trusted, ntlm_unavailable, wsman_method_disabled, ntlm_downgraded,
 * target_auth_failed, wsman_server_unproven, wsman_seal_broken, wsman_access_denied, wsman_malformed
 */
export const ntlmSignIn = (options: NtlmOptions): HttpSignIn => ({
  begin: (place) => new NtlmConnection(options, place),
  // Connections share nothing; each is closed by who began it.
  close: () => Promise.resolve(),
});
