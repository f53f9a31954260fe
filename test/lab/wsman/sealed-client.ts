/** One signed-in connection with as little around it as can be, for tests of signing in and of sealed bodies. */
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { Agent as TlsAgent, request as httpsRequest } from 'node:https';
import {
  decodeSealedBody,
  encodeSealedBody,
  isSealedType,
  joinPlain,
  SOAP_CONTENT_TYPE,
  WsManError,
} from '@sallyport/wsman';
import { SallyportError } from '../../../server/src/errors.ts';
import type {
  HttpSignIn,
  SignedIn,
  SignInAnswer,
  SignInPlace,
} from '../../../server/src/transports/wsman/auth/contract.ts';

const MAX_PLAIN_BYTES = 2 * 1024 * 1024;
const signal = new AbortController().signal;

interface Answer extends SignInAnswer {
  readonly contentType: string | null;
  readonly body: Buffer;
}

export class SealedClient {
  readonly #place: SignInPlace;
  readonly #agent: Agent | TlsAgent;
  readonly #hasTab: boolean;
  readonly #path: string;
  #session: SignedIn | null = null;

  constructor(place: SignInPlace, { hasTab = true, path = '/wsman' } = {}) {
    this.#place = place;
    this.#hasTab = hasTab;
    this.#path = path;
    const options = { keepAlive: true, maxSockets: 1 };
    this.#agent = place.isTls ? new TlsAgent({ ...options, rejectUnauthorized: false }) : new Agent(options);
  }

  /** @throws SallyportError what signing in throws */
  async signIn(signIn: HttpSignIn): Promise<SignedIn> {
    const attempt = signIn.begin(this.#place);
    let answer: Answer | null = null;
    for (;;) {
      const step = await attempt.next(answer, signal);
      if (step.kind === 'done') return (this.#session = step.session);
      answer = await this.#post({ authorization: step.authorization }, Buffer.alloc(0));
    }
  }

  /** Sends a sealed body, opens the answer's. @throws SallyportError wsman_seal_broken, target_auth_failed, WsManError */
  async echo(plain: Uint8Array): Promise<Uint8Array> {
    const sealing = this.#session?.sealing;
    if (!sealing) throw new Error('not signed in with sealing');
    const plains = [];
    for (let at = 0; at < plain.length; at += sealing.maxPart) plains.push(plain.subarray(at, at + sealing.maxPart));
    const parts = [];
    for (const each of plains) parts.push({ ...(await sealing.seal(each)), plainLength: each.length });
    const { contentType, bytes } = encodeSealedBody(parts, { protocol: sealing.protocol, hasTab: this.#hasTab });
    const answer = await this.#post({ 'content-type': contentType }, bytes);
    if (answer.status === 401) throw new SallyportError('target_auth_failed', 'HTTP status 401 in a session');
    if (answer.contentType === null || !isSealedType(answer.contentType))
      throw new SallyportError('wsman_seal_broken', 'an answer in clear text');
    const body = decodeSealedBody(answer.contentType, answer.body, MAX_PLAIN_BYTES);
    const opened = [];
    for (const part of body.parts) opened.push(await sealing.unseal(part));
    return joinPlain(body.parts, opened);
  }

  /** Sends an envelope as it is, inside TLS. @throws Error for any status but 200 */
  async clear(envelope: Uint8Array): Promise<Uint8Array> {
    const { status, body } = await this.#post({ 'content-type': SOAP_CONTENT_TYPE }, envelope);
    if (status !== 200) throw new Error(`HTTP status ${String(status)}`);
    return body;
  }

  close(): void {
    this.#agent.destroy();
  }

  async #post(headers: OutgoingHttpHeaders, body: Uint8Array): Promise<Answer> {
    const { host, port, isTls } = this.#place;
    const start = isTls ? httpsRequest : httpRequest;
    const to = { host: '127.0.0.1', port, agent: this.#agent, method: 'POST', path: this.#path };
    const out = start({ ...to, headers: { ...headers, host, 'content-length': body.length } });
    out.end(body);
    const [answer] = (await once(out, 'response')) as [IncomingMessage];
    const pieces: Buffer[] = [];
    for await (const piece of answer) pieces.push(piece as Buffer);
    return {
      status: answer.statusCode ?? 0,
      challenges: answer.headersDistinct['www-authenticate'] ?? [],
      contentType: answer.headers['content-type'] ?? null,
      body: Buffer.concat(pieces),
    };
  }
}

/** The code of a refusal, of either kind; `passed` when there is none. */
export async function refusalOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'passed';
  } catch (error) {
    if (error instanceof SallyportError || error instanceof WsManError) return error.code;
    throw error;
  }
}
