/**
 * An SSH server that misbehaves in the one way a test asks for, in this process, on ssh2's server role. It also records
 * what the client sent, so that a test can prove what never left.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import kex from 'ssh2/lib/protocol/kex.js';
import ssh2, { type AuthContext, type Connection, type ServerChannel, type ServerConfig, type Session } from 'ssh2';
import { openKeyRing, type HostKeyType } from './keys.ts';

/** Sends what ssh2 itself would not. */
export interface Wire {
  readonly socket: Socket;
  readonly connection: Connection;
  /** One SSH message, its number first. */
  send(payload: Uint8Array): void;
}

export interface HostileOptions {
  /** Speaks no SSH at all: the test has the socket. */
  readonly raw?: (socket: Socket) => void;
  /** Which set of the ring's host keys the n-th connection shows (from 0). */
  readonly hostKeySet?: (connection: number) => 0 | 1;
  readonly hostKeys?: readonly HostKeyType[];
  readonly algorithms?: ServerConfig['algorithms'];
  /** What is offered for the host key, instead of all that the keys can do. */
  readonly hostKeyAlgorithms?: readonly string[];
  /** False leaves strict key exchange out of the offer, as servers before 2024 do. */
  readonly isStrict?: boolean;
  /** Before any key is exchanged. */
  readonly connected?: (wire: Wire) => void;
  /** Answers a sign-in attempt; without it everybody comes in. */
  readonly authenticate?: (context: AuthContext, wire: Wire) => void;
  readonly ready?: (wire: Wire) => void;
  readonly shell?: (stream: ServerChannel, wire: Wire) => void;
  /** Instead of `shell`: the whole session is the test's; `refuse` refuses the channel, `silent` never answers. */
  readonly session?: 'refuse' | 'silent' | ((session: Session, wire: Wire) => void);
}

export interface Recorded {
  /** Sign-in attempts: method and user. */
  readonly attempts: { method: string; user: string }[];
  /** Numbers of the messages that came before the encryption began; the server reads nothing else until then. */
  plainMessages(): number[];
  bytes(): Buffer;
}

export interface HostileTarget {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly connections: readonly Recorded[];
  stop(): Promise<void>;
}

interface Internals {
  _protocol: {
    _offer: { lists: Record<string, { array: string[] } & Record<string, { array: string[] }>> };
    _cipher: { encrypt(packet: Buffer): void };
    _packetRW: { write: { allocStart: number; alloc(bytes: number): Buffer; finalize(packet: Buffer): Buffer } };
  };
}
const internals = (connection: Connection): Internals['_protocol'] => (connection as unknown as Internals)._protocol;

function makeWire(connection: Connection, socket: Socket): Wire {
  return {
    socket,
    connection,
    send(payload) {
      const { _packetRW, _cipher } = internals(connection);
      const packet = _packetRW.write.alloc(payload.length);
      packet.set(payload, _packetRW.write.allocStart);
      _cipher.encrypt(_packetRW.write.finalize(packet));
    },
  };
}

/** ssh2 derives its offer from its keys and always knows strict key exchange; other servers do not. */
function changeOffer(connection: Connection, { isStrict, hostKeyAlgorithms }: HostileOptions): void {
  const { lists } = internals(connection)._offer;
  const array = (name: string): string[] => lists[name]?.array ?? [];
  const way = (name: string): Record<string, string[]> => ({
    cipher: lists[name]?.['cipher']?.array ?? [],
    mac: lists[name]?.['mac']?.array ?? [],
    compress: lists[name]?.['compress']?.array ?? [],
    lang: [],
  });
  internals(connection)._offer = new kex.KexInit({
    kex: array('kex').filter((name) => isStrict !== false || !name.startsWith('kex-strict')),
    serverHostKey: hostKeyAlgorithms ?? array('serverHostKey'),
    cs: way('cs'),
    sc: way('sc'),
  });
}

function record(socket: Socket): Recorded {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const bytes = (): Buffer => Buffer.concat(chunks);
  return {
    attempts: [],
    bytes,
    plainMessages() {
      const all = bytes();
      const messages: number[] = [];
      for (let at = all.indexOf('\n') + 1; at > 0 && at + 6 <= all.length; at += 4 + all.readUInt32BE(at)) {
        const message = all[at + 5] ?? 0;
        messages.push(message);
        if (message === 21) break;
      }
      return messages;
    },
  };
}

function serve(connection: Connection, wire: Wire, recorded: Recorded, options: HostileOptions): void {
  if (options.isStrict === false || options.hostKeyAlgorithms !== undefined) changeOffer(connection, options);
  options.connected?.(wire);
  // The client hangs up whenever it likes; that is what most tests are about.
  connection.on('error', () => undefined);
  connection.on('authentication', (context) => {
    recorded.attempts.push({ method: context.method, user: context.username });
    if (options.authenticate === undefined) context.accept();
    else options.authenticate(context, wire);
  });
  connection.on('ready', () => options.ready?.(wire));
  connection.on('session', (accept, reject) => {
    if (options.session === 'silent') return;
    if (options.session === 'refuse') {
      reject();
      return;
    }
    const session = accept();
    if (options.session !== undefined) {
      options.session(session, wire);
      return;
    }
    session.on('pty', (acceptPty) => acceptPty());
    const { shell } = options;
    // Without a listener ssh2 refuses the request.
    if (shell !== undefined) session.on('shell', (acceptShell) => shell(acceptShell(), wire));
  });
}

/** Starts it on a free port. */
export async function startHostileTarget(options: HostileOptions = {}): Promise<HostileTarget> {
  const ring = openKeyRing();
  const recordings: Recorded[] = [];
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    socket.setNoDelay(true);
    const recorded = record(socket);
    const set = options.hostKeySet?.(recordings.length) ?? 0;
    recordings.push(recorded);
    if (options.raw !== undefined) {
      options.raw(socket);
      return;
    }
    const hostKeys = (options.hostKeys ?? ['ed25519']).map((type) => readFileSync(ring.hostKeyFile(type, set)));
    const algorithms = options.algorithms === undefined ? {} : { algorithms: options.algorithms };
    const server = new ssh2.Server({ hostKeys, ...algorithms }, (connection) =>
      serve(connection, makeWire(connection, socket), recorded, options),
    );
    server.injectSocket(socket);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    host: '127.0.0.1',
    port: (listener.address() as AddressInfo).port,
    connections: recordings,
    async stop() {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

/** Parts of SSH messages, RFC 4251 section 5. */
export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
export const sshString = (text: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint32(bytes.length), bytes]);
};
