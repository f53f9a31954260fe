import type { ReplayEvent } from '@sallyport/shared/api/sessions';
import { describe, expect, it } from 'vitest';
import { PlayerController } from './player-controller.ts';
import { commandTimes, idleParts, readEvents } from './timeline.ts';

const event = (index: number, timeMs: number, type: ReplayEvent['type'] = 'output'): ReplayEvent => ({
  index,
  timeMs,
  offset: index,
  type,
});
const EVENTS = [event(0, 0), event(1, 100), event(2, 1000), event(3, 61_000), event(4, 61_500, 'end')];
const nothing = (): void => undefined;

function fixture(): { player: PlayerController; shown: string[]; frame: (ms: number) => void } {
  const shown: string[] = [];
  let pending: ((now: number) => void) | null = null;
  let now = 0;
  const player = new PlayerController(
    EVENTS,
    { reset: () => shown.push('reset'), show: ({ index }) => shown.push(String(index)) },
    (run) => {
      pending = run;
      return () => (pending = null);
    },
    nothing,
  );
  const frame = (ms: number): void => {
    now += ms;
    const run = pending;
    pending = null;
    run?.(now);
  };
  return { player, shown, frame };
}

describe('the player', () => {
  it('shows each event once, when its time has come', () => {
    const { player, shown, frame } = fixture();
    player.play();
    frame(16);
    expect(shown).toEqual(['0']);
    frame(50);
    frame(60);
    expect(shown).toEqual(['0', '1']);
    expect(player.isPlaying).toBe(true);
  });

  it('jumps over long pauses, or plays them when told to', () => {
    const skipping = fixture();
    skipping.player.play();
    skipping.frame(0);
    skipping.frame(1000);
    skipping.frame(1999);
    expect(skipping.player.positionMs).toBe(2999);
    skipping.frame(2);
    expect(skipping.player.positionMs).toBe(61_000);
    const whole = fixture();
    whole.player.skipsIdle = false;
    whole.player.play();
    whole.frame(0);
    whole.frame(1000);
    whole.frame(5000);
    expect(whole.player.positionMs).toBe(6000);
  });

  it('plays at the chosen speed', () => {
    const { player, frame } = fixture();
    player.changeSpeed(1);
    player.play();
    frame(0);
    frame(100);
    expect(player.positionMs).toBe(200);
    player.changeSpeed(1);
    player.changeSpeed(1);
    expect(player.speed).toBe(8);
    player.changeSpeed(-1);
    expect(player.speed).toBe(2);
  });

  it('seeks forwards without drawing anew, and backwards from a clean screen', () => {
    const { player, shown } = fixture();
    player.seek(1000);
    expect(shown).toEqual(['0', '1', '2']);
    player.seek(61_200);
    expect(shown).toEqual(['0', '1', '2', '3']);
    player.seek(50);
    expect(shown).toEqual(['0', '1', '2', '3', 'reset', '0']);
    player.seek(-5);
    expect(player.positionMs).toBe(0);
    player.seek(1e9);
    expect(player.positionMs).toBe(61_500);
  });

  it('stops at the end, and plays again from the start', () => {
    const { player, shown, frame } = fixture();
    player.seek(61_400);
    player.play();
    frame(0);
    frame(500);
    expect([player.isPlaying, player.isAtEnd]).toEqual([false, true]);
    shown.length = 0;
    player.play();
    expect(shown).toEqual(['reset', '0']);
  });

  it('does nothing with a recording of nothing', () => {
    const player = new PlayerController([], { reset: nothing, show: nothing }, () => nothing, nothing);
    player.seek(10);
    expect([player.positionMs, player.durationMs]).toEqual([0, 0]);
  });
});

describe('the timeline', () => {
  it('knows the pauses', () => {
    expect(idleParts(EVENTS)).toEqual([{ fromMs: 3000, toMs: 61_000 }]);
  });

  it('knows when each command began', () => {
    const events: ReplayEvent[] = [
      { ...event(0, 5, 'command'), number: 1, state: 'running' },
      { ...event(1, 9, 'command'), number: 1, state: 'completed' },
      { ...event(2, 12, 'command'), number: 2, state: 'running' },
    ];
    expect(commandTimes(events)).toEqual([
      { number: 1, timeMs: 5, offset: 0 },
      { number: 2, timeMs: 12, offset: 2 },
    ]);
  });

  it('is read from lines that are cut anywhere', async () => {
    const bytes = new TextEncoder().encode(EVENTS.map((one) => JSON.stringify(one)).join('\n'));
    for (const size of [1, 7, 1000]) {
      const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
        start(controller) {
          for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
          controller.close();
        },
      });
      const read: ReplayEvent[] = [];
      for await (const one of readEvents(stream)) read.push(one);
      expect(read).toEqual(EVENTS);
    }
  });
});
