import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MAX_HOPS, type Target, type TargetBody, TargetBody as TargetBodySchema } from '@sallyport/shared/api/targets';
import { type WsManMethod, WsManSettings } from '@sallyport/shared/api/wsman';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import type { CredentialRecord, Storage } from '../storage/contract.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import { createInventory, hopsOf } from './inventory.ts';

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
  credentialId: null, user: 'ann', connectTimeoutMs: 30_000, viaTargetId: null, relaxations: [], files: 'off', usingCredentials: [], wsman: null,
  notes: '',
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

const winrm: TargetBody = {
  ...body, name: 'win01', transport: 'wsman', port: 5986, offers: ['powershell'],
  wsman: WsManSettings.parse({ method: 'kerberos', trust: { pin: 'ab'.repeat(32) } }),
}; // prettier-ignore

it('keeps a target over WinRM whole, and lets no way lead over it', async () => {
  const inventory = createInventory({ storage, clock: systemClock });
  const made = await inventory.create(winrm);
  expect(made).toMatchObject(winrm);
  expect((await storage.targets.byId(made.id))?.transport).toBe('wsman');
  const behind = { ...body, viaTargetId: made.id };
  await expect(inventory.create(behind)).rejects.toMatchObject({ code: 'jump_chain' });
  const plain = await inventory.create({ ...winrm, name: 'bastion', transport: 'ssh', wsman: null });
  await inventory.create({ ...behind, viaTargetId: plain.id });
  await expect(inventory.change(plain.id, { ...winrm, name: 'bastion' })).rejects.toMatchObject({ code: 'jump_chain' });
});

it('takes for each transport only what it has', () => {
  const isTaken = (more: Partial<TargetBody>): boolean => TargetBodySchema.safeParse({ ...winrm, ...more }).success;
  expect(isTaken({})).toBe(true);
  for (const bad of [
    { wsman: null },
    { transport: 'ssh' },
    { offers: ['pty'] },
    { offers: ['powershell', 'pty'] },
    { relaxations: ['mac-sha1'] },
    { wsman: WsManSettings.parse({ method: 'basic', certificateThumbprint: 'ab'.repeat(20) }) },
    { wsman: WsManSettings.parse({ certificateThumbprint: 'ab'.repeat(32) }) },
  ] satisfies Partial<TargetBody>[])
    expect([bad, isTaken(bad)]).toEqual([bad, false]);
  const named = { method: 'certificate', certificateThumbprint: 'ab'.repeat(20) };
  expect(isTaken({ wsman: WsManSettings.parse(named) })).toBe(true);
  for (const bad of [
    { applicationName: '../x y' },
    { trust: { pin: 'AB' } },
    { operationTimeoutMs: 5 },
    { method: 'x' },
  ])
    expect([bad, WsManSettings.safeParse(bad).success]).toEqual([bad, false]);
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

it.each<[CredentialRecord['kind'], WsManMethod | 'ssh', boolean]>([
  ['certificate', 'certificate', true],
  ['certificate', 'basic', false],
  ['certificate', 'default', false],
  ['certificate', 'ssh', false],
  ['password', 'kerberos', true],
  ['password', 'certificate', false],
  ['password', 'ssh', true],
  ['privateKey', 'negotiate', false],
  ['privateKey', 'ssh', true],
])('takes a credential that the way to sign in can use: %s for %s', async (kind, method, isTaken) => {
  const inventory = createInventory({ storage, clock: systemClock });
  const facts = { user: '', publicFacts: '', certificate: null, sealed: new Uint8Array([1]), createdAt: 0 };
  await storage.credentials.insert({ ...facts, id: 'c', label: 'c', kind });
  const of = (name: string, credentialId: string | null): TargetBody => ({
    ...(method === 'ssh' ? body : { ...winrm, wsman: WsManSettings.parse({ method }) }),
    ...{ name, credentialId },
  });
  const refusal = { code: 'target_auth_unsupported' };
  const { id } = await inventory.create(of('typed', null));
  if (isTaken) await inventory.change(id, of('kept', 'c'));
  else {
    await expect(inventory.check(null, of('new', 'c'))).rejects.toMatchObject(refusal);
    await expect(inventory.change(id, of('kept', 'c'))).rejects.toMatchObject(refusal);
  }
  expect((await inventory.byId(id))?.credentialId).toBe(isTaken ? 'c' : null);
});

describe('jump hosts', () => {
  const over = (name: string, via: Target | null): TargetBody => ({ ...body, name, viaTargetId: via?.id ?? null });

  it('gives the way in its order, and refuses one that is too long', async () => {
    const inventory = createInventory({ storage, clock: systemClock });
    let last: Target | null = null;
    for (let n = 0; n <= MAX_HOPS; n++) last = await inventory.create(over(`h${n}`, last));
    if (last === null) throw new Error('none made');
    expect((await inventory.hopsOf(last)).map(({ name }) => name)).toEqual(['h0', 'h1', 'h2', 'h3']);
    await expect(inventory.create(over('too far', last))).rejects.toMatchObject({ code: 'jump_chain' });
    // Also when the way gets longer in front of it.
    const first = await inventory.byName('h0');
    const before = await inventory.create(over('before', null));
    await expect(inventory.change(first?.id ?? '', over('h0', before))).rejects.toMatchObject({ code: 'jump_chain' });
  });

  it('refuses a circle, a hop that is not there, and the deletion of one in use', async () => {
    const inventory = createInventory({ storage, clock: systemClock });
    const bastion = await inventory.create(over('bastion', null));
    const inner = await inventory.create(over('inner', bastion));
    for (const via of [inner, bastion])
      await expect(inventory.change(bastion.id, over('bastion', via))).rejects.toMatchObject({ code: 'jump_chain' });
    await expect(inventory.create({ ...body, viaTargetId: 'nothing' })).rejects.toMatchObject({ code: 'jump_chain' });
    await expect(inventory.delete(bastion.id)).rejects.toMatchObject({ code: 'target_in_use' });
    // The database holds it as well, should two acts cross.
    await expect(storage.targets.delete(bastion.id)).rejects.toThrow();
    await inventory.change(inner.id, over('inner', null));
    expect(await inventory.delete(bastion.id)).toBe(true);
  });

  it('refuses a limit for objects above that of the gateway', async () => {
    const inventory = createInventory({ storage, clock: systemClock, maxObjectBytes: 1024 * 1024 });
    const over = (maxObjectBytes: number | null): TargetBody => ({
      ...{ ...body, name: 'limits', transport: 'wsman', offers: ['powershell'] },
      wsman: WsManSettings.parse({ maxObjectBytes }),
    });
    await expect(inventory.check(null, over(1024 * 1024 + 1))).rejects.toMatchObject({ code: 'object_limit' });
    await inventory.check(null, over(null));
    const { id } = await inventory.create(over(1024 * 1024));
    await expect(inventory.change(id, over(2 * 1024 * 1024))).rejects.toMatchObject({ code: 'object_limit' });
    await inventory.delete(id);
  });

  it('lets of two changes that cross only one through, if both would be a circle', async () => {
    const inventory = createInventory({ storage, clock: systemClock });
    const [a, b] = [await inventory.create(over('a', null)), await inventory.create(over('b', null))];
    const ends = await Promise.allSettled([inventory.change(a.id, over('a', b)), inventory.change(b.id, over('b', a))]);
    expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    for (const one of await inventory.list()) await inventory.hopsOf(one);
  });

  it('notices a circle in the data before it goes round', () => {
    const row = (id: string, viaTargetId: string | null) => ({ id, viaTargetId });
    const [a, b, c] = [row('a', 'b'), row('b', 'c'), row('c', 'b')];
    expect(() => hopsOf(a, [a, b, c])).toThrow(expect.objectContaining({ code: 'jump_chain' }) as Error);
  });
});
