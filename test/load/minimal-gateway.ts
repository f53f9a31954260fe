/**
 * The least that a correct Node gateway does, as the practical floor: WebSocket to ssh2 shell, binary frames, back-pressure
 * both ways, no parsing, no people. What one socket read brought goes out as one frame (`batch`); the SSH socket yields to
 * the event loop after 64 KiB (`fair`); each chunk is also appended to a file with time and length (`rec`).
 * Run as a program: `minimal-gateway PORT DIRECTORY`, the shell host as JSON in BENCH_SHELL.
 */
import { createWriteStream, type WriteStream } from 'node:fs';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import ssh2 from 'ssh2';
import { WebSocketServer, type WebSocket } from 'ws';
import type { ShellHost } from './channel.ts';

/** Bytes that wait in a socket before the shell is paused. */
const HIGH_WATER_BYTES = 256 * 1024;
/** Bytes of one SSH socket before another one gets its turn. */
const FAIR_BYTES = 64 * 1024;
const RECORD_BUFFER_BYTES = 1024 * 1024;

const [port, directory = '.'] = process.argv.slice(2);
const shell = JSON.parse(process.env['BENCH_SHELL'] ?? '') as ShellHost; // Written by adapters/minimal.ts.
let serial = 0;

class Recorder {
  readonly file: WriteStream;
  readonly #startedAt = performance.now();

  constructor() {
    serial += 1;
    const name = path.join(directory, `recording-${process.pid}-${serial}`);
    this.file = createWriteStream(name, { highWaterMark: RECORD_BUFFER_BYTES });
  }

  /** 4 (milliseconds) + 4 (length) + bytes. @returns false when the file cannot keep up */
  write(bytes: Buffer): boolean {
    const head = Buffer.allocUnsafe(8);
    head.writeUInt32LE(Math.round(performance.now() - this.#startedAt), 0);
    head.writeUInt32LE(bytes.length, 4);
    this.file.write(head);
    return this.file.write(bytes);
  }
}

/** Joins a shell to its socket and its recording; pauses the shell while either cannot take more. */
function join(stream: ssh2.ClientChannel, socket: WebSocket): void {
  const recorder = new Recorder();
  let waits = 0;
  const release = (): void => {
    waits -= 1;
    if (waits === 0) stream.resume();
  };
  const wait = (): void => {
    waits += 1;
    stream.pause();
  };
  let batch: Buffer[] = [];
  const flush = (): void => {
    const bytes = batch.length === 1 && batch[0] !== undefined ? batch[0] : Buffer.concat(batch);
    batch = [];
    if (!recorder.write(bytes)) {
      wait();
      recorder.file.once('drain', release);
    }
    if (socket.bufferedAmount + bytes.length > HIGH_WATER_BYTES) {
      wait();
      socket.send(bytes, release);
    } else socket.send(bytes);
  };
  stream.on('data', (bytes: Buffer) => {
    if (batch.push(bytes) === 1) process.nextTick(flush);
  });
  stream.on('close', () => {
    recorder.file.end();
    socket.close();
  });
}

function yieldFairly(tcp: Socket): void {
  let read = 0;
  tcp.on('data', (bytes: Buffer) => {
    read += bytes.length;
    if (read < FAIR_BYTES) return;
    read = 0;
    tcp.pause();
    setImmediate(() => tcp.resume());
  });
}

function serve(socket: WebSocket): void {
  const early: Buffer[] = [];
  let stream: ssh2.ClientChannel | null = null;
  const client = new ssh2.Client();
  const fail = (): void => {
    socket.close(1011);
  };
  socket.on('error', () => undefined);
  socket.on('message', (bytes: Buffer) => {
    if (stream === null) early.push(bytes);
    else stream.write(bytes);
  });
  socket.on('close', () => client.end());
  client.on('error', fail);
  client.on('ready', () => {
    client.shell({ term: 'xterm-256color', cols: 80, rows: 24 }, (error, opened) => {
      if (error !== undefined) {
        fail();
        return;
      }
      stream = opened;
      for (const bytes of early) opened.write(bytes);
      join(opened, socket);
    });
  });
  const { hop, host, port: at, user: username, privateKey } = shell;
  const tcp = connect({
    ...(hop === undefined ? { host, port: at } : { host: hop.host, port: hop.port }),
    noDelay: true,
  });
  tcp.on('error', fail);
  yieldFairly(tcp);
  if (hop === undefined) {
    tcp.once('connect', () => client.connect({ sock: tcp, username, privateKey }));
    return;
  }
  const near = new ssh2.Client();
  near.on('error', fail);
  client.on('close', () => near.end());
  near.on('ready', () => {
    near.forwardOut('127.0.0.1', 0, host, at, (error, sock) => {
      if (error === undefined) client.connect({ sock, username, privateKey });
      else fail();
    });
  });
  tcp.once('connect', () => near.connect({ sock: tcp, username: hop.user, privateKey: hop.privateKey }));
}

new WebSocketServer({ port: Number(port), host: '127.0.0.1', perMessageDeflate: false }).on(
  'connection',
  (socket, request) => {
    request.socket.setNoDelay(true);
    serve(socket);
  },
);
