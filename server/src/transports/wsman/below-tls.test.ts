import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { BelowTls } from './below-tls.ts';

const open: { destroy(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.destroy();
});

/** Both ends of a TCP connection, ours as what TLS is made on. */
async function pair(): Promise<{ ours: BelowTls; theirs: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const { port } = server.address() as AddressInfo; // Of a TCP server.
  const socket = connect(port, '127.0.0.1');
  const connected = once(socket, 'connect');
  const [theirs] = (await accepted) as [Socket];
  await connected;
  const ours = new BelowTls(socket);
  server.close();
  open.push(ours, theirs);
  return { ours, theirs };
}

const BYTES = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251));

it('gives what came, in pieces that are no larger than what TLS begins with', async () => {
  const { ours, theirs } = await pair();
  theirs.end(BYTES);
  const pieces: Buffer[] = [];
  // As TLS takes it.
  ours.on('data', (piece: Buffer) => pieces.push(piece));
  await once(ours, 'end');
  expect(Buffer.concat(pieces).equals(BYTES)).toBe(true);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(4096);
});

it('writes what it is given, and its end', async () => {
  const { ours, theirs } = await pair();
  ours.end(BYTES);
  const pieces: Buffer[] = [];
  for await (const piece of theirs) pieces.push(piece as Buffer);
  expect(Buffer.concat(pieces).equals(BYTES)).toBe(true);
});

it('ends with the socket, and ends it', async () => {
  const broken = await pair();
  const failed = once(broken.ours, 'error') as Promise<[NodeJS.ErrnoException]>;
  broken.theirs.resetAndDestroy();
  expect((await failed)[0].code).toBe('ECONNRESET');
  expect(broken.ours.destroyed).toBe(true);
  const left = await pair();
  const ended = once(left.theirs.resume(), 'end');
  left.ours.destroy();
  await ended;
});

it('holds back a sender while nobody reads', async () => {
  const { ours, theirs } = await pair();
  let isTaken = false;
  theirs.write(Buffer.alloc(32 * 1024 * 1024), () => (isTaken = true));
  await once(ours, 'readable');
  // What is kept here stays small, whatever the kernels keep.
  expect(ours.readableLength).toBeLessThan(1024 * 1024);
  expect(isTaken).toBe(false);
  const drained = once(theirs, 'drain');
  ours.resume();
  await drained;
  expect(isTaken).toBe(true);
});
