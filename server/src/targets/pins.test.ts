import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import type { Storage } from '../storage/contract.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import { fingerprintOf, verifyHostKey } from './host-keys.ts';
import type { PresentedKey } from './host-keys.ts';
import { createKnownHosts } from './known-host-lines.ts';
import { createHostKeyStore } from './pins.ts';
import type { HostKeyStore } from './pins.ts';

let directory: string;
let storage: Storage;
let store: HostKeyStore;
const clock = new FakeClock();
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-pins-'));
  storage = await openStorage({ file: join(directory, 'sallyport.db') });
  store = createHostKeyStore({ storage, knownHosts: createKnownHosts({ storage, clock }), clock });
});
afterEach(async () => {
  await storage.close();
  rmSync(directory, { recursive: true, force: true });
});

const shown = (key = 'QUFBQQ==', type = 'ssh-ed25519'): PresentedKey => ({
  host: 'web01',
  port: 22,
  type,
  key,
  fingerprint: fingerprintOf(key),
});
const nobody = (): Promise<boolean> => Promise.resolve(false);

it('knows a key that was pinned, for its own hop chain, host and port only', async () => {
  await expect(verifyHostKey(shown(), '', store, nobody)).rejects.toMatchObject({ code: 'host_key_unknown' });
  await store.pin(shown(), '', 'ann');
  await verifyHostKey(shown(), '', store, nobody);
  for (const [key, via] of [
    [shown(), 'jump:22'],
    [{ ...shown(), port: 2222 }, ''],
    [{ ...shown(), host: 'web02' }, ''],
  ] as const)
    await expect(verifyHostKey(key, via, store, nobody)).rejects.toMatchObject({ code: 'host_key_unknown' });
  await expect(verifyHostKey(shown('QkJCQg=='), '', store, nobody)).rejects.toMatchObject({
    code: 'host_key_changed',
  });
});

it('lists pins with their fingerprint and forgets one on demand', async () => {
  await store.pin(shown(), '', 'ann');
  const [pin] = await store.list();
  expect(pin).toMatchObject({
    host: 'web01',
    port: 22,
    keyType: 'ssh-ed25519',
    fingerprint: fingerprintOf('QUFBQQ=='),
    acceptedBy: 'ann',
    acceptedAt: clock.now(),
  });
  expect(await store.delete(pin?.id ?? '')).toBe(true);
  expect(await store.delete(pin?.id ?? '')).toBe(false);
  await expect(verifyHostKey(shown(), '', store, nobody)).rejects.toMatchObject({ code: 'host_key_unknown' });
});

it('takes the same key twice at once, and never another one over it', async () => {
  await Promise.all([store.pin(shown(), '', 'ann'), store.pin(shown(), '', 'bob')]);
  expect(await store.list()).toHaveLength(1);
  await expect(store.pin(shown('QkJCQg=='), '', 'eve')).rejects.toMatchObject({ code: 'host_key_changed' });
  await store.pin(shown('QkJCQg==', 'ecdsa-sha2-nistp256'), '', 'ann');
  expect(await store.find('', 'web01', 22)).toHaveLength(2);
});
