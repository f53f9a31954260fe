import { Socket } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/contracts/fake-clock.ts';
import { SshChannel } from './channel.ts';

/** The target's side of a channel: what `push` takes, ssh2 would have read. */
class FakeStream extends Duplex {
  readonly stderr = new PassThrough();
  override _read(): void {
    // Pushed from outside.
  }
  override _write(_chunk: unknown, _encoding: unknown, done: () => void): void {
    done();
  }
}

function open(isPty: boolean) {
  const stream = new FakeStream();
  const got: number[] = [];
  const clock = new FakeClock();
  let isClosed: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => (isClosed = resolve));
  const owner = { socket: new Socket(), clock, lost: () => null, gone: () => undefined };
  const events = {
    data: (bytes: Uint8Array) => got.push(bytes.length),
    drain: () => undefined,
    closed: () => isClosed(),
  };
  const channel = new SshChannel(stream as unknown as ClientChannel, owner, events, isPty);
  channel.start();
  return { stream, got, channel, closed, clock };
}
const total = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0);
/** One read of the socket: the next tick and the stream's own turn have passed after it. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('an SSH channel', () => {
  it('delivers small pieces in the turn they come, however fast they follow', async () => {
    const { stream, got } = open(true);
    for (let n = 1; n <= 5; n += 1) {
      stream.push(Buffer.alloc(100));
      await turn();
      expect(got.length).toBe(n);
    }
  });

  it('gathers what follows a large piece, and delivers it without another read', async () => {
    const { stream, got, clock } = open(true);
    for (let n = 0; n < 3; n += 1) {
      stream.push(Buffer.alloc(4096));
      await turn();
    }
    expect(got).toEqual([4096]);
    clock.advance(2);
    expect(got).toEqual([4096, 8192]);
    clock.advance(2);
    stream.push(Buffer.alloc(4096));
    await turn();
    expect(got).toEqual([4096, 8192, 4096]);
    expect(clock.waiting).toBe(0);
  });

  it('does not gather beyond 64 KiB', async () => {
    const { stream, got } = open(true);
    stream.push(Buffer.alloc(4096));
    await turn();
    for (let n = 0; n < 16; n += 1) stream.push(Buffer.alloc(4096));
    await turn();
    expect(got).toEqual([4096, 65536]);
  });

  it('keeps every byte before its end, gathered or not', async () => {
    const { stream, got, closed } = open(true);
    stream.push(Buffer.alloc(4096));
    await turn();
    stream.push(Buffer.alloc(5000));
    await turn();
    stream.emit('close');
    await closed;
    expect(total(got)).toBe(9096);
  });

  it('delivers nothing while it is paused, and all after it', async () => {
    const { stream, got, channel, clock } = open(true);
    stream.push(Buffer.alloc(4096));
    await turn();
    stream.push(Buffer.alloc(4096));
    await turn();
    channel.pause();
    clock.advance(10);
    expect(got).toEqual([4096]);
    channel.resume();
    await turn();
    expect(got).toEqual([4096, 4096]);
  });

  it('gives what a paused stream holds in pieces, and heeds a pause between them', async () => {
    const { stream, got, channel, clock } = open(true);
    channel.pause();
    for (let n = 0; n < 512; n += 1) stream.push(Buffer.alloc(4096));
    channel.resume();
    while (got.length < 3) await turn();
    channel.pause();
    const before = [...got];
    for (let n = 0; n < 5; n += 1) await turn();
    expect(got).toEqual(before);
    channel.resume();
    while (total(got) < 512 * 4096) {
      await turn();
      clock.advance(1); // The last piece is gathered for a while.
    }
    expect(Math.max(...got)).toBeLessThanOrEqual(65536);
  });

  it('never waits where no page draws it', async () => {
    const { stream, got } = open(false);
    for (let n = 1; n <= 5; n += 1) {
      stream.push(Buffer.alloc(8192));
      await turn();
      expect(got.length).toBe(n);
    }
  });
});
