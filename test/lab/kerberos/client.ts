/** One keep-alive connection that is signed in on and carries sealed bodies: the least that a sign-in can be tried with. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { TLSSocket } from 'node:tls';
import { decodeSealedBody, encodeSealedBody, joinPlain, type BodyPart } from '@sallyport/wsman';
import type {
  ConnectionSignIn,
  HttpSignIn,
  MessageSealing,
  SignInAnswer,
  SignedIn,
} from '../../../server/src/transports/wsman/auth/contract.ts';

/** RFC 5929 section 4: the certificate's hash with SHA-256, which is right for those of the lab. */
export const bindingOf = (certificate: Buffer): Uint8Array =>
  Buffer.concat([Buffer.from('tls-server-end-point:'), createHash('sha256').update(certificate).digest()]);

export interface LabPlace {
  readonly host: string;
  readonly port: number;
  readonly isTls?: boolean;
  /** Instead of the bindings of the connection; null = none. */
  readonly binding?: Uint8Array | null;
  readonly path?: string;
}
interface LabAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly challenges: readonly string[];
  readonly body: Buffer;
}

export class LabConnection {
  readonly #agent: http.Agent;
  readonly #place: LabPlace;
  #session: SignedIn | null = null;
  #binding: Uint8Array | null = null;

  constructor(place: LabPlace) {
    this.#place = place;
    const options = { keepAlive: true, maxSockets: 1 };
    this.#agent = place.isTls === true ? new https.Agent({ ...options, rejectUnauthorized: false }) : new http.Agent(options); // prettier-ignore
  }

  /** @throws what the sign-in throws */
  async signIn(way: HttpSignIn, options: { probe?: boolean } = {}): Promise<SignedIn> {
    const { host, port, isTls = false, binding } = this.#place;
    let answer: SignInAnswer | null = options.probe === true || isTls ? await this.post({}, new Uint8Array()) : null;
    const channelBinding = binding === undefined ? this.#binding : binding;
    const signal = AbortSignal.timeout(60_000);
    const one: ConnectionSignIn = way.begin({ host, port, isTls, channelBinding });
    try {
      for (;;) {
        const step = await one.next(answer, signal);
        if (step.kind === 'done') return (this.#session = step.session);
        answer = await this.post({ Authorization: step.authorization }, new Uint8Array());
      }
    } catch (error) {
      one.close();
      throw error;
    }
  }

  /** Sends a body sealed and opens what comes back. */
  async exchange(plain: Uint8Array, headers: Record<string, string> = {}): Promise<Uint8Array> {
    const parts = await this.exchangeSealed(plain, headers);
    return joinPlain(parts, await Promise.all(parts.map((each) => this.#sealing.unseal(each))));
  }

  /** Sends a body sealed; what comes back stays sealed. */
  async exchangeSealed(plain: Uint8Array, headers: Record<string, string> = {}): Promise<readonly BodyPart[]> {
    const sealing = this.#sealing;
    const part = await sealing.seal(plain);
    const body = encodeSealedBody([{ plainLength: part.sealed.length, ...part }], { protocol: sealing.protocol });
    const answer = await this.post({ 'Content-Type': body.contentType, ...headers }, body.bytes);
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    return decodeSealedBody(answer.contentType, answer.body, 4 * 1024 * 1024).parts;
  }

  get #sealing(): MessageSealing {
    const sealing = this.#session?.sealing ?? null;
    if (sealing === null) throw new Error('not signed in with a method that seals');
    return sealing;
  }

  close(): void {
    this.#agent.destroy();
  }

  async post(headers: Record<string, string>, body: Uint8Array): Promise<LabAnswer> {
    const { host, port, path = '/wsman', isTls = false } = this.#place;
    const request = (isTls ? https : http).request({
      ...{ agent: this.#agent, host: '127.0.0.1', port, path, method: 'POST' },
      headers: { Host: `${host}:${port}`, 'Content-Length': body.length, ...headers },
    });
    request.end(body);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    if (response.socket instanceof TLSSocket) this.#binding = bindingOf(response.socket.getPeerCertificate().raw);
    const pieces: Buffer[] = [];
    for await (const piece of response) pieces.push(piece as Buffer);
    const challenges = response.headersDistinct['www-authenticate'] ?? [];
    const contentType = response.headers['content-type'] ?? '';
    return { status: response.statusCode ?? 0, contentType, challenges, body: Buffer.concat(pieces) };
  }
}
