import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MAX_KNOWN_HOST_LINES } from '@sallyport/shared/api/host-keys';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import type { Storage } from '../storage/contract.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import { type KnownHosts, createKnownHosts } from './known-host-lines.ts';
import { type KnownHostLine, hashName } from './known-hosts.ts';

let directory = '';
let storage: Storage;
let knownHosts: KnownHosts;
beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-lines-'));
  storage = await openStorage({ file: path.join(directory, 'sallyport.db') });
  knownHosts = createKnownHosts({ storage, clock: new FakeClock() });
});
afterEach(async () => {
  await storage.close();
  rmSync(directory, { recursive: true, force: true });
});
const line = (hosts: string, marker: KnownHostLine['marker'] = '', key = 'AAAA'): KnownHostLine => ({
  ...{ marker, hosts, keyType: 'ssh-ed25519', key },
});

it('tells what the lines say of a machine; behind a jump host only what is revoked', async () => {
  await knownHosts.add(
    [line(hashName('web01')), line('*', 'revoked', 'LOST'), line('*', 'cert-authority', 'CA')],
    'ann',
  );
  const key = { keyType: 'ssh-ed25519', key: 'AAAA' };
  expect(await knownHosts.about('', 'web01', 22)).toMatchObject({ keys: [key], revoked: ['LOST'] });
  expect(await knownHosts.about('bastion:22', 'web01', 22)).toEqual({ keys: [], revoked: ['LOST'] });
  expect(await knownHosts.about('', 'web01', 2222)).toEqual({ keys: [], revoked: ['LOST'] });
});

it('adds a line once, and forgets one that is deleted at once', async () => {
  expect(await knownHosts.fresh([line('a'), line('a'), line('b')])).toEqual([line('a'), line('b')]);
  await knownHosts.add([line('a')], 'ann');
  expect(await knownHosts.fresh([line('a'), line('b')])).toEqual([line('b')]);
  const [row] = await knownHosts.list();
  expect(await knownHosts.delete(row?.id ?? '')).toBe(true);
  expect((await knownHosts.about('', 'a', 22)).keys).toEqual([]);
});

it('takes no more lines than a connection can look at', async () => {
  const many = Array.from({ length: MAX_KNOWN_HOST_LINES }, (_, n) => line(`h${String(n)}`));
  await expect(knownHosts.fresh([...many, line('one more')])).rejects.toMatchObject({ code: 'payload_too_large' });
  expect(await knownHosts.fresh(many)).toHaveLength(MAX_KNOWN_HOST_LINES);
});
