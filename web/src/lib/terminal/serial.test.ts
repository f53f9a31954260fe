import { describe, expect, it } from 'vitest';
import { Serial } from './serial.ts';

describe('jobs', () => {
  it('run at once when nothing is under way, and in order when something is', () => {
    const serial = new Serial();
    const seen: string[] = [];
    let finish: () => void = () => undefined;
    serial.push((next) => {
      seen.push('a');
      next();
    });
    serial.push((next) => {
      seen.push('b');
      finish = next;
    });
    serial.push((next) => {
      seen.push('c');
      serial.push((inner) => {
        seen.push('d');
        inner();
      });
      next();
    });
    expect(seen).toEqual(['a', 'b']);
    expect(serial.isBusy).toBe(true);
    finish();
    finish();
    expect(seen).toEqual(['a', 'b', 'c', 'd']);
    expect(serial.isBusy).toBe(false);
  });
});
