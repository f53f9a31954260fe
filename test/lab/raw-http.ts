/** HTTP by hand, for what no client would send: bytes out, answers in, over TCP or TLS. */
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case; repeated ones joined with a newline. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** `error.code` of the body, when it is one of our refusals. */
  readonly code: string | null;
}
const NOTHING: RawAnswer = { status: 0, headers: {}, body: '', code: null };
const WAIT_MS = 60_000;

export interface RawDoor {
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
  /** Where the connection comes from, for example 127.0.0.2. */
  readonly localAddress?: string;
}
export const doorOf = (url: string): RawDoor => {
  const { hostname, port, protocol } = new URL(url);
  const isSecure = protocol === 'https:';
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port === '' ? (isSecure ? 443 : 80) : port), isSecure };
};

export async function connectDoor({ host, port, isSecure, localAddress }: RawDoor): Promise<Socket> {
  const from = localAddress === undefined ? {} : { localAddress };
  const socket = isSecure
    ? connectTls({ host, port, rejectUnauthorized: false, servername: 'localhost' })
    : connectTcp({ host, port, ...from });
  await once(socket, isSecure ? 'secureConnect' : 'connect');
  return socket;
}

/**
 * Sends bytes and reads until the gateway closes, or `enough` says so.
 * @throws Error when neither happens in time: a connection that hangs is a failure
 */
export async function exchange(
  door: RawDoor,
  bytes: string | Buffer,
  enough: (seen: string) => boolean = () => false,
): Promise<string> {
  const socket = await connectDoor(door);
  let seen = '';
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no end of the answer to ${JSON.stringify(bytes.toString('latin1').slice(0, 120))}: ${seen}`));
    }, WAIT_MS);
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(seen);
    };
    socket.on('data', (data: Buffer) => {
      seen += data.toString('latin1');
      if (enough(seen)) done();
    });
    socket.on('error', () => undefined);
    socket.on('close', done);
    socket.write(bytes);
  });
}

function codeOf(body: string): string | null {
  try {
    return (JSON.parse(body) as { error?: { code?: string } }).error?.code ?? null;
  } catch {
    return null;
  }
}

/** The first answer in what was read; status 0 when there is none. */
export function parseAnswer(seen: string): RawAnswer {
  const end = seen.indexOf('\r\n\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(seen)?.[1] ?? 0);
  if (end < 0 || status === 0) return NOTHING;
  const headers: Record<string, string> = {};
  for (const line of seen.slice(0, end).split('\r\n').slice(1)) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase();
    const value = line.slice(line.indexOf(':') + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}\n${value}`;
  }
  const length = headers['content-length'];
  const body = seen.slice(end + 4, length === undefined ? undefined : end + 4 + Number(length));
  return { status, headers, body, code: codeOf(body) };
}

export interface RawRequest {
  readonly method?: string;
  readonly target?: string;
  /** Lines in their order, as they are: `Name: value`. `Host` and `Connection: close` are added unless named. */
  readonly lines?: readonly string[];
  readonly body?: string | Buffer;
}

/** The bytes of a request; `Content-Length` is added for a body unless a line says how long it is. */
export function requestBytes(door: RawDoor, request: RawRequest): Buffer {
  const { method = 'GET', target = '/', lines = [], body = '' } = request;
  const names = new Set(lines.map((line) => line.slice(0, line.indexOf(':')).trim().toLowerCase()));
  const head = [
    `${method} ${target} HTTP/1.1`,
    ...(names.has('host') ? [] : [`Host: ${door.host}:${String(door.port)}`]),
    ...(names.has('connection') ? [] : ['Connection: close']),
    ...lines,
    ...(body.length === 0 || names.has('content-length') || names.has('transfer-encoding')
      ? []
      : [`Content-Length: ${String(Buffer.byteLength(body))}`]),
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body)]);
}

/** One request, one answer. */
export const ask = async (door: RawDoor, request: RawRequest): Promise<RawAnswer> =>
  parseAnswer(await exchange(door, requestBytes(door, request)));
