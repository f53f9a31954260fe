/** HTTP/1.1 on one socket, one request after the other: what is signed in is the connection, and it is never replaced unseen. */
import { Agent, request as startRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import type { Clock } from '../../clock.ts';
import { SallyportError } from '../../errors.ts';
import { isCertificateAlert } from './tls.ts';

/** Of an answer's head. security.md section 4 */
const MAX_HEAD_BYTES = 32 * 1024;
/** Of an answer's body: an envelope of 2 MiB, sealed. */
const MAX_BODY_BYTES = 2 * 1024 * 1024 + 64 * 1024;

/** Interim answers (1xx) to one request, at most: there is nothing to hint at. */
const MAX_INTERIM = 8;
const [CR, LF] = [13, 10];

/** An answer, whole. */
export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string | null;
  readonly contentEncoding: string | null;
  readonly location: string | null;
  /** Values of `WWW-Authenticate`, one per header line. */
  readonly challenges: readonly string[];
  /** Value of `Authentication-Info`, null without one. */
  readonly authenticationInfo: string | null;
  readonly body: Uint8Array;
}

/** An agent that has one socket and makes none. */
class OneSocket extends Agent {
  #socket: Duplex | null;
  constructor(socket: Duplex) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
    this.#socket = socket;
  }
  /** Never throws: where another socket is due in place of one that goes, nobody would catch it. */
  override createConnection(_: unknown, made?: (error: Error | null, stream: Duplex) => void): Duplex | undefined {
    const socket = this.#socket;
    this.#socket = null;
    if (socket !== null && !socket.destroyed) return socket;
    made?.(new SallyportError('target_lost', 'the connection was closed'), new Duplex());
    return undefined;
  }
}

/** One connection. Whoever gets an error from `post` closes it. */
export class HttpConnection {
  readonly #socket: Duplex;
  readonly #agent: OneSocket;
  readonly #clock: Clock;
  readonly #hostHeader: string;
  readonly #path: string;
  #isBusy = false;
  #isClosed = false;
  #hasAnswered = false;

  /** @param closed called once, when the connection has ended by whichever side */
  constructor(
    socket: Duplex,
    to: { readonly hostHeader: string; readonly path: string },
    clock: Clock,
    closed: () => void,
  ) {
    this.#socket = socket;
    this.#agent = new OneSocket(socket);
    this.#clock = clock;
    this.#hostHeader = to.hostHeader;
    this.#path = to.path;
    // An error while no request is under way says no more than the end that follows it.
    socket.on('error', () => undefined);
    // What nobody has asked for must not be there when the next answer is looked for.
    socket.on('data', (chunk: Buffer) => {
      if (!this.#isBusy && chunk.some((byte) => byte !== CR && byte !== LF)) this.close();
    });
    socket.once('close', () => {
      this.#isClosed = true;
      this.#agent.destroy();
      closed();
    });
  }

  /** The head of an answer has come over it. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }
  get isClosed(): boolean {
    return this.#isClosed || this.#socket.destroyed;
  }
  close(): void {
    this.#isClosed = true;
    this.#agent.destroy();
    this.#socket.destroy();
  }

  /**
   * @param contentType null for an empty body
   * @throws SallyportError target_lost, target_timeout, wsman_too_large, wsman_malformed
   */
  async post(
    headers: Readonly<Record<string, string>>,
    contentType: string | null,
    body: Uint8Array,
    timeoutMs: number,
  ): Promise<HttpAnswer> {
    if (this.#isBusy) throw new SallyportError('internal', 'two requests at once on one connection');
    if (this.isClosed) throw new SallyportError('target_lost', 'the connection was closed');
    this.#isBusy = true;
    try {
      return await this.#post(
        { ...headers, ...(contentType === null ? {} : { 'Content-Type': contentType }) },
        body,
        timeoutMs,
      );
    } finally {
      this.#isBusy = false;
    }
  }

  #post(headers: Readonly<Record<string, string>>, body: Uint8Array, timeoutMs: number): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const request = startRequest({
        ...{ agent: this.#agent, method: 'POST', path: this.#path, setHost: false, maxHeaderSize: MAX_HEAD_BYTES },
        headers: {
          ...{ Host: this.#hostHeader, 'User-Agent': 'Sallyport', 'Accept-Encoding': 'identity' },
          ...{ Connection: 'Keep-Alive', 'Content-Length': String(body.length), ...headers },
        },
      });
      const late = (): void => void request.destroy(new SallyportError('target_timeout', 'no answer in time'));
      const cancel = this.#clock.after(timeoutMs, late);
      const fail = (error: unknown): void => {
        cancel();
        this.close();
        reject(toLost(error));
      };
      request.once('error', fail);
      const ended = (): void => fail(new SallyportError('target_lost', 'the connection ended before the answer'));
      request.once('close', ended);
      // Any protocol beside HTTP is not for us.
      let interim = 0;
      request.on('information', () => {
        if (++interim > MAX_INTERIM) fail(new SallyportError('wsman_malformed', 'interim answers without end'));
      });
      request.once('upgrade', () => fail(new SallyportError('wsman_malformed', 'the target switched protocols')));
      request.once('response', (response) => {
        this.#hasAnswered = true;
        // From now on the answer says itself when it is cut off.
        request.off('close', ended);
        readBody(request, response).then((bytes) => {
          cancel();
          if (isLast(response)) this.close();
          resolve(toAnswer(response, bytes));
        }, fail);
      });
      request.end(body);
    });
  }
}

/** The server closes after this answer, or may. RFC 9112 section 9.3. */
const isLast = ({ httpVersion, headers }: IncomingMessage): boolean => {
  const said = (headers.connection ?? '').toLowerCase().split(',').map((each) => each.trim());
  return httpVersion === '1.0' ? !said.includes('keep-alive') : said.includes('close');
}; // prettier-ignore

/** Reads a body up to the limit. */
function readBody(request: ClientRequest, response: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) request.destroy(new SallyportError('wsman_too_large', 'an answer beyond 2 MiB'));
      else chunks.push(chunk);
    });
    response.once('error', reject);
    response.once('end', () => {
      if (response.complete) resolve(Buffer.concat(chunks));
      else reject(new SallyportError('target_lost', 'the connection ended within an answer'));
    });
  });
}

function toAnswer(response: IncomingMessage, body: Uint8Array): HttpAnswer {
  const { statusCode: status = 0, headers, rawHeaders } = response;
  const challenges: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    if (rawHeaders[i]?.toLowerCase() === 'www-authenticate') challenges.push(rawHeaders[i + 1] ?? '');
  const info = headers['authentication-info'];
  return {
    status,
    contentType: headers['content-type'] ?? null,
    contentEncoding: headers['content-encoding'] ?? null,
    location: headers.location ?? null,
    challenges,
    authenticationInfo: typeof info === 'string' ? info : null,
    body,
  };
}

/** What Node's parser says of what is no HTTP. */
const isParserError = (error: Error): boolean => 'code' in error && String(error.code).startsWith('HPE_');

function toLost(error: unknown): SallyportError {
  if (error instanceof SallyportError) return error;
  if (!(error instanceof Error)) return new SallyportError('target_lost', String(error));
  if (isParserError(error)) {
    const isHead = 'code' in error && error.code === 'HPE_HEADER_OVERFLOW';
    const code = isHead ? 'wsman_too_large' : 'wsman_malformed';
    return new SallyportError(code, 'the target does not answer in HTTP', { cause: error });
  }
  if (isCertificateAlert(error))
    return new SallyportError('client_certificate_refused', 'the target refused our certificate', { cause: error });
  return new SallyportError('target_lost', 'the connection broke', { cause: error });
}
