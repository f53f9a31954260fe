/** The upgrade: origin, login and subprotocol are checked before it; then one ConsoleSocket per page. */
import type { ServerResponse } from 'node:http';
import websocket from '@fastify/websocket';
import { SUBPROTOCOL } from '@sallyport/shared/wire/control';
import { MAX_FRAME_BYTES } from '@sallyport/shared/wire/credit';
import type { FastifyContextConfig, FastifyInstance, FastifyRequest } from 'fastify';
import type { RawData } from 'ws';
import { SallyportError } from '../errors.ts';
import type { Identity, Principal } from '../identity/contract.ts';
import { ConsoleSocket, type SocketJoin } from './console-socket.ts';
import { type RawWebSocket, WireSocket } from './wire-socket.ts';

/** Fragments of one message. security.md section 4. */
const MAX_FRAGMENTS = 16;
/** TCP pieces of one frame; a frame that arrives in more is sent to hurt. */
const MAX_CHUNKS = 4096;
/** A page that answers no ping for two of these is gone. */
const PING_MS = 30_000;
/** Sockets of one login; a person has some windows, not hundreds. */
const MAX_SOCKETS_PER_LOGIN = 64;

export interface SocketsJoin extends SocketJoin {
  readonly identity: SocketJoin['identity'] & Pick<Identity, 'onEnded'>;
  /** Throws unless the request comes from a page of ours. The http room's check, handed in. */
  readonly requireOrigin: (request: FastifyRequest) => void;
  /** The login that the http room's hook found. */
  readonly principalOf: (request: FastifyRequest) => Principal | null;
  /** What the http room wants to know of every route. */
  readonly routeConfig: FastifyContextConfig;
}

const isCalled = (protocols: string | undefined): boolean =>
  (protocols ?? '')
    .split(',')
    .map((name) => name.trim())
    .includes(SUBPROTOCOL);

/** Before the upgrade, so that a refusal is an HTTP answer with a code. @throws SallyportError */
function checkUpgrade(join: SocketsJoin, request: FastifyRequest): Principal {
  join.requireOrigin(request);
  const principal = join.principalOf(request);
  if (principal?.via !== 'login') throw new SallyportError('unauthenticated', 'a console needs a browser login');
  if (!isCalled(request.headers['sec-websocket-protocol']))
    throw new SallyportError('bad_request', `subprotocol ${SUBPROTOCOL} was not asked for`);
  return principal;
}

/** To be called before any route is declared. Nothing is compressed: secrets and outside text share a stream. */
export async function prepareSockets(app: FastifyInstance): Promise<void> {
  await app.register(websocket, {
    options: {
      maxPayload: MAX_FRAME_BYTES,
      maxFragments: MAX_FRAGMENTS,
      maxBufferedChunks: MAX_CHUNKS,
      perMessageDeflate: false,
      handleProtocols: () => SUBPROTOCOL,
    },
  });
}

const bytesOf = (data: RawData): Uint8Array =>
  Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? new Uint8Array(data) : data;

/** Declares `GET /api/sessions/socket`. */
export function serveSockets(app: FastifyInstance, join: SocketsJoin): void {
  const byLogin = new Map<string, Set<ConsoleSocket>>();
  const upgrades = new WeakMap<FastifyRequest, ServerResponse>();
  const stopListening = join.identity.onEnded(({ loginHashes }) => {
    for (const hash of loginHashes) for (const socket of [...(byLogin.get(hash) ?? [])]) socket.revoke();
  });
  app.addHook('onClose', async () => {
    stopListening();
  });
  app.get(
    '/api/sessions/socket',
    {
      websocket: true,
      config: join.routeConfig,
      preValidation: async (request, reply) => {
        const principal = checkUpgrade(join, request);
        if ((byLogin.get(principal.loginHash)?.size ?? 0) >= MAX_SOCKETS_PER_LOGIN)
          throw new SallyportError('rate_limited', 'too many sockets of one login', { retryAfterS: 5 });
        // A proxy that does not pass the upgrade on.
        if (!request.ws) throw new SallyportError('upgrade_failed', 'the request is no upgrade');
        upgrades.set(request, reply.raw);
      },
    },
    (ws, request) => {
      const principal = join.principalOf(request);
      if (principal === null) {
        ws.terminate();
        return;
      }
      // Request and response of the upgrade, 6 KiB, would live as long as the socket: the plugin's listener holds them.
      ws.removeAllListeners('error');
      ws.on('error', (error) => {
        join.log.debug({ err: error }, 'Socket error'); // ws has closed it, with 1002, 1007 or 1009.
        ws.terminate();
      });
      upgrades.get(request)?.detachSocket(request.raw.socket);
      const socket = new ConsoleSocket(join, new WireSocket(ws, request.raw.socket, join.clock), principal);
      const mine = byLogin.get(principal.loginHash) ?? new Set();
      byLogin.set(principal.loginHash, mine.add(socket));
      join.metrics.sockets.inc();
      const stopPings = keepAlive(ws, join);
      ws.on('message', (data, isBinary) => {
        socket.receive(bytesOf(data), isBinary);
      });
      // Each ping is answered at once, so it counts like a message.
      ws.on('ping', () => {
        socket.countFrame();
      });
      ws.on('close', () => {
        stopPings();
        join.metrics.sockets.dec();
        mine.delete(socket);
        if (mine.size === 0) byLogin.delete(principal.loginHash);
        socket.gone();
      });
    },
  );
}

/** Pings, and cuts off who does not answer. */
function keepAlive(ws: RawWebSocket, join: SocketsJoin): () => void {
  let isAnswered = true;
  let cancel = join.clock.after(PING_MS, tick);
  ws.on('pong', () => {
    isAnswered = true;
  });
  function tick(): void {
    if (!isAnswered) {
      ws.terminate();
      return;
    }
    isAnswered = false;
    ws.ping();
    cancel = join.clock.after(PING_MS, tick);
  }
  return () => {
    cancel();
  };
}
