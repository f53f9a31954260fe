import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aLedgerRow } from '../../../test/contracts/storage.ts';
import type { Storage } from '../storage/contract.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import type { Place } from './contract.ts';
import { openEnvelope, sealEnvelope, toKeyEncryptionKey } from './envelope.ts';
import { openVault } from './open.ts';

let directory: string;
let keyDirectory: string;
let storage: Storage;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-vault-'));
  keyDirectory = join(directory, 'keys');
  storage = await openStorage({ file: join(directory, 'sallyport.db') });
});
afterEach(async () => {
  await storage.close();
  rmSync(directory, { recursive: true, force: true });
});

const PLACE: Place = { table: 'credentials', row: 'r1', field: 'sealed' };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const UNREADABLE = expect.objectContaining({ code: 'secret_unreadable' }) as unknown;

function failure(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return 'nothing thrown';
}

describe('an envelope', () => {
  const kek = toKeyEncryptionKey(new Uint8Array(32).fill(7));

  it('opens where it was sealed, whatever it holds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4096 }), (plain) => {
        expect(openEnvelope(kek, PLACE, sealEnvelope(kek, PLACE, plain))).toEqual(plain);
      }),
      { numRuns: 50 },
    );
  });

  it('never looks the same twice and does not show its content', () => {
    const plain = bytes('correct horse battery staple');
    const one = sealEnvelope(kek, PLACE, plain);
    expect(Buffer.compare(one, sealEnvelope(kek, PLACE, plain))).not.toBe(0);
    expect(Buffer.from(one).includes('horse')).toBe(false);
  });

  it('opens in no other place', () => {
    const sealed = sealEnvelope(kek, PLACE, bytes('x'));
    for (const place of [
      { ...PLACE, row: 'r2' },
      { ...PLACE, table: 'recordings' },
      { ...PLACE, field: 'other' },
      // The same letters, cut elsewhere.
      { table: 'credential', row: 'sr1', field: 'sealed' },
      { table: 'credentials', row: 'r', field: '1sealed' },
    ])
      expect(failure(() => openEnvelope(kek, place, sealed))).toEqual(UNREADABLE);
  });

  it('does not open when any bit is flipped', () => {
    const sealed = sealEnvelope(kek, PLACE, bytes('secret'));
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = sealed.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(failure(() => openEnvelope(kek, PLACE, changed))).toEqual(UNREADABLE);
    }
  });

  it('does not open when cut or lengthened anywhere', () => {
    const sealed = sealEnvelope(kek, PLACE, bytes('secret'));
    for (let length = 0; length < sealed.length; length++)
      expect(failure(() => openEnvelope(kek, PLACE, sealed.subarray(0, length)))).toEqual(UNREADABLE);
    expect(failure(() => openEnvelope(kek, PLACE, new Uint8Array([...sealed, 0])))).toEqual(UNREADABLE);
  });

  it('does not open with another key', () => {
    const sealed = sealEnvelope(kek, PLACE, bytes('secret'));
    const other = toKeyEncryptionKey(new Uint8Array(32).fill(8));
    expect(failure(() => openEnvelope(other, PLACE, sealed))).toEqual(UNREADABLE);
    // Even when it lies about its id.
    expect(failure(() => openEnvelope({ key: other.key, id: kek.id }, PLACE, sealed))).toEqual(UNREADABLE);
  });
});

describe('the vault', () => {
  it('makes its key at first start, for the owner only, and opens with it again', async () => {
    const vault = await openVault({ keyDirectory, storage });
    const sealed = vault.seal(PLACE, bytes('pässword'));
    expect(statSync(join(keyDirectory, 'vault.key')).mode & 0o777).toBe(0o600);
    expect(statSync(keyDirectory).mode & 0o777).toBe(0o700);
    const again = await openVault({ keyDirectory, storage });
    expect(again.open(PLACE, sealed).reveal()).toBe('pässword');
  });

  it('hands out secrets that cannot be printed', async () => {
    const vault = await openVault({ keyDirectory, storage });
    const secret = vault.open(PLACE, vault.seal(PLACE, bytes('canary')));
    for (const text of [String(secret), JSON.stringify({ secret }), inspect(secret), inspect({ deep: { secret } })])
      expect(text).not.toContain('canary');
  });

  it('tells of a secret that does not open', async () => {
    const told: Place[] = [];
    const vault = await openVault({ keyDirectory, storage, onUnreadable: (place) => told.push(place) });
    expect(failure(() => vault.open(PLACE, new Uint8Array(5)))).toEqual(UNREADABLE);
    expect(told).toEqual([PLACE]);
  });

  it('does not start without its key when there is data', async () => {
    await openVault({ keyDirectory, storage });
    rmSync(keyDirectory, { recursive: true });
    await expect(openVault({ keyDirectory, storage })).rejects.toMatchObject({ code: 'key_missing' });
    expect(existsSync(join(keyDirectory, 'vault.key'))).toBe(false);
  });

  it('does not start without its key when rows are sealed, even if the note of the key is gone', async () => {
    await storage.ledger.insert(aLedgerRow());
    await expect(openVault({ keyDirectory, storage })).rejects.toMatchObject({ code: 'key_missing' });
  });

  it('does not start with another key', async () => {
    await openVault({ keyDirectory, storage });
    writeFileSync(join(keyDirectory, 'vault.key'), `sallyport-vault-key-1:${Buffer.alloc(32, 1).toString('base64')}\n`);
    await expect(openVault({ keyDirectory, storage })).rejects.toMatchObject({ code: 'key_mismatch' });
  });

  it('refuses a key file that others may read, and one that is no key', async () => {
    await openVault({ keyDirectory, storage });
    const file = join(keyDirectory, 'vault.key');
    for (const mode of [0o640, 0o604, 0o620]) {
      chmodSync(file, mode);
      await expect(openVault({ keyDirectory, storage })).rejects.toMatchObject({ code: 'config_invalid' });
    }
    chmodSync(file, 0o600);
    const whole = readFileSync(file, 'utf8');
    for (const text of ['', 'x', whole.slice(0, -5), whole.toUpperCase(), `${whole}x`]) {
      writeFileSync(file, text);
      await expect(openVault({ keyDirectory, storage })).rejects.toMatchObject({ code: 'config_invalid' });
    }
  });

  it('leaves a whole key or none when killed while making it', async () => {
    const program = `
      const { writeWhole, makePrivateDirectory } = await import(${JSON.stringify(join(import.meta.dirname, '../storage/files.ts'))});
      makePrivateDirectory(${JSON.stringify(keyDirectory)});
      const key = 'sallyport-vault-key-1:' + Buffer.alloc(32, 5).toString('base64') + '\\n';
      process.stdout.write('ready');
      for (;;) { writeWhole(${JSON.stringify(join(keyDirectory, 'vault.key'))}, key, 0o600); await new Promise(setImmediate); }`;
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const names = readdirSync(keyDirectory).filter((name) => !name.endsWith('.partial'));
    for (const name of names) {
      expect(readFileSync(join(keyDirectory, name), 'utf8')).toHaveLength(67);
      expect(statSync(join(keyDirectory, name)).mode & 0o777).toBe(0o600);
    }
    // What was left half-written is in nobody's way.
    await openVault({ keyDirectory, storage });
  });
});
