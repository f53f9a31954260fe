/** A certificate authority of the lab, made with ssh-keygen: what our own code reads is written by OpenSSH. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openKeyRing } from './keys.ts';

export type AuthorityType = 'ed25519' | 'ecdsa' | 'rsa';

export interface LabAuthority {
  /** File for sshd's TrustedUserCAKeys. */
  readonly publicFile: string;
  /** `SHA256:` and base64 without padding. */
  readonly fingerprint: string;
  /** @param options arguments of `ssh-keygen -s` after key id and principals, for example `-V +5m` @returns the `-cert.pub` line */
  sign(publicLine: string, keyId: string, principals: readonly string[], options?: readonly string[]): string;
  remove(): void;
}

const run = (args: readonly string[], input = ''): string =>
  execFileSync('ssh-keygen', args, { encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'pipe'] });

/** What `ssh-keygen -L` says of a certificate line. @throws when it cannot read it */
export const describeWithKeygen = (line: string): string => run(['-L', '-f', '-'], `${line}\n`);

/** Makes an authority in a directory of its own. */
export function makeAuthority(type: AuthorityType = 'ed25519'): LabAuthority {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-ca-'));
  execFileSync('chmod', ['755', directory]);
  const file = path.join(directory, 'ca');
  // RSA keys take seconds to make: one that no server of the test shows does as well.
  if (type === 'rsa')
    for (const end of ['', '.pub']) copyFileSync(`${openKeyRing().hostKeyFile('rsa', 1)}${end}`, `${file}${end}`);
  else run(['-q', '-t', type, '-N', '', '-C', 'lab authority', '-f', file]);
  let count = 0;
  return {
    publicFile: `${file}.pub`,
    fingerprint: run(['-l', '-f', `${file}.pub`]).split(' ')[1] ?? '',
    sign(publicLine, keyId, principals, options = ['-V', '-1m:+5m']) {
      const subject = path.join(directory, `key${String((count += 1))}`);
      writeFileSync(`${subject}.pub`, `${publicLine}\n`);
      const names = principals.length === 0 ? [] : ['-n', principals.join(',')];
      run(['-q', '-s', file, '-I', keyId, ...names, ...options, `${subject}.pub`]);
      return readFileSync(`${subject}-cert.pub`, 'utf8').trim();
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
