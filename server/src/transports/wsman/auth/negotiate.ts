/** Which mechanism Negotiate uses. winrm-auth.md section 2. */
import { isIP } from 'node:net';
import type { ErrorCode } from '@sallyport/shared/error-codes';
import { SallyportError } from '../../../errors.ts';
import type { ConnectionSignIn, HttpSignIn, SignInAnswer, SignInPlace, SignInStep } from './contract.ts';

/** What each mechanism would do. Both are closed with the whole, so a secret that one wipes must not be the other's. */
export interface NegotiateOptions {
  /** Kerberos with scheme Negotiate; null where it cannot be: no library, or the account has no realm here. */
  readonly kerberos: HttpSignIn | null;
  /** Null where NTLM is not wanted at all: with the gateway's own identity. */
  readonly ntlm: HttpSignIn | null;
}

/** Kerberos could not be spoken at all. A refusal of the credential, the clock or the TLS connection is none of these. */
export const FALLS_BACK: readonly ErrorCode[] = ['kerberos_unavailable', 'kerberos_no_kdc', 'kerberos_unknown_target'];

/** Whether a target has a name that Kerberos can know: an address and this machine's own name have none. */
export const isKerberosName = (host: string): boolean =>
  isIP(host.replace(/^\[|\]$/g, '')) === 0 && !/^localhost\.?$/i.test(host);

type Mechanism = 'kerberos' | 'ntlm';

/** One connection: decides with its first step, before anything is sent, and stays with that. */
class NegotiateConnection implements ConnectionSignIn {
  readonly #place: SignInPlace;
  readonly #owner: NegotiateSignIn;
  #current: ConnectionSignIn | null = null;

  constructor(owner: NegotiateSignIn, place: SignInPlace) {
    this.#owner = owner;
    this.#place = place;
  }

  async next(answer: SignInAnswer | null, signal: AbortSignal): Promise<SignInStep> {
    if (answer !== null && this.#current !== null) return this.#current.next(answer, signal);
    const refusals: SallyportError[] = [];
    for (const mechanism of this.#owner.candidates(this.#place.host)) {
      const attempt = this.#owner.start(mechanism, this.#place);
      this.#current = attempt;
      try {
        const step = await attempt.next(null, signal);
        this.#owner.choose(mechanism);
        return step;
      } catch (error) {
        attempt.close();
        if (!(error instanceof SallyportError)) throw error;
        if (mechanism === 'ntlm' || !this.#owner.mayFallBack(error)) throw withReasons(error, refusals);
        refusals.push(error);
      }
    }
    const [first = new SallyportError('kerberos_unknown_target', 'kerberos needs a name and an account of a realm')] =
      refusals;
    throw first;
  }

  close(): void {
    this.#current?.close();
  }
}

/** The last refusal, with why Kerberos was not used: that is what somebody has to mend. */
function withReasons(error: SallyportError, refusals: readonly SallyportError[]): SallyportError {
  const [kerberos] = refusals;
  if (kerberos === undefined) return error;
  return new SallyportError(error.code, `${error.message}; before that: ${kerberos.message}`, { cause: kerberos });
}

class NegotiateSignIn implements HttpSignIn {
  readonly #options: NegotiateOptions;
  /** All connections of a session use the same: one that could do Kerberos is not followed by one with NTLM. */
  #chosen: Mechanism | null = null;

  constructor(options: NegotiateOptions) {
    this.#options = options;
  }

  begin(place: SignInPlace): ConnectionSignIn {
    return new NegotiateConnection(this, place);
  }

  start(mechanism: Mechanism, place: SignInPlace): ConnectionSignIn {
    const signIn = this.#options[mechanism];
    if (signIn === null) throw new SallyportError('internal', `no ${mechanism} to begin`);
    return signIn.begin(place);
  }

  /** What is tried for this host, in order. */
  candidates(host: string): readonly Mechanism[] {
    if (this.#chosen !== null) return [this.#chosen];
    const isKerberos = this.#options.kerberos !== null && isKerberosName(host);
    return [
      ...(isKerberos ? (['kerberos'] as const) : []),
      ...(this.#options.ntlm === null ? [] : (['ntlm'] as const)),
    ];
  }

  choose(mechanism: Mechanism): void {
    this.#chosen ??= mechanism;
  }

  mayFallBack(error: SallyportError): boolean {
    return this.#chosen !== 'kerberos' && this.#options.ntlm !== null && FALLS_BACK.includes(error.code);
  }

  async close(): Promise<void> {
    await Promise.all([this.#options.kerberos?.close(), this.#options.ntlm?.close()]);
  }
}

/**
 * Kerberos where it can be, else NTLM, decided before anything is sent. After a refusal of the credential nothing else is
 * tried. The mechanism that was used is in the result.
 */
export const negotiateSignIn = (options: NegotiateOptions): HttpSignIn => new NegotiateSignIn(options);
