/**
 * What every way to a runspace pool must do, whatever carries it: bytes of a subsystem, or the messages of WS-Management.
 * At its end is the lab's stand-in. Run it with `poolContract('SSH', async () => fixture)`.
 */
import { randomUUID } from 'node:crypto';
import { consoleHostInfo, typedLineCommands, versionTable } from '@sallyport/psrp';
import type { ClientEvent, HostCall } from '@sallyport/psrp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { OpenPool, PoolChannel, PoolEnd } from '../../server/src/transports/contract.ts';
import { codeOfRejection } from '../lab/ssh-target.ts';

/** A signed-in way to pools. */
export interface PoolWay {
  readonly openPool: OpenPool;
  close(): Promise<void>;
}
export interface PoolFixture {
  /** The suite closes it. */
  connect(): Promise<PoolWay>;
  /** Rejects with what `connect` gives when its signal is aborted already. */
  connectAborted(): Promise<unknown>;
  stop(): Promise<void>;
}

const WAIT_MS = 60_000;

/** A pool and all that it told. */
class Watched {
  readonly channel: PoolChannel;
  readonly events: ClientEvent[] = [];
  readonly ends: PoolEnd[] = [];
  /** Called with every event, in its turn. */
  onEvent: (event: ClientEvent) => void = () => undefined;
  #look: () => void = () => undefined;

  constructor(openPool: OpenPool) {
    this.channel = openPool(
      { poolId: randomUUID(), newId: () => randomUUID() },
      {
        events: (events) => {
          for (const event of events) {
            this.events.push(event);
            this.onEvent(event);
          }
          // What was acknowledged may let more go out.
          this.channel.send();
          this.#look();
        },
        leftChanged: () => undefined,
        closed: (end) => {
          this.ends.push(end);
          this.#look();
        },
      },
    );
  }

  /** Resolves when `check` holds; rejects with the last events when it does not in time. */
  until(check: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`not seen; ${JSON.stringify(this.events.slice(-5).map(({ type }) => type))}`)),
        WAIT_MS,
      );
      this.#look = () => {
        if (!check()) return;
        clearTimeout(timer);
        this.#look = () => undefined;
        resolve();
      };
      this.#look();
    });
  }

  async open(): Promise<void> {
    await this.channel.connect();
    this.channel.open({
      hostInfo: consoleHostInfo({ cols: 80, rows: 24, title: 'web01' }),
      applicationArguments: versionTable(),
    });
    await this.until(() => this.channel.client.state === 'Opened');
  }
  run(line: string): string {
    const pipelineId = this.channel.client.createPipeline({ commands: typedLineCommands(line) });
    this.channel.send();
    return pipelineId;
  }
  /** States of a pipeline, in order. */
  states = (id: string): string[] =>
    this.events.flatMap((event) => (event.type === 'pipelineState' && event.pipelineId === id ? [event.state] : []));
  calls = (id: string): HostCall[] =>
    this.events.flatMap((event) => (event.type === 'hostCall' && event.pipelineId === id ? [event.call] : []));
  /** What a pipeline wrote, line by line. */
  lines = (id: string): string[] =>
    this.calls(id).flatMap((call) => (call.method === 'WriteLine2' ? [call.parameters.text] : []));
  async ended(id: string): Promise<string> {
    await this.until(() => this.states(id).length > 0);
    return this.states(id).join();
  }
}

/** Registers the suite. */
export function poolContract(name: string, setup: () => Promise<PoolFixture>): void {
  describe(`pool contract: ${name}`, () => {
    let fixture: PoolFixture;
    const ways: PoolWay[] = [];
    const pools: Watched[] = [];
    const open = async (): Promise<Watched> => {
      const way = await fixture.connect();
      ways.push(way);
      const pool = new Watched(way.openPool);
      pools.push(pool);
      await pool.open();
      return pool;
    };
    beforeAll(async () => {
      fixture = await setup();
    });
    afterEach(async () => {
      await Promise.all(pools.splice(0).map(({ channel }) => channel.close()));
      await Promise.all(ways.splice(0).map((way) => way.close()));
    });
    afterAll(() => fixture.stop());

    it('opens a pool, and tells all that a pipeline says before its end, which comes once', async () => {
      const pool = await open();
      for (let i = 0; i < 3; i++) {
        const id = pool.run('1+1');
        expect(await pool.ended(id)).toBe('Completed');
        expect(pool.lines(id)).toEqual(['2']);
        const last = pool.events.findLast((event) => 'pipelineId' in event && event.pipelineId === id);
        expect(last?.type).toBe('pipelineState');
        pool.channel.client.closePipeline(id);
        pool.channel.send();
      }
      expect(pool.ends).toEqual([]);
    });

    it('tells nothing while it is paused, and loses nothing', async () => {
      const pool = await open();
      let isPaused = false;
      let told = 0;
      pool.onEvent = (event) => {
        // What came with the same read is told to the end.
        if (event.type !== 'hostCall' || isPaused || ++told % 100 !== 0) return;
        isPaused = true;
        queueMicrotask(() => {
          const before = pool.events.length;
          pool.channel.pause();
          setImmediate(() => {
            expect(pool.events.length, 'told while paused').toBe(before);
            isPaused = false;
            pool.channel.resume();
          });
        });
      };
      const id = pool.run('1..3000');
      expect(await pool.ended(id)).toBe('Completed');
      expect(pool.lines(id).map(Number)).toEqual(Array.from({ length: 3000 }, (_, i) => i + 1));
      expect(told).toBeGreaterThanOrEqual(100);
    });

    it('takes an answer and a stop while output is waited for', async () => {
      const pool = await open();
      const asking = pool.run('$Host.UI.RawUI.ReadKey()');
      await pool.until(() => pool.calls(asking).length > 0);
      const [call] = pool.calls(asking);
      if (call?.method !== 'ReadKey') throw new Error('another call');
      const key = { virtualKeyCode: 65, character: 'a', controlKeyState: 0, keyDown: true };
      pool.channel.client.respondHostCall(call, { result: key });
      pool.channel.send();
      expect(await pool.ended(asking)).toBe('Completed');
      expect(pool.lines(asking)).toEqual(['key 65']);
      pool.channel.client.closePipeline(asking);
      const sleeping = pool.run('Start-Sleep 600');
      pool.channel.client.stop(sleeping);
      pool.channel.send();
      expect(await pool.ended(sleeping)).toBe('Stopped');
    });

    it('closes once, also when asked again and paused, and tells nothing after', async () => {
      const pool = await open();
      pool.run('Start-Sleep 600');
      pool.channel.pause();
      await Promise.all([pool.channel.close(), pool.channel.close()]);
      const { length } = pool.events;
      pool.channel.resume();
      pool.channel.send();
      pool.channel.pause();
      await new Promise((resolve) => setImmediate(resolve));
      expect(pool.events).toHaveLength(length);
      expect(pool.ends.length).toBeLessThanOrEqual(1);
    });

    it('does not connect for somebody who is gone', async () => {
      expect(await codeOfRejection(fixture.connectAborted())).toBe('cancelled');
    });
  });
}
