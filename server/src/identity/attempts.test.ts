import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import { Attempts, addressBlock } from './attempts.ts';

describe('the block of an address', () => {
  it.each([
    ['192.0.2.200', '192.0.2.0/24'],
    ['::ffff:192.0.2.7', '192.0.2.0/24'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:0DB8:0000:0000:ffff::9', '2001:db8:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['1:2:3:4::5.6.7.8', '1:2:3:4::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', 'unknown'],
    ['not an address', 'unknown'],
  ])('of %s is %s', (address, block) => {
    expect(addressBlock(address)).toBe(block);
  });
});

describe('attempts', () => {
  it('come back one by one as the window moves', () => {
    const clock = new FakeClock();
    const attempts = new Attempts(2, clock);
    expect(attempts.take('a').allowed).toBe(true);
    clock.advance(60_000);
    expect(attempts.take('a').allowed).toBe(true);
    expect(attempts.take('a')).toEqual({ allowed: false, isNews: true, retryAfterS: 14 * 60 });
    expect(attempts.take('a')).toMatchObject({ allowed: false, isNews: false });
    expect(attempts.take('b').allowed).toBe(true);
    clock.advance(14 * 60_000);
    expect(attempts.take('a').allowed).toBe(true);
    expect(attempts.take('a')).toMatchObject({ allowed: false, retryAfterS: 60 });
  });

  it('keep a bounded number of keys', () => {
    const attempts = new Attempts(1, new FakeClock());
    for (let key = 0; key < 30_000; key++) attempts.take(String(key));
    expect(attempts.take('29999').allowed).toBe(false);
    expect(attempts.take('0').allowed).toBe(true);
  });
});
