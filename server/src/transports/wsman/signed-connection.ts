/** A connection that is signed in: seals what goes out, opens what comes in, and never takes a clear answer for a sealed one. */
import {
  checkAnswerHead,
  decodeSealedBody,
  encodeSealedBody,
  faultOfStatus,
  isRedirectStatus,
  isSealedType,
  joinPlain,
  redirectOf,
  SOAP_CONTENT_TYPE,
  WsManFaultError,
} from '@sallyport/wsman';
import type { BodyPart } from '@sallyport/wsman';
import { SallyportError } from '../../errors.ts';
import type { ConnectionSignIn, MessageSealing, SignedIn, SignInPlace, HttpSignIn } from './auth/contract.ts';
import type { HttpAnswer, HttpConnection } from './http-connection.ts';

/** Legs of one sign-in: Kerberos has two, NTLM three, CredSSP up to ten. */
const MAX_LEGS = 16;
/** Of an answer, unsealed. security.md section 4 */
const MAX_ENVELOPE_BYTES = 2 * 1024 * 1024;
const NOTHING = new Uint8Array();
/** Answers that a server gives before it knows who asks, or when it has no context to seal with. */
const CLEAR_STATUS: ReadonlySet<number> = new Set([413, 503]);

/** How bodies travel. */
export interface SealingRules {
  /** Nothing may go unsealed: plain HTTP, or the target wants it. */
  readonly isRequired: boolean;
  readonly hasTab: boolean;
}

/**
 * Signs in on a fresh connection. An error closes it.
 * @throws SallyportError with the codes of winrm-auth.md section 10; WsManRedirectError
 */
export async function signInOn(
  http: HttpConnection,
  signIn: HttpSignIn,
  place: SignInPlace,
  rules: SealingRules,
  limits: { readonly timeoutMs: number; readonly signal: AbortSignal; readonly path: string },
): Promise<SignedConnection> {
  const attempt = signIn.begin(place);
  try {
    const session = await exchange(http, attempt, limits);
    if (rules.isRequired && session.sealing === null)
      throw new SallyportError('wsman_clear_refused', `${session.mechanism} does not seal messages`);
    return new SignedConnection(http, session, attempt, rules, { path: limits.path, isTls: place.isTls });
  } catch (error) {
    attempt.close();
    http.close();
    throw error;
  }
}

async function exchange(
  http: HttpConnection,
  attempt: ConnectionSignIn,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<SignedIn> {
  let answer: HttpAnswer | null = null;
  for (let leg = 0; leg < MAX_LEGS; leg++) {
    const step = await attempt.next(answer, signal);
    if (step.kind === 'done') return step.session;
    // An empty one asks what there is.
    const headers: Record<string, string> = step.authorization === '' ? {} : { Authorization: step.authorization };
    answer = await http.post(headers, null, NOTHING, timeoutMs);
    if (isRedirectStatus(answer.status)) throw redirectOf(answer.status, answer.location);
    if (answer.status === 404) throw new SallyportError('wsman_not_winrm', 'HTTP status 404 to the sign-in');
  }
  throw new SallyportError('wsman_server_unproven', 'the sign-in does not end');
}

/** The target does not know the connection as signed in any more, or somebody on the way says so. */
export class SignedOutError extends SallyportError {
  /** Over TLS it is the target that says it, and it has not looked at the request. */
  readonly isProven: boolean;
  constructor(isProven: boolean) {
    super('target_auth_failed', 'the target has forgotten the sign-in of the connection');
    this.isProven = isProven;
  }
}

/** One request after the other; who uses it keeps to that. */
export class SignedConnection {
  readonly mechanism: SignedIn['mechanism'];
  /** The target has got a ticket to act as the user elsewhere. */
  readonly isDelegated: boolean;
  /** Null when bodies go as they are, inside TLS. */
  readonly sealing: MessageSealing | null;
  readonly #http: HttpConnection;
  readonly #session: SignedIn;
  readonly #attempt: ConnectionSignIn;
  readonly #rules: SealingRules;
  readonly #path: string;
  readonly #isTls: boolean;

  constructor(
    http: HttpConnection,
    session: SignedIn,
    attempt: ConnectionSignIn,
    rules: SealingRules,
    { path, isTls }: { readonly path: string; readonly isTls: boolean },
  ) {
    this.mechanism = session.mechanism;
    this.isDelegated = session.isDelegated === true;
    this.sealing = rules.isRequired ? session.sealing : null;
    this.#http = http;
    this.#session = session;
    this.#attempt = attempt;
    this.#rules = rules;
    this.#path = path;
    this.#isTls = isTls;
  }

  get isClosed(): boolean {
    return this.#http.isClosed;
  }
  close(): void {
    this.#attempt.close();
    this.#http.close();
  }

  /**
   * Sends an envelope. @returns that of the answer, of status 200, or 500 and 400 with a fault
   * @throws SallyportError target_lost, target_timeout, target_auth_failed, wsman_*; WsManRedirectError, WsManFaultError of
   * an answer without envelope. After any of them but a fault the connection is closed.
   */
  async post(envelope: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    let answer = await this.#send(envelope, timeoutMs);
    if (answer.status === 401 && this.#session.answered?.(answer) === true)
      answer = await this.#send(envelope, timeoutMs);
    if (answer.status === 401) {
      this.close();
      if (this.#session.authorize === undefined) throw new SignedOutError(this.#isTls);
      const isKey = this.mechanism === 'Certificate';
      const code = isKey ? 'client_certificate_refused' : 'target_auth_failed';
      throw new SallyportError(code, 'the target does not accept the sign-in');
    }
    try {
      this.#session.accepted?.(answer);
      return this.sealing === null ? readClear(answer) : await this.#unseal(this.sealing, answer);
    } catch (error) {
      // A body that does not fit its frame may be somebody else's too: what both sides count is not to be relied on then.
      if (!(error instanceof WsManFaultError)) this.close();
      throw error;
    }
  }

  async #send(envelope: Uint8Array, timeoutMs: number): Promise<HttpAnswer> {
    const authorization = this.#session.authorize?.({ method: 'POST', path: this.#path });
    const headers: Record<string, string> = authorization === undefined ? {} : { Authorization: authorization };
    const { sealing } = this;
    if (sealing === null) return this.#http.post(headers, SOAP_CONTENT_TYPE, envelope, timeoutMs);
    const parts: BodyPart[] = [];
    for (let at = 0; at < envelope.length; at += sealing.maxPart) {
      const plain = envelope.subarray(at, at + sealing.maxPart);
      const sealed = await sealing.seal(plain);
      // Kerberos with RC4 pads, and counts that in; TLS records carry more than what was sealed.
      const isTls = /credssp/i.test(sealing.protocol);
      parts.push({ ...sealed, plainLength: isTls ? plain.length : sealed.sealed.length });
    }
    const { contentType, bytes } = encodeSealedBody(parts, { protocol: sealing.protocol, hasTab: this.#rules.hasTab });
    return this.#http.post(headers, contentType, bytes, timeoutMs);
  }

  async #unseal(sealing: MessageSealing, answer: HttpAnswer): Promise<Uint8Array> {
    if (isRedirectStatus(answer.status)) throw redirectOf(answer.status, answer.location);
    const { contentType } = answer;
    if (contentType === null || !isSealedType(contentType)) {
      // What is not sealed may be anybody's: of the whole answer only the status is used.
      if (CLEAR_STATUS.has(answer.status)) {
        // The target has perhaps not opened the request: both sides count otherwise from now on.
        this.close();
        throw faultOfStatus(answer.status);
      }
      throw new SallyportError(
        'wsman_seal_broken',
        `an answer that is not sealed, HTTP status ${String(answer.status)}`,
      );
    }
    const { parts, protocol, originalType } = decodeSealedBody(contentType, answer.body, MAX_ENVELOPE_BYTES);
    if (protocol.toLowerCase() !== sealing.protocol.toLowerCase())
      throw new SallyportError('wsman_seal_broken', 'an answer that is sealed in another way');
    const plains: Uint8Array[] = [];
    for (const part of parts) plains.push(await sealing.unseal(part));
    const body = joinPlain(parts, plains);
    return readClear({ ...answer, contentType: originalType, body });
  }
}

function readClear(answer: HttpAnswer): Uint8Array {
  checkAnswerHead(answer);
  if (answer.body.length > MAX_ENVELOPE_BYTES) throw new SallyportError('wsman_too_large', 'an answer beyond 2 MiB');
  return answer.body;
}
