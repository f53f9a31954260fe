import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { bindingHash, endPointBinding } from './end-point-binding.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-binding-'));
afterAll(() => rmSync(directory, { recursive: true }));

function certificate(...options: string[]): Buffer {
  const out = path.join(directory, 'c.pem');
  const key = path.join(directory, 'k.pem');
  execFileSync('openssl', ['req', '-x509', '-nodes', '-subj', '/CN=x', '-keyout', key, '-out', out, ...options], { stdio: 'pipe' });
  return new X509Certificate(readFileSync(out)).raw;
} // prettier-ignore
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
const RSA = ['-newkey', 'rsa:2048'];
const PSS = [...RSA, '-sigopt', 'rsa_padding_mode:pss'];

describe('the channel binding of a certificate', () => {
  it.each([
    ['ECDSA, SHA-256', [...EC, '-sha256'], 'sha256'],
    ['ECDSA, SHA-384', [...EC, '-sha384'], 'sha384'],
    ['ECDSA, SHA-512', [...EC, '-sha512'], 'sha512'],
    ['RSA, SHA-1, which counts as SHA-256', [...RSA, '-sha1'], 'sha256'],
    ['RSA, SHA-384', [...RSA, '-sha384'], 'sha384'],
    ['RSA-PSS, SHA-256', [...PSS, '-sha256'], 'sha256'],
    ['RSA-PSS, SHA-512', [...PSS, '-sha512'], 'sha512'],
  ])('uses the hash of its signature: %s', (_, options, hash) => {
    const der = certificate(...options);
    expect(bindingHash(der)).toBe(hash);
    const expected = Buffer.concat([Buffer.from('tls-server-end-point:'), createHash(hash).update(der).digest()]);
    expect(Buffer.from(endPointBinding(der))).toEqual(expected);
  });
  it('takes any bytes without a throw', () => {
    const der = certificate(...EC, '-sha384');
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.nat(255), (at, byte) => {
        const bent = Uint8Array.from(der);
        bent[at] = byte;
        expect(['sha256', 'sha384', 'sha512']).toContain(bindingHash(bent));
        expect(bindingHash(der.subarray(0, at))).toBe('sha256');
      }),
      { numRuns: 300 },
    );
  });
});
