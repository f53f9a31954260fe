/**
 * Signing in with OpenSSH user certificates at a real sshd that trusts only their authority. This is also the contract
 * test of the way round ssh2's `authPK` (offered-key.ts): another version of ssh2 has to pass it.
 */
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../server/src/secret.ts';
import type { Connection, Identity } from '../../server/src/transports/contract.ts';
import { type AuthorityType, makeAuthority, type LabAuthority } from '../lab/certificates.ts';
import type { LabKeyName } from '../lab/keys.ts';
import { codeOfRejection, connectLab } from '../lab/ssh-target.ts';
import { startSshd, type LabSshd, type SshdOptions } from '../lab/sshd.ts';

const open: Connection[] = [];
const labs: LabSshd[] = [];
const authorities: LabAuthority[] = [];
afterAll(async () => {
  await Promise.all(open.map((connection) => connection.close()));
  await Promise.all(labs.map((each) => each.stop()));
  for (const authority of authorities) authority.remove();
});
async function start(authority: LabAuthority, options: SshdOptions = {}): Promise<LabSshd> {
  const lines = ['AuthorizedKeysFile none', `TrustedUserCAKeys ${authority.publicFile}`, ...(options.lines ?? [])];
  const lab = await startSshd({ subsystem: null, methods: ['publickey'], ...options, lines });
  labs.push(lab);
  return lab;
}
function trusted(type: AuthorityType = 'ed25519'): LabAuthority {
  const authority = makeAuthority(type);
  authorities.push(authority);
  return authority;
}
const withCertificate = (lab: LabSshd, name: LabKeyName, certificate: string): Identity => ({
  kind: 'privateKey',
  user: lab.user,
  key: new Secret(lab.keys[name].privateKey),
  passphrase: lab.keys[name].passphrase === null ? null : new Secret(lab.keys[name].passphrase),
  certificate,
});
async function connect(lab: LabSshd, identity: Identity): Promise<void> {
  open.push(await connectLab(lab, identity));
}

it('is written for exactly one version of ssh2', () => {
  const { version } = createRequire(import.meta.url)('ssh2/package.json') as { version: string };
  expect(version).toBe('1.17.0');
});

describe('a certificate', () => {
  let authority: LabAuthority;
  let lab: LabSshd;
  beforeAll(async () => {
    authority = trusted();
    lab = await start(authority);
  });
  const certify = (name: LabKeyName, options?: readonly string[], principals = [lab.user]): string =>
    authority.sign(lab.keys[name].publicLine, `id of ${name}`, principals, options);

  it.each<[LabKeyName, string]>([
    ['ed25519', 'ED25519-CERT'],
    ['ed25519Encrypted', 'ED25519-CERT'],
    ['ed25519Pkcs8', 'ED25519-CERT'],
    ['ecdsa256', 'ECDSA-CERT'],
    ['ecdsa384Pem', 'ECDSA-CERT'],
    ['ecdsa521Encrypted', 'ECDSA-CERT'],
    ['rsa', 'RSA-CERT'],
    ['rsaPkcs8Encrypted', 'RSA-CERT'],
  ])('signs in with its key: %s', async (name, kind) => {
    await connect(lab, withCertificate(lab, name, certify(name)));
    await lab.logged(new RegExp(`Accepted publickey for ${lab.user} .*: ${kind} .* ID id of ${name} `));
  });

  it('signs in many times over: no signature has a length that is not allowed for', async () => {
    // r and s of ECDSA, and the DER around them, change their length from one signature to the next.
    const line = certify('ecdsa384Pem');
    const other = certify('ecdsa256');
    for (let round = 0; round < 8; round += 1) {
      await connect(lab, withCertificate(lab, 'ecdsa384Pem', line));
      await connect(lab, withCertificate(lab, 'ecdsa256', other));
    }
  });

  it('of another key, for a host, expired or not yet valid never reaches the target', async () => {
    // One that nobody has come to: what is logged of a connection is logged in part after its client has gone on.
    const untouched = await start(authority);
    const cases: readonly (readonly [string, string])[] = [
      [certify('ecdsa256'), 'certificate_unreadable'],
      [certify('ed25519', ['-h']), 'certificate_unreadable'],
      [certify('ed25519', ['-V', '-2h:-1h']), 'certificate_not_valid_now'],
      [certify('ed25519', ['-V', '+1h:+2h']), 'certificate_not_valid_now'],
      ['ssh-ed25519-cert-v01@openssh.com AAAA', 'certificate_unreadable'],
      [lab.keys.ed25519.publicLine, 'certificate_unreadable'],
    ];
    for (const [line, code] of cases)
      expect(await codeOfRejection(connect(untouched, withCertificate(lab, 'ed25519', line)))).toBe(code);
    // Whatever came before this one would stand in the log before it.
    await connect(untouched, withCertificate(lab, 'ed25519', certify('ed25519')));
    await untouched.logged(/Accepted publickey/);
    expect(untouched.log().match(/Connection from/g)).toHaveLength(1);
  });

  it('for other principals is refused by the target after one try', async () => {
    const line = certify('ed25519', undefined, ['somebody-else']);
    expect(await codeOfRejection(connect(lab, withCertificate(lab, 'ed25519', line)))).toBe('target_auth_failed');
    await lab.logged(/name is not a listed principal/);
  });

  it('with another source address is refused by the target', async () => {
    const line = certify('ed25519', ['-O', 'source-address=192.0.2.0/24']);
    expect(await codeOfRejection(connect(lab, withCertificate(lab, 'ed25519', line)))).toBe('target_auth_failed');
  });

  it('is all there is: the bare key does not sign in there', async () => {
    const keyed = withCertificate(lab, 'ed25519', '');
    const bare = keyed.kind === 'privateKey' ? { ...keyed, certificate: null } : keyed;
    expect(await codeOfRejection(connect(lab, bare))).toBe('target_auth_failed');
  });
});

describe.each(['rsa-sha2-256', 'rsa-sha2-512'])('where only %s certificates are taken', (algorithm) => {
  it('an RSA key signs in', async () => {
    const authority = trusted();
    const lab = await start(authority, {
      lines: [`PubkeyAcceptedAlgorithms ${algorithm}-cert-v01@openssh.com`, 'LogLevel DEBUG1'],
    });
    await connect(lab, withCertificate(lab, 'rsa', authority.sign(lab.keys.rsa.publicLine, 'rsa', [lab.user])));
    await lab.logged(/Accepted publickey .* RSA-CERT/);
  });
});

it.each<AuthorityType>(['ecdsa', 'rsa'])('the authority may have a key of type %s', async (type) => {
  const authority = trusted(type);
  const lab = await start(authority);
  await connect(lab, withCertificate(lab, 'ed25519', authority.sign(lab.keys.ed25519.publicLine, 'x', [lab.user])));
});
