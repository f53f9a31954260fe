import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openKeyRing, type LabKeyName, type LabKeys } from '../../../../test/lab/keys.ts';
import { codeOfRejection } from '../../../../test/lab/ssh-target.ts';
import { Secret } from '../../secret.ts';
import { toOffers } from './offers.ts';
import { describePrivateKey, readPrivateKey } from './private-key.ts';

const never = new AbortController().signal;
const PASSPHRASE = 'correct horse';
let directory: string;
let keys: LabKeys;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-keys-'));
  ({ keys } = openKeyRing());
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function keygen(name: string, ...options: string[]): string {
  const file = path.join(directory, name);
  execFileSync('ssh-keygen', ['-q', '-N', PASSPHRASE, '-C', '', '-f', file, ...options]);
  return readFileSync(file, 'utf8');
}
/** The same file with another number of bcrypt rounds written in it. */
function withRounds(text: string, rounds: number): string {
  const [, body = ''] = /KEY-----([\s\S]*)-----END/.exec(text) ?? [];
  const blob = Buffer.from(body, 'base64');
  const at = blob.indexOf('bcrypt') + 'bcrypt'.length + 4;
  blob.writeUInt32BE(rounds, at + 4 + blob.readUInt32BE(at));
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${blob.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}
/** One DER item, in hex. */
function der(tag: number, ...bodies: string[]): string {
  const body = Buffer.from(bodies.join(''), 'hex');
  return Buffer.concat([Buffer.from([tag, body.length]), body]).toString('hex');
}
/** An EncryptedPrivateKeyInfo with PBES2, this key derivation and no content. */
function pkcs8(derivation: string): string {
  const cipher = der(0x30, der(0x06, '60864801650304012a'), der(0x04, '00'.repeat(16)));
  const algorithm = der(0x30, der(0x06, '2a864886f70d01050d'), der(0x30, derivation, cipher));
  const body = Buffer.from(der(0x30, algorithm, der(0x04, '00')), 'hex').toString('base64');
  return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${body}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
}
const code = (text: string, passphrase: string | null): Promise<string> =>
  codeOfRejection(readPrivateKey(new Secret(text), passphrase === null ? null : new Secret(passphrase), never));

describe('reading a private key', () => {
  it('reads every form, encrypted or not, and the same public half as ssh-keygen wrote', async () => {
    const forms = Object.entries(keys) as [LabKeyName, LabKeys[LabKeyName]][];
    const read = await Promise.all(
      forms.map(async ([name, key]) => {
        const passphrase = key.passphrase === null ? null : new Secret(key.passphrase);
        const parsed = await readPrivateKey(new Secret(key.privateKey), passphrase, never);
        return [name, `${parsed.type} ${parsed.getPublicSSH().toString('base64')}`];
      }),
    );
    expect(Object.fromEntries(read)).toEqual(
      Object.fromEntries(forms.map(([name, key]) => [name, key.publicLine.split(' ').slice(0, 2).join(' ')])),
    );
  });

  it('keeps the event loop free while it derives the key from the passphrase', async () => {
    const text = keygen('slow', '-t', 'ed25519', '-a', '32');
    let turns = 0;
    let isRead = false;
    const turn = (): void => {
      turns += 1;
      if (!isRead) setImmediate(turn);
    };
    turn();
    await readPrivateKey(new Secret(text), new Secret(PASSPHRASE), never);
    isRead = true;
    // On the loop it would be a handful, however fast or slow the machine is.
    expect(turns).toBeGreaterThan(200);
  });

  it.each(['ed25519Encrypted', 'rsaPemEncrypted', 'rsaPkcs8Encrypted'] as const)(
    'names a wrong passphrase and a missing one of %s',
    async (name) => {
      expect(await code(keys[name].privateKey, 'wrong')).toBe('key_unreadable');
      expect(await code(keys[name].privateKey, null)).toBe('key_unreadable');
    },
  );

  it('refuses more bcrypt rounds than the limit before it starts', async () => {
    const text = keys.ed25519Encrypted.privateKey;
    for (const rounds of [257, 0x7fffffff, 0xffffffff])
      expect(await code(withRounds(text, rounds), 'any')).toBe('key_too_slow');
    expect(await code(withRounds(text, 0), 'any')).toBe('key_unreadable');
  });

  it('refuses more PBKDF2 or scrypt work than the limit before it starts', async () => {
    const pbkdf2 = (rounds: string): string =>
      pkcs8(der(0x30, der(0x06, '2a864886f70d01050c'), der(0x30, der(0x04, '00'.repeat(8)), der(0x02, rounds))));
    const scrypt = (...numbers: string[]): string =>
      pkcs8(der(0x30, der(0x06, '2b06010401da470b'), der(0x30, der(0x04, '00'), ...numbers.map((n) => der(0x02, n)))));
    expect(await code(pbkdf2('7fffffff'), PASSPHRASE)).toBe('key_too_slow');
    expect(await code(pbkdf2(`00${'ff'.repeat(9)}`), PASSPHRASE)).toBe('key_too_slow');
    expect(await code(scrypt('4000', '08', '0400'), PASSPHRASE)).toBe('key_too_slow');
    expect(await code(pbkdf2('0800'), PASSPHRASE)).toBe('key_unreadable');
    expect(await code(scrypt('4000', '08', '01'), PASSPHRASE)).toBe('key_unreadable');
  });

  it.each([
    ['nothing', ''],
    ['a public key', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ'],
    ['a file that is too long', `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(70_000)}`],
    ['an empty OpenSSH file', '-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----'],
    ['PEM without content', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----'],
    ['encrypted PEM without content', '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----'],
    ['a DSA key', generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
  ])('refuses %s', async (_name, text) => {
    expect(await code(text, PASSPHRASE)).toBe('key_unreadable');
  }); // prettier-ignore

  it('refuses a file cut at any place', async () => {
    const lines = keys.ed25519Encrypted.privateKey.split('\n');
    const blob = Buffer.from(lines.slice(1, -2).join(''), 'base64');
    for (let at = 0; at < blob.length - 160; at += 7) {
      const cut = blob.subarray(0, at).toString('base64');
      const text = `-----BEGIN OPENSSH PRIVATE KEY-----\n${cut}\n-----END OPENSSH PRIVATE KEY-----\n`;
      expect(await code(text, null)).toBe('key_unreadable');
    }
  });

  it('refuses several keys in one file', async () => {
    expect(await code(keys.ed25519.privateKey + keys.rsaPkcs8Encrypted.privateKey, null)).toBe('key_unreadable');
  });

  it('stops when the person goes away', async () => {
    const controller = new AbortController();
    const { privateKey } = keys.ed25519Encrypted;
    const reading = readPrivateKey(new Secret(withRounds(privateKey, 256)), new Secret('any'), controller.signal);
    controller.abort();
    expect(await codeOfRejection(reading)).toBe('cancelled');
  });

  it('never signs with SHA-1', async () => {
    const key = await readPrivateKey(new Secret(keys.rsa.privateKey), null, never);
    let signatures = 0;
    const offers = toOffers(key, null, () => (signatures += 1));
    expect(offers.map(({ type }) => type)).toEqual(['rsa-sha2-512', 'rsa-sha2-256']);
    const data = Buffer.from('x');
    for (const [i, hash] of ['sha512', 'sha256'].entries())
      expect(verify(hash, data, key.getPublicPEM(), offers[i]?.sign(data, 'sha1') ?? data)).toBe(true);
    expect(signatures).toBe(2);
  });
});

describe('describing a private key', () => {
  it('shows type and fingerprint as ssh-keygen does, for an encrypted OpenSSH file too', async () => {
    for (const name of ['ed25519Encrypted', 'ecdsa256', 'rsaPem'] as const) {
      const { privateKey, publicLine } = keys[name];
      const listed = execFileSync('ssh-keygen', ['-l', '-f', '-'], { input: publicLine, encoding: 'utf8' });
      const [, fingerprint = 'none'] = listed.split(' ');
      expect(await describePrivateKey(new Secret(privateKey), null)).toContain(fingerprint);
    }
  });
  it('says of encrypted PEM only that it is encrypted', async () => {
    expect(await describePrivateKey(new Secret(keys.rsaPemEncrypted.privateKey), null)).toBe('encrypted private key');
  });
});
