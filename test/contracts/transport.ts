/** What every transport must do. Run it with `transportContract('ssh', async () => fixture)`. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Connection } from '../../server/src/transports/contract.ts';
import { Collector } from '../lab/collector.ts';
import { codeOfRejection } from '../lab/ssh-target.ts';

export interface TransportFixture {
  /** A new signed-in connection; the suite closes it. */
  connect(): Promise<Connection>;
  /** Rejects with what `connect` gives when `signal` is aborted already. */
  connectAborted(): Promise<Connection>;
  /** A subsystem that sends back every byte. */
  readonly echoSubsystem: string;
  stop(): Promise<void>;
}

const SIZE = { cols: 80, rows: 24, term: 'xterm-256color' } as const;
const MIB = 1024 * 1024;
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const line = (text: string): Uint8Array => Buffer.from(`${text}\n`);

/** Registers the suite. */
export function transportContract(name: string, setup: () => Promise<TransportFixture>): void {
  describe(`transport contract: ${name}`, () => {
    let fixture: TransportFixture;
    const open: Connection[] = [];
    const connect = async (): Promise<Connection> => {
      const connection = await fixture.connect();
      open.push(connection);
      return connection;
    };
    beforeAll(async () => {
      fixture = await setup();
    });
    afterAll(async () => {
      await Promise.all(open.map((connection) => connection.close()));
      await fixture.stop();
    });

    it('runs a shell in a PTY and reports its exit status once and last', async () => {
      const connection = await connect();
      const seen = new Collector();
      const pty = await connection.openPty(SIZE, seen);
      pty.write(line('echo $((40+2))x; exit 7'));
      expect(await seen.ended).toEqual({ exitCode: 7, signal: null, error: null });
      expect(seen.text()).toContain('42x');
      await connection.close();
      expect(seen.late).toEqual([]);
    });

    it('gives the PTY its size and each new one', async () => {
      const seen = new Collector();
      const pty = await (await connect()).openPty({ ...SIZE, cols: 101, rows: 31 }, seen);
      pty.write(line('stty size; echo rea""dy'));
      await seen.untilText('31 101');
      await seen.untilText('ready');
      pty.resize(77, 19);
      pty.write(line('stty size; exit'));
      await seen.ended;
      expect(seen.text()).toContain('19 77');
    });

    it('reports the signal that ended the shell', async () => {
      const seen = new Collector();
      const pty = await (await connect()).openPty(SIZE, seen);
      pty.write(line('echo rea""dy'));
      await seen.untilText('ready');
      pty.write(line('kill -KILL $$'));
      expect(await seen.ended).toEqual({ exitCode: null, signal: 'KILL', error: null });
    });

    it('passes every byte through a subsystem, both ways', async () => {
      const seen = new Collector();
      const channel = await (await connect()).openSubsystem(fixture.echoSubsystem, seen);
      const sent = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 31) & 0xff));
      for (let at = 0; at < sent.length; at += 997) channel.write(sent.subarray(at, at + 997));
      await seen.until(() => seen.bytes >= sent.length);
      expect(sha(seen.buffer())).toBe(sha(sent));
      await channel.close();
    });

    it('keeps every byte of 10 MiB while reading is stopped and started', async () => {
      const connection = await connect();
      const seen = new Collector();
      const channel = await connection.openSubsystem(fixture.echoSubsystem, seen);
      const block = Buffer.from(Array.from({ length: MIB }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
      let isPaused = false;
      let pauses = 0;
      const take = seen.data.bind(seen);
      seen.data = (bytes) => {
        expect(isPaused, 'data while paused').toBe(false);
        take(bytes);
        if (++pauses % 5 !== 0) return;
        isPaused = true;
        channel.pause();
        setImmediate(() => {
          isPaused = false;
          channel.resume();
        });
      };
      for (let i = 0; i < 10; i++) {
        const before = seen.drains;
        if (!channel.write(block)) await seen.until(() => seen.drains > before);
      }
      await seen.until(() => seen.bytes >= 10 * MIB);
      expect(sha(seen.buffer())).toBe(sha(Buffer.concat(Array.from({ length: 10 }, () => block))));
      await channel.close();
    });

    it('stops the target while it is not read, and loses nothing', async () => {
      const stopped = new Collector();
      const channel = await (await connect()).openSubsystem(fixture.echoSubsystem, stopped);
      const neighbour = new Collector();
      const other = await (await connect()).openSubsystem(fixture.echoSubsystem, neighbour);
      /** Time in which a target that were not stopped would have moved: some round trips of another connection. */
      const meanwhile = async (): Promise<boolean> => {
        for (let i = 0; i < 40; i++) {
          const before = neighbour.bytes;
          other.write(Buffer.from('x'));
          await neighbour.until(() => neighbour.bytes > before);
        }
        return false;
      };
      channel.pause();
      const block = Buffer.alloc(256 * 1024, 'q');
      let accepted = 0;
      for (let isMoving = true; isMoving && accepted < 32 * MIB;) {
        const before = stopped.drains;
        accepted += block.length;
        if (channel.write(block)) continue;
        const drained = stopped.until(() => stopped.drains > before).then(() => true);
        isMoving = await Promise.race([drained, meanwhile()]);
      }
      expect(stopped.bytes).toBe(0);
      expect(accepted).toBeLessThan(16 * MIB);
      channel.resume();
      await stopped.until(() => stopped.bytes >= accepted);
      expect(stopped.bytes).toBe(accepted);
      await channel.close();
    });

    it('refuses a subsystem that is not there with subsystem_refused', async () => {
      const connection = await connect();
      expect(await codeOfRejection(connection.openSubsystem('nosuch', new Collector()))).toBe('subsystem_refused');
    });

    it('closes a channel once, also when asked again, and leaves the others alone', async () => {
      const connection = await connect();
      const first = new Collector();
      const second = new Collector();
      const channel = await connection.openSubsystem(fixture.echoSubsystem, first);
      const other = await connection.openSubsystem(fixture.echoSubsystem, second);
      await Promise.all([channel.close(), channel.close()]);
      expect((await first.ended).error).toBeNull();
      expect(channel.write(Buffer.from('x'))).toBe(true);
      other.write(Buffer.from('still'));
      await second.untilText('still');
      await other.close();
      expect([...first.late, ...second.late]).toEqual([]);
    });

    it('closes its channels, also a stopped one, with the connection', async () => {
      const connection = await connect();
      const seen = new Collector();
      const pty = await connection.openPty(SIZE, seen);
      pty.write(line('yes'));
      await seen.until(() => seen.bytes > MIB);
      pty.pause();
      await Promise.all([connection.close(), connection.close()]);
      await seen.ended;
      expect(await codeOfRejection(connection.openPty(SIZE, new Collector()))).toBe('target_lost');
    });

    it('does not connect for somebody who is gone', async () => {
      expect(await codeOfRejection(fixture.connectAborted())).toBe('cancelled');
    });
  });
}
