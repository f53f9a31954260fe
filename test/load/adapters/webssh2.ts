/**
 * WebSSH2 from the checkout that BENCH_WEBSSH2 names (after `npm ci` and its build, so that `dist/index.js` exists):
 * Socket.IO; authenticate, then getTerminal, then terminal; `data` events both ways. The little of Engine.IO 4 and
 * Socket.IO 5 that a terminal needs is spoken here on one WebSocket, so that its client costs what ours costs.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { WebSocket } from 'ws';
import type { Adapter, Channel, Server, ShellHost, StartOptions } from '../channel.ts';
import { startProcess } from '../processes.ts';
import { freePort, newSocket, waitForPort } from './web-socket.ts';

type Handler = (value: unknown) => void;
interface Placeholder {
  readonly _placeholder: true;
}
const isPlaceholder = (value: unknown): value is Placeholder =>
  typeof value === 'object' && value !== null && '_placeholder' in value;

class SocketIo {
  readonly socket: WebSocket;
  readonly #handlers = new Map<string, Handler>();
  #pending: readonly unknown[] | null = null;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#binary(data);
      else this.#text(data.toString());
    });
  }

  on(event: string, handler: Handler): void {
    this.#handlers.set(event, handler);
  }

  emit(event: string, ...values: readonly unknown[]): void {
    this.socket.send(`42${JSON.stringify([event, ...values])}`);
  }

  #fire(values: readonly unknown[]): void {
    this.#handlers.get(String(values[0]))?.(values[1]);
  }

  #binary(data: Buffer): void {
    const pending = this.#pending;
    this.#pending = null;
    if (pending !== null) this.#fire(pending.map((value) => (isPlaceholder(value) ? data : value)));
  }

  /** Engine.IO packet kind, then the Socket.IO packet kind where it is a message. */
  #text(text: string): void {
    if (text.startsWith('0')) this.socket.send('40');
    else if (text.startsWith('2')) this.socket.send('3');
    else if (text.startsWith('42')) this.#fire(JSON.parse(text.slice(2)) as unknown[]);
    else if (text.startsWith('45')) this.#pending = JSON.parse(text.slice(text.indexOf('-') + 1)) as unknown[];
  }
}

const toBytes = (value: unknown): Buffer => (Buffer.isBuffer(value) ? value : Buffer.from(String(value)));
const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;

/** Resolves with what the shell said first: input sent before the shell exists is dropped by the server. */
function signIn(io: SocketIo, shell: ShellHost): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    io.socket.on('error', reject);
    io.on('ssherror', (error) => {
      reject(new Error(`WebSSH2: ${String(error)}`));
    });
    io.on('connection-error', (error) => {
      reject(new Error(`WebSSH2: ${String(field(error, 'message'))}`));
    });
    io.on('authentication', (step) => {
      if (field(step, 'action') === 'request_auth')
        io.emit('authenticate', {
          username: shell.user,
          host: shell.host,
          port: shell.port,
          privateKey: shell.privateKey,
        });
      else if (field(step, 'success') === false) reject(new Error(`WebSSH2: ${String(field(step, 'message'))}`));
    });
    io.on('getTerminal', () => {
      io.emit('terminal', { rows: 24, cols: 80, term: 'xterm-256color' });
    });
    io.on('data', (data) => {
      resolve(toBytes(data));
    });
  });
}

async function open(port: number, shell: ShellHost): Promise<Channel> {
  const io = new SocketIo(newSocket(`ws://127.0.0.1:${port}/ssh/socket.io/?EIO=4&transport=websocket`));
  const first = await signIn(io, shell);
  return {
    write: (text) => {
      io.emit('data', text);
    },
    onData: (sink) => {
      io.on('data', (data) => {
        sink(toBytes(data));
      });
      sink(first);
    },
    onClose: (closed) =>
      io.socket.on('close', (code) => {
        closed(String(code));
      }),
    pause: () => {
      io.socket.pause();
    },
    resume: () => {
      io.socket.resume();
    },
    close: () => {
      io.socket.terminate();
    },
  };
}

async function start(checkout: string, options: StartOptions): Promise<Server> {
  const port = await freePort();
  const { pid, stop } = await startProcess(process.execPath, ['dist/index.js'], {
    log: path.join(options.directory, 'webssh2.log'),
    cwd: checkout,
    env: {
      NODE_ENV: 'production',
      WEBSSH2_LISTEN_IP: '127.0.0.1',
      WEBSSH2_LISTEN_PORT: String(port),
      WEBSSH2_SESSION_SECRET: 'a-secret-of-the-benchmark-and-of-nothing-else',
    },
  });
  await waitForPort(port);
  return { pid, state: { port }, stop };
}

/** Null when BENCH_WEBSSH2 is not set. @throws Error when it names no built checkout */
export function webssh2(): Adapter | null {
  const named = process.env['BENCH_WEBSSH2'];
  if (named === undefined || named === '') return null;
  const checkout = path.resolve(named);
  if (!existsSync(path.join(checkout, 'dist/index.js')))
    throw new Error(`BENCH_WEBSSH2: ${checkout} has no dist/index.js; run npm ci and npm run build there`);
  return {
    name: 'webssh2',
    start: (options) => start(checkout, options),
    open: (state, shell) => open((state as { port: number }).port, shell), // What `start` returned, maybe through JSON.
  };
}
