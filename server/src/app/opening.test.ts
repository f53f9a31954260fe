import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { OpenSession } from '@sallyport/shared/api/sessions';
import type { TargetBody } from '@sallyport/shared/api/targets';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import type { NewAuditEvent } from '../audit/contract.ts';
import type { OpeningPort } from '../broker/contract.ts';
import type { Caller } from '../http/route.ts';
import type { Action, Role } from '../policy.ts';
import type { Storage } from '../storage/contract.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import { fingerprintOf } from '../targets/host-keys.ts';
import { createInventory } from '../targets/inventory.ts';
import { createKnownHosts } from '../targets/known-host-lines.ts';
import { SallyportError } from '../errors.ts';
import { createHostKeyStore } from '../targets/pins.ts';
import type { ConnectPort, ConnectRequest, Connection } from '../transports/contract.ts';
import { createKeyAgent } from '../transports/ssh/agent.ts';
import { createCredentials } from '../vault/credentials.ts';
import { openVault } from '../vault/open.ts';
import { createAuthority } from './authority.ts';
import { keyReader } from './key-facts.ts';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { type OpeningDeps, planSession } from './opening.ts';
import { planPickUp } from './picking-up.ts';
import { reopenOf } from './reopening.ts';

const clock = new FakeClock();
const size = { cols: 80, rows: 24 };
let directory: string;
let storage: Storage;
let deps: OpeningDeps;
let events: NewAuditEvent[];
let connected: ConnectRequest[];
let closed: number;
let onConnect: (port: ConnectPort) => Promise<void>;

const connection = (): Connection => ({
  protection: 'none',
  ip: '192.0.2.7',
  port: 22,
  openTunnel: () => Promise.reject(new Error('no way on from here')),
  lost: () => null,
  openPty: () => Promise.reject(new Error('no terminal here')),
  openSubsystem: () => Promise.reject(new Error('no terminal here')),
  openFiles: () => Promise.reject(new Error('no files here')),
  closed: new Promise(() => undefined),
  close: () => {
    closed += 1;
    return Promise.resolve();
  },
});

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-opening-'));
  storage = await openStorage({ file: path.join(directory, 'sallyport.db') });
  const vault = await openVault({ keyDirectory: path.join(directory, 'keys'), storage });
  events = [];
  connected = [];
  closed = 0;
  onConnect = () => Promise.resolve();
  const knownHosts = createKnownHosts({ storage, clock });
  deps = {
    inventory: createInventory({ storage, clock }),
    credentials: createCredentials({ storage, vault, clock, keys: keyReader }),
    authority: createAuthority({ storage, vault, clock }),
    agent: createKeyAgent(null),
    files: { attach: () => undefined },
    hostKeys: createHostKeyStore({ storage, knownHosts, clock }),
    connector: {
      async connect(request, port) {
        connected.push(request);
        await onConnect(port);
        return connection();
      },
    },
    winrm: { connect: () => Promise.reject(new SallyportError('target_unreachable', 'no WinRM here')) },
    mayReach: () => true,
    maxObjectBytes: 32 * 1024 * 1024,
    subjectOf: (userId) => Promise.resolve({ userId, role: 'operator', tokenScopes: null }),
    endpoint: (host, port) => ({ host, port, resolve: () => Promise.resolve('192.0.2.7') }),
    audit: {
      append: (event) => {
        events.push(event);
        return Promise.resolve({ detail: {}, ...event, sequence: events.length, at: 0, hash: '', previousHash: '' });
      },
    },
    clock,
  };
});
afterEach(async () => {
  await storage.close();
  rmSync(directory, { recursive: true, force: true });
});

function caller(role: Role, more: Partial<Caller['principal']> = {}): Caller {
  const name = `the ${role}`;
  const actor = { userId: role, name, address: '', via: 'login' } as unknown as Caller['actor'];
  return {
    subject: { userId: role, role, tokenScopes: null },
    actor,
    principal: {
      user: { id: role, name, role } as Caller['principal']['user'],
      loginHash: 'login',
      via: 'login',
      scopes: null,
      steppedUpUntil: null,
      expiresAt: clock.now() + 1000,
      actor,
      ...more,
    },
  };
}
const targetBody = (name: string, credentialId: string | null = null): TargetBody => ({
  ...{ name, transport: 'ssh', host: name, port: 22, subsystem: 'powershell', offers: ['pty'], credentialId },
  ...{
    user: 'ann',
    connectTimeoutMs: 30_000,
    viaTargetId: null,
    relaxations: [],
    files: 'off',
    usingCredentials: [],
    wsman: null,
    notes: '',
  },
});
const password = (label: string) =>
  deps.credentials.create({ label, kind: 'password', user: 'ann', secret: `secret of ${label}`, passphrase: null });
const opening = (targetId: string, credential: OpenSession['credential']): OpenSession => ({
  ...{ to: { by: 'target', targetId }, kind: 'pty', credential, language: '' },
  ...size,
});
/** A page that answers every question with yes, after `before`. */
const yes = (before: () => Promise<void> = () => Promise.resolve()) =>
  ({
    ask: async () => {
      await before();
      return { kind: 'accept' };
    },
    facts: () => undefined,
    notice: () => undefined,
    step: () => undefined,
  }) as unknown as OpeningPort;

describe('whose credential goes where', () => {
  it('refuses an operator who would send the credential of one target to another', async () => {
    const [mine, other] = [await password('mine'), await password('other')];
    const own = await deps.inventory.create(targetBody('own', mine.id));
    await deps.inventory.create(targetBody('prized', other.id));
    const plan = (id: string, who: Caller) =>
      planSession(opening(own.id, { by: 'vault', credentialId: id }), who, deps);
    await expect(plan(other.id, caller('operator'))).rejects.toMatchObject({ code: 'forbidden' });
    expect(events.map(({ type }) => type)).toEqual(['policy.refused']);
    await plan(mine.id, caller('operator'));
    // Nor does an administrator read it there without the password once more.
    await expect(plan(other.id, caller('administrator'))).rejects.toMatchObject({ code: 'step_up_required' });
    await plan(other.id, caller('administrator', { steppedUpUntil: clock.now() + 1000 }));
    await plan(mine.id, caller('administrator'));
  });

  it('asks the same of who picks up a session that was left with it', async () => {
    const [mine, other] = [await password('mine'), await password('other')];
    const wsman = WsManSettings.parse({});
    const body = { ...targetBody('own', mine.id), transport: 'wsman', offers: ['powershell'], wsman } as const;
    const own = await deps.inventory.create({ ...body, offers: ['powershell'] });
    const open = (credentialId: string): OpenSession => ({
      ...opening(own.id, { by: 'vault', credentialId }),
      kind: 'powershell',
    });
    const again = (credentialId: string, who: Caller) => planPickUp(reopenOf(open(credentialId)), who, size, deps);
    await again(mine.id, caller('operator'));
    await expect(again(other.id, caller('operator'))).rejects.toMatchObject({ code: 'forbidden' });
    await expect(again(other.id, caller('administrator'))).rejects.toMatchObject({ code: 'step_up_required' });
    await again(other.id, caller('administrator', { steppedUpUntil: clock.now() + 1000 }));
    await expect(again(mine.id, caller('auditor'))).rejects.toMatchObject({ code: 'forbidden' });
    await deps.inventory.delete(own.id);
    await expect(again(mine.id, caller('administrator'))).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is used for a token that may use credentials only, chosen or not', async () => {
    const [mine, none] = [await password('mine'), await deps.inventory.create(targetBody('none'))];
    const own = await deps.inventory.create(targetBody('own', mine.id));
    const plan = (targetId: string, credential: OpenSession['credential'], ...scopes: Action[]) => {
      const who = caller('operator', { via: 'token' });
      return planSession(opening(targetId, credential), { ...who, subject: { ...who.subject, tokenScopes: scopes } }, deps); // prettier-ignore
    };
    const refused = { code: 'forbidden' };
    await expect(plan(own.id, { by: 'default' }, 'session.open')).rejects.toMatchObject(refused);
    await expect(plan(own.id, { by: 'vault', credentialId: mine.id }, 'session.open')).rejects.toMatchObject(refused);
    expect(events.map(({ type, subject }) => [type, subject])).toEqual([
      ['policy.refused', 'credential.use'],
      ['policy.refused', 'credential.use'],
    ]);
    await plan(own.id, { by: 'default' }, 'session.open', 'credential.use');
    await plan(none.id, { by: 'default' }, 'session.open');
  });

  it('stores a typed credential only after step-up, as the vault itself asks for it', async () => {
    const { id } = await deps.inventory.create(targetBody('own'));
    const typed = {
      user: 'ann',
      kind: 'password',
      secret: 'typed secret',
      passphrase: null,
      certificate: null,
      saveAs: 'kept',
    } as const;
    const plan = (who: Caller) => planSession(opening(id, { by: 'typed', typed }), who, deps);
    await expect(plan(caller('administrator'))).rejects.toMatchObject({ code: 'step_up_required' });
    await expect(plan(caller('operator'))).rejects.toMatchObject({ code: 'forbidden' });
    expect(await deps.credentials.list()).toEqual([]);
    await plan(caller('administrator', { steppedUpUntil: clock.now() + 1000 }));
    expect((await deps.credentials.list()).map(({ label }) => label)).toEqual(['kept']);
  });

  it('writes down to which address a credential of the vault goes', async () => {
    const { id } = await password('mine');
    const body: OpenSession = {
      ...{ to: { by: 'address', host: 'web07', port: 22, subsystem: '', winrm: null }, kind: 'pty' },
      ...{ credential: { by: 'vault', credentialId: id }, language: '', ...size },
    };
    const who = caller('administrator', { steppedUpUntil: clock.now() + 1000 });
    const { openTerminal } = await planSession(body, who, deps);
    await expect(openTerminal(yes(), size, new AbortController().signal)).rejects.toThrow('no terminal here');
    expect(events.find(({ type }) => type === 'credential.used')?.detail).toEqual({ target: 'web07' });
  });
});

describe('a session may stay', () => {
  const open = async (mayReach: (ip: string) => boolean = () => true) => {
    const { id } = await deps.inventory.create(targetBody('own'));
    const plan = await planSession(opening(id, { by: 'default' }), caller('operator'), { ...deps, mayReach });
    await expect(plan.openTerminal(yes(), size, new AbortController().signal)).rejects.toThrow('no terminal here');
    return { id, mayStay: plan.request.mayStay };
  };

  it.each<[string, Partial<TargetBody>, boolean]>([
    ['stays what it is but for its words', { notes: 'in the cellar', name: 'renamed' }, true],
    ['moves', { host: 'elsewhere' }, false],
    ['has another port', { port: 2222 }, false],
    ['offers no shell any more', { offers: ['powershell'] }, false],
  ])('while its target %s', async (_what, change, expected) => {
    const { id, mayStay } = await open();
    expect(await mayStay()).toBe(true);
    await deps.inventory.change(id, { ...targetBody('own'), ...change });
    expect(await mayStay()).toBe(expected);
  });

  it('while the inventory has its target, and the ranges its address', async () => {
    let isAllowed = true;
    const asked: string[] = [];
    const { id, mayStay } = await open((ip) => asked.push(ip) > 0 && isAllowed);
    expect(await mayStay()).toBe(true);
    expect(asked).toEqual(['192.0.2.7', '192.0.2.7']);
    isAllowed = false;
    expect(await mayStay()).toBe(false);
    isAllowed = true;
    await deps.inventory.delete(id);
    expect(await mayStay()).toBe(false);
  });

  it('only if that is so once it is connected', async () => {
    const { id } = await deps.inventory.create(targetBody('own'));
    onConnect = async () => {
      await deps.inventory.change(id, { ...targetBody('own'), host: 'elsewhere' });
    };
    const { openTerminal } = await planSession(opening(id, { by: 'default' }), caller('operator'), deps);
    await expect(openTerminal(yes(), size, new AbortController().signal)).rejects.toMatchObject({ code: 'grant_removed' }); // prettier-ignore
    expect(closed).toBe(1);
  });
});

it('closes the connection when the target cannot be noted as opened', async () => {
  const { id } = await deps.inventory.create(targetBody('own'));
  const away = { ...deps.inventory, opened: () => Promise.reject(new Error('the database is away')) };
  const plan = await planSession(opening(id, { by: 'default' }), caller('operator'), { ...deps, inventory: away });
  await expect(plan.openTerminal(yes(), size, new AbortController().signal)).rejects.toThrow('the database is away');
  expect([connected.length, closed]).toEqual([1, 1]);
});

describe('a host key that is accepted while another page does the same', () => {
  const shown = (type: string, key: string) => ({ host: 'own', port: 22, type, key, fingerprint: fingerprintOf(key) });
  const open = async (type: string, key: string, meanwhile: () => Promise<void>) => {
    const { id } = await deps.inventory.create(targetBody('own'));
    onConnect = (port) => port.checkHostKey(shown(type, key));
    const { openTerminal } = await planSession(opening(id, { by: 'default' }), caller('administrator'), deps);
    return openTerminal(yes(meanwhile), size, new AbortController().signal);
  };
  const pin = (type: string, key: string) => () => deps.hostKeys.pin(shown(type, key), '', 'somebody else');

  it('goes on when it is the same key', async () => {
    const meanwhile = pin('ssh-ed25519', 'QUFBQQ==');
    await expect(open('ssh-ed25519', 'QUFBQQ==', meanwhile)).rejects.toThrow('no terminal here');
  });

  it.each([
    ['another key', 'ssh-ed25519'],
    ['a weaker type than the one that is on record now', 'ssh-rsa'],
  ])('refuses %s', async (_what, type) => {
    const meanwhile = pin('ssh-ed25519', 'QUFBQQ==');
    await expect(open(type, 'QkJCQg==', meanwhile)).rejects.toMatchObject({ code: 'host_key_changed' });
    expect((await storage.hostKeys.list()).length).toBe(1);
    expect(events.map(({ type: event }) => event)).toEqual(['hostkey.changed']);
  });
});
