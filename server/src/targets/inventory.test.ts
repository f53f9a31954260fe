import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TargetBody } from '@sallyport/shared/api/targets';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import type { Storage } from '../storage/contract.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import { createInventory } from './inventory.ts';

let directory = '';
let storage: Storage;
beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-inventory-'));
  storage = await openStorage({ file: path.join(directory, 'sallyport.db') });
});
afterEach(async () => {
  await storage.close();
  rmSync(directory, { recursive: true, force: true });
});

const body: TargetBody = {
  name: 'web01', transport: 'ssh', host: 'web01.example', port: 22, subsystem: 'powershell', offers: ['powershell', 'pty'],
  credentialId: null, user: 'ann', connectTimeoutMs: 30_000, notes: '',
}; // prettier-ignore

it('keeps a target whole, and the flags that only the program may set', async () => {
  const inventory = createInventory({ storage, clock: systemClock });
  const flags = { isDemo: true, administratorOnly: true, powershellMissing: false };
  const made = await inventory.create(body, flags);
  expect(made).toMatchObject({ ...body, ...flags, lastOpenedAt: null });
  const changed = await inventory.change(made.id, { ...body, port: 2222, notes: 'rack 4' });
  expect(changed).toMatchObject({ port: 2222, notes: 'rack 4', isDemo: true, administratorOnly: true });
  expect(await inventory.byName('web01')).toEqual(changed);
  await inventory.opened(made.id);
  expect((await inventory.byId(made.id))?.lastOpenedAt).toEqual(expect.any(Number));
});

it('names what is wrong: a taken name, a missing target, a missing credential', async () => {
  const inventory = createInventory({ storage, clock: systemClock });
  await inventory.create(body);
  await expect(inventory.create(body)).rejects.toMatchObject({ code: 'name_taken' });
  await expect(inventory.change('nothing', body)).rejects.toMatchObject({ code: 'not_found' });
  await expect(inventory.create({ ...body, name: 'web02', credentialId: 'none' })).rejects.toMatchObject({
    code: 'bad_request',
  });
  expect(await inventory.delete('nothing')).toBe(false);
});
