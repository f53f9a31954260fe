import { WsManSettings } from '@sallyport/shared/api/wsman';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type LabClientAuthority,
  type LabClientCertificate,
  makeClientAuthority,
} from '../../../../test/lab/client-certificates.ts';
import { codeOf } from '../../errors.ts';
import { Secret } from '../../secret.ts';
import { clientFor, describeUse, openClientCertificate, readClientCertificate } from './client-certificate.ts';

let authority: LabClientAuthority;
let ann: LabClientCertificate;
let bob: LabClientCertificate;
beforeAll(() => {
  authority = makeClientAuthority();
  [ann, bob] = [authority.issue('ann@localhost'), authority.issue('bob@localhost')];
});
afterAll(() => authority.remove());

const read = (text: string, passphrase: string | null = null) =>
  readClientCertificate(new Secret(text), passphrase === null ? null : new Secret(passphrase));
const refusal = (text: string, passphrase: string | null = null): Promise<string> =>
  read(text, passphrase).then(() => 'read', codeOf);
const opened = async (text: string, passphrase: string | null = null) => {
  const { material, passphrase: kept } = await read(text, passphrase);
  return openClientCertificate(new Secret(material), kept === null ? null : new Secret(kept));
};

describe('a client certificate', () => {
  it('is read as PEM in any order, with the chain behind it and the key in clear or not', async () => {
    const { sha1, sha256, certificate } = ann;
    const expected = {
      ...{ subject: 'O=Lab\nCN=ann', issuer: 'CN=lab clients', upn: 'ann@localhost', sha1, sha256, isForClients: true },
    };
    for (const [text, passphrase] of [
      [certificate + ann.key, null],
      [ann.key + authority.certificate + certificate, null],
      [`${authority.certificate}${ann.encryptedKey('p w')}${certificate}`, 'p w'],
    ] as const) {
      const made = await read(text, passphrase);
      expect(made.facts).toMatchObject(expected);
      expect(made.facts.validTo - made.facts.validFrom).toBe(2 * 86_400_000);
      // What is sealed begins with the certificate of the key, and needs no passphrase any more.
      expect(made.material.startsWith(made.leaf)).toBe(true);
      expect([made.passphrase, made.leaf.trim()]).toEqual([null, certificate.trim()]);
      expect(made.material).not.toContain('ENCRYPTED');
      expect((await opened(text, passphrase)).contextFor(authority.certificate)).toBeDefined();
    }
  });

  it.each([
    ['of today', []],
    ['of Windows until 2019', ['-certpbe', 'PBE-SHA1-3DES', '-keypbe', 'PBE-SHA1-3DES', '-macalg', 'sha1']],
  ])('is read from a PKCS #12 file %s', async (_, options) => {
    const file = ann.pkcs12('p w', ...options);
    const made = await read(file, 'p w');
    expect(made.facts).toMatchObject({ upn: 'ann@localhost', sha1: ann.sha1, sha256: ann.sha256 });
    expect(made.leaf.trim()).toBe(ann.certificate.trim());
    const key = await opened(file, 'p w');
    expect(key.facts).toEqual(made.facts);
    expect(key.contextFor('')).toBe(key.contextFor(''));
    expect(await refusal(file, 'wrong')).toBe('key_unreadable');
    expect(await refusal(file)).toBe('key_unreadable');
  });

  it('is refused by name when it cannot be used', async () => {
    const { certificate, key } = ann;
    expect(await refusal(certificate + bob.key)).toBe('certificate_unreadable');
    expect(await refusal(key)).toBe('certificate_unreadable');
    expect(await refusal(certificate)).toBe('key_unreadable');
    expect(await refusal(certificate + ann.encryptedKey('x'))).toBe('key_unreadable');
    expect(await refusal(certificate + ann.encryptedKey('x'), 'y')).toBe('key_unreadable');
    expect(await refusal(certificate.replace(/MII./, 'AAAA') + key)).toBe('certificate_unreadable');
    expect(await refusal(authority.certificate.repeat(9) + key)).toBe('certificate_unreadable');
    expect(await refusal('AAAA')).toBe('key_unreadable');
    expect(await refusal(Buffer.alloc(500, 0x30).toString('base64'))).toBe('key_unreadable');
    const file = Buffer.from(ann.pkcs12('x'), 'base64');
    expect(await refusal(file.subarray(0, 300).toString('base64'), 'x')).toBe('key_unreadable');
    // More work than the event loop is given for.
    expect(await refusal(ann.pkcs12('x', '-iter', '400000'), 'x')).toBe('key_too_slow');
  });

  it('lets the key go once TLS has it', async () => {
    const { material } = await read(ann.certificate + ann.key);
    const secret = new Secret(material);
    openClientCertificate(secret, null).contextFor('');
    expect(secret.revealBytes().every((byte) => byte === 0)).toBe(true);
  });

  it('is judged by our own clock before anything is sent', async () => {
    const certificate = await opened(ann.certificate + ann.key);
    const { validFrom, validTo } = certificate.facts;
    const identity = { kind: 'certificate', user: '', certificate } as const;
    const settings = (more: object) => WsManSettings.parse({ method: 'certificate', ...more });
    const code = (now: number, who: Parameters<typeof clientFor>[0]): string => {
      try {
        return clientFor(who, now) === null ? 'none' : 'shown';
      } catch (error) {
        return codeOf(error);
      }
    };
    const mine = { identity, settings: settings({}) };
    expect(code(validFrom, mine)).toBe('shown');
    expect(code(validTo, mine)).toBe('shown');
    expect(code(validFrom - 1, mine)).toBe('certificate_not_valid_now');
    expect(code(validTo + 1, mine)).toBe('certificate_not_valid_now');
    expect(code(validTo, { ...mine, settings: settings({ tls: false }) })).toBe('wsman_clear_refused');
    expect(code(validTo, { ...mine, settings: settings({ method: 'basic' }) })).toBe('target_auth_unsupported');
    const asked = { kind: 'ask', user: 'ann' } as const;
    expect(code(validTo, { identity: asked, settings: settings({}) })).toBe('client_certificate_needed');
    expect(code(validTo, { identity: asked, settings: settings({ method: 'basic' }) })).toBe('none');
    expect(describeUse(certificate.facts)).toMatch(/^client certificate ann@localhost \(O=Lab, CN=ann\), valid until \d{4}-\d\d-\d\d, SHA-1 [0-9a-f]{40}$/); // prettier-ignore
  });
});
