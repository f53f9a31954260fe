/**
 * Throw-away SSH keys of the lab, of each kind and file form that a person may bring. They are made once per machine and
 * user with ssh-keygen and kept in the temporary directory, because RSA keys take a second to make.
 */
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';

/** One private key as a person would paste it. */
export interface LabKey {
  /** Text of the private key file. */
  readonly privateKey: string;
  /** Null when the file is not encrypted. */
  readonly passphrase: string | null;
  /** The line for authorized_keys or a known_hosts file. */
  readonly publicLine: string;
}

const KINDS = {
  ed25519: { type: 'ed25519', form: 'RFC4716', encrypted: false },
  ed25519Encrypted: { type: 'ed25519', form: 'RFC4716', encrypted: true },
  ecdsa256: { type: 'ecdsa-256', form: 'RFC4716', encrypted: false },
  ecdsa521Encrypted: { type: 'ecdsa-521', form: 'RFC4716', encrypted: true },
  ecdsa384Pem: { type: 'ecdsa-384', form: 'PEM', encrypted: false },
  ecdsa256PemEncrypted: { type: 'ecdsa-256', form: 'PEM', encrypted: true },
  rsa: { type: 'rsa-2048', form: 'RFC4716', encrypted: false },
  rsaPem: { type: 'rsa-2048', form: 'PEM', encrypted: false },
  rsaPemEncrypted: { type: 'rsa-2048', form: 'PEM', encrypted: true },
  rsaPkcs8: { type: 'rsa-2048', form: 'PKCS8', encrypted: false },
  rsaPkcs8Encrypted: { type: 'rsa-2048', form: 'PKCS8', encrypted: true },
  ecdsa256Pkcs8: { type: 'ecdsa-256', form: 'PKCS8', encrypted: false },
} as const;

/** Names of the keys that ssh-keygen makes, and one that it cannot write: ed25519 as PKCS #8 (OpenSSL's form). */
export type LabKeyName = keyof typeof KINDS | 'ed25519Pkcs8';
export type LabKeys = Readonly<Record<LabKeyName, LabKey>>;
export type HostKeyType = 'ed25519' | 'ecdsa' | 'rsa';

export interface KeyRing {
  readonly keys: LabKeys;
  /** Password of the lab's user, random, the same for the life of the ring. */
  readonly password: string;
  /** File for sshd's HostKey, for each type; two sets, so that a test can swap the identity of a server. */
  hostKeyFile(type: HostKeyType, set: 0 | 1): string;
}

/** With 4 rounds of bcrypt: what a passphrase costs is a test of its own, and not of every other one. */
function keygen(file: string, type: string, form: string, passphrase: string): void {
  const [algorithm = type, bits] = type.split('-');
  const size = bits === undefined ? [] : ['-b', bits];
  execFileSync('ssh-keygen', [
    '-q', '-t', algorithm, ...size, '-m', form, '-a', '4', '-N', passphrase, '-C', 'lab', '-f', file,
  ]); // prettier-ignore
}

const sshString = (data: Uint8Array): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  return Buffer.concat([length, data]);
};

function makeEd25519Pkcs8(file: string): void {
  const pair = generateKeyPairSync('ed25519');
  writeFileSync(file, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const raw = Buffer.from(pair.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  const blob = Buffer.concat([sshString(Buffer.from('ssh-ed25519')), sshString(raw)]);
  writeFileSync(`${file}.pub`, `ssh-ed25519 ${blob.toString('base64')} lab\n`);
}

function makeRing(directory: string): void {
  for (const [name, kind] of Object.entries(KINDS)) {
    const passphrase = kind.encrypted ? randomBytes(9).toString('base64url') : '';
    const file = path.join(directory, name);
    keygen(file, kind.type, kind.form, passphrase);
    if (kind.encrypted) writeFileSync(`${file}.pass`, passphrase, { mode: 0o600 });
  }
  makeEd25519Pkcs8(path.join(directory, 'ed25519Pkcs8'));
  for (const set of [0, 1])
    for (const type of ['ed25519', 'ecdsa-256', 'rsa-3072'])
      keygen(path.join(directory, `host${String(set)}-${type.replace(/-.*/, '')}`), type, 'RFC4716', '');
  writeFileSync(path.join(directory, 'password'), randomBytes(15).toString('base64url'), { mode: 0o600 });
}

function readKey(directory: string, name: string): LabKey {
  const file = path.join(directory, name);
  return {
    privateKey: readFileSync(file, 'utf8'),
    passphrase: existsSync(`${file}.pass`) ? readFileSync(`${file}.pass`, 'utf8') : null,
    publicLine: readFileSync(`${file}.pub`, 'utf8').trim(),
  };
}

const RING_VERSION = 1;

/** The ring of this user; makes it when it is not there. Two processes at once are fine: the first rename wins. */
export function openKeyRing(): KeyRing {
  const directory = path.join(tmpdir(), `sallyport-lab-keys-${String(userInfo().uid)}-v${String(RING_VERSION)}`);
  if (!existsSync(directory)) {
    const making = mkdtempSync(`${directory}-`);
    makeRing(making);
    try {
      renameSync(making, directory);
    } catch (cause) {
      rmSync(making, { recursive: true, force: true });
      if (!existsSync(directory)) throw cause;
    }
  }
  const names: LabKeyName[] = ['ed25519Pkcs8'];
  for (const name in KINDS) names.push(name as LabKeyName);
  return {
    keys: Object.fromEntries(names.map((name) => [name, readKey(directory, name)])) as Record<LabKeyName, LabKey>,
    password: readFileSync(path.join(directory, 'password'), 'utf8'),
    hostKeyFile: (type, set) => path.join(directory, `host${String(set)}-${type}`),
  };
}
