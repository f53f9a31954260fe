import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import { ConnectClock } from './connect-clock.ts';

describe('the deadlines of a connection', () => {
  const make = () => {
    const clock = new FakeClock();
    const late: string[] = [];
    return { clock, late, deadlines: new ConnectClock<'tcp' | 'login'>(clock, (name) => late.push(name)) };
  };
  it('run apart, and only until they are stopped', () => {
    const { clock, late, deadlines } = make();
    deadlines.start('login', 30);
    deadlines.start('tcp', 10);
    clock.advance(9);
    deadlines.stop('tcp');
    clock.advance(20);
    expect(late).toEqual([]);
    clock.advance(1);
    expect(late).toEqual(['login']);
    deadlines.stopAll();
    clock.advance(100);
    expect(late).toEqual(['login']);
  });
  it('stand still while somebody is asked, also twice at once, and then have what was left', async () => {
    const { clock, late, deadlines } = make();
    deadlines.start('login', 30);
    clock.advance(20);
    let answer: () => void = () => undefined;
    let second: () => void = () => undefined;
    const asked = deadlines.hold(() => new Promise<void>((resolve) => (answer = resolve)));
    const again = deadlines.hold(() => new Promise<void>((resolve) => (second = resolve)));
    clock.advance(1000);
    answer();
    await asked;
    clock.advance(1000);
    deadlines.start('tcp', 5);
    clock.advance(1000);
    expect(late).toEqual([]);
    second();
    await again;
    clock.advance(4);
    expect(late).toEqual([]);
    clock.advance(6);
    expect(late).toEqual(['tcp', 'login']);
  });
  it('run again when a question fails', async () => {
    const { clock, late, deadlines } = make();
    deadlines.start('login', 30);
    await expect(deadlines.hold(() => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
    clock.advance(30);
    expect(late).toEqual(['login']);
  });
});
