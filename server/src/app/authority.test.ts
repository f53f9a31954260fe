import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import { describeWithKeygen } from '../../../test/lab/certificates.ts';
import type { Storage } from '../storage/contract.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import { certificateLine, readCertificateBlob } from '../transports/ssh/certificate.ts';
import { openVault } from '../vault/open.ts';
import { type CertificateAuthority, createAuthority, principalOf } from './authority.ts';

const clock = new FakeClock();
let directory: string;
let storage: Storage;
let authority: CertificateAuthority;
beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-authority-'));
  storage = await openStorage({ file: path.join(directory, 'sallyport.db') });
  const vault = await openVault({ keyDirectory: path.join(directory, 'keys'), storage });
  authority = createAuthority({ storage, vault, clock });
});
afterEach(async () => {
  await storage.close();
  rmSync(directory, { recursive: true, force: true });
});
const first = { replaces: null, sourceAddresses: ['10.0.0.0/8', '2001:db8::/32'] };
const wish = { user: 'deploy', personName: 'ann', sessionId: 'abc', isHop: false };

describe('a certificate', () => {
  it('is what ssh-keygen reads: key id, principal, validity, options', async () => {
    const { fingerprint } = await authority.create(first, 'ann');
    const { key, facts } = await authority.issue(wish);
    const text = describeWithKeygen(certificateLine(Buffer.from(key.certificate), 'x'));
    expect(text).toContain('Type: ssh-ed25519-cert-v01@openssh.com user certificate');
    expect(text).toContain(`Public key: ED25519-CERT ${facts.fingerprint}`);
    expect(text).toContain(`Signing CA: ED25519 ${fingerprint} (using ssh-ed25519)`);
    expect(text).toContain('Key ID: "ann:abc"');
    expect(text).toContain(`Serial: ${facts.serial}`);
    expect(text).toMatch(/Principals: \n +deploy\n +Critical Options: \n/);
    expect(text).toMatch(/source-address 10\.0\.0\.0\/8,2001:db8::\/32\n +Extensions: \n +permit-pty\n/);
    expect(facts).toMatchObject({ principal: 'deploy', keyId: 'ann:abc', authority: fingerprint });
  });

  it('is valid for minutes, five either way for clocks that are off', async () => {
    await authority.create(first, 'ann');
    const { validAfter, validBefore } = readCertificateBlob(Buffer.from((await authority.issue(wish)).key.certificate));
    expect((clock.now() - (validAfter ?? 0)) / 60_000).toBeCloseTo(5, 1);
    expect(((validBefore ?? 0) - clock.now()) / 60_000).toBeCloseTo(5, 1);
  });

  it('is of a new key each time, with another serial', async () => {
    await authority.create(first, 'ann');
    const [one, two] = [await authority.issue(wish), await authority.issue(wish)];
    expect(one.facts.fingerprint).not.toBe(two.facts.fingerprint);
    expect(one.facts.serial).not.toBe(two.facts.serial);
  });

  it('for a hop allows the next connection and nothing else', async () => {
    await authority.create({ replaces: null, sourceAddresses: [] }, 'ann');
    const { key } = await authority.issue({ ...wish, isHop: true });
    const { extensions, criticalOptions } = readCertificateBlob(Buffer.from(key.certificate));
    expect(extensions).toEqual([{ name: 'permit-port-forwarding', value: '' }]);
    expect(criticalOptions).toEqual([]);
  });
});

describe('the name at the target', () => {
  it('is that of the credential, else the person; domains as the target takes them', () => {
    expect(principalOf('deploy', 'ann')).toBe('deploy');
    expect(principalOf('', 'ann')).toBe('ann');
    expect(principalOf('CORP\\svc', 'ann')).toBe('svc@CORP');
    expect(principalOf('root', 'ann')).toBe('root');
  });

  it.each(['root', 'administrator', 'system', 'root@corp'])(
    'is not %s because an account here is called so',
    (name) => {
      expect(() => principalOf('', name)).toThrow(expect.objectContaining({ code: 'principal_refused' }));
    },
  );

  it.each(['a,root', '*', 'ann\nroot', '-oProxyCommand=x', 'a!b', ''])('is never a list or a pattern: %j', (name) => {
    expect(() => principalOf('', name)).toThrow(expect.objectContaining({ code: 'principal_refused' }));
  });
});

describe('the authority', () => {
  it('is there once; another one has to name it', async () => {
    expect(await authority.facts()).toBeNull();
    await expect(authority.issue(wish)).rejects.toMatchObject({ code: 'authority_missing' });
    const made = await authority.create(first, 'ann');
    expect(await authority.facts()).toEqual(made);
    for (const replaces of [null, 'SHA256:another'])
      await expect(authority.create({ ...first, replaces }, 'bob')).rejects.toMatchObject({ code: 'conflict' });
    const next = await authority.create({ ...first, replaces: made.fingerprint }, 'bob');
    expect(next.fingerprint).not.toBe(made.fingerprint);
    expect((await authority.issue(wish)).facts.authority).toBe(next.fingerprint);
  });

  it('keeps its key when its ranges change, and takes only ranges', async () => {
    const made = await authority.create(first, 'ann');
    expect(await authority.limit([])).toEqual({ ...made, sourceAddresses: [] });
    for (const range of ['10.0.0.0/33', 'any', '10.0.0.1,0.0.0.0/0'])
      await expect(authority.limit([range])).rejects.toMatchObject({ code: 'bad_request' });
  });

  it('is not the one that somebody with the database puts in its place', async () => {
    const made = await authority.create(first, 'ann');
    const row = await storage.authorities.current();
    if (row === null) throw new Error('no row');
    expect(Buffer.from(row.sealed).includes(Buffer.from(made.line.split(' ')[1] ?? '', 'base64').subarray(-32))).toBe(
      false,
    );
    await storage.authorities.replace({ ...row, id: 'another' });
    await expect(authority.facts()).rejects.toMatchObject({ code: 'secret_unreadable' });
    await expect(authority.issue(wish)).rejects.toMatchObject({ code: 'secret_unreadable' });
  });
});
