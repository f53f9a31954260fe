import type { CipherAlgorithm } from 'ssh2';
import { describe, expect, it } from 'vitest';
import { ALGORITHMS, algorithmsFor, toNegotiated, toProtection } from './algorithms.ts';

describe('what is offered to a target', () => {
  it('is this and nothing else', () => {
    // A change here is a decision: security.md section 3 SSH.
    expect(ALGORITHMS).toMatchInlineSnapshot(`
      {
        "cipher": [
          "aes128-gcm@openssh.com",
          "aes256-gcm@openssh.com",
          "chacha20-poly1305@openssh.com",
          "aes128-ctr",
          "aes192-ctr",
          "aes256-ctr",
        ],
        "compress": [
          "none",
        ],
        "hmac": [
          "hmac-sha2-256-etm@openssh.com",
          "hmac-sha2-512-etm@openssh.com",
          "hmac-sha2-256",
          "hmac-sha2-512",
        ],
        "kex": [
          "curve25519-sha256",
          "curve25519-sha256@libssh.org",
          "ecdh-sha2-nistp256",
          "ecdh-sha2-nistp384",
          "ecdh-sha2-nistp521",
          "diffie-hellman-group16-sha512",
          "diffie-hellman-group18-sha512",
          "diffie-hellman-group14-sha256",
        ],
        "serverHostKey": [
          "ssh-ed25519",
          "ecdsa-sha2-nistp256",
          "ecdsa-sha2-nistp384",
          "ecdsa-sha2-nistp521",
          "rsa-sha2-512",
          "rsa-sha2-256",
        ],
      }
    `);
  });
  it('holds no SHA-1, CBC, DSA, MD5, RC4, group 1, prime of the target or compression', () => {
    const all = Object.values(ALGORITHMS).flat();
    expect(all.filter((name) => /sha1|cbc|dss|md5|arcfour|group1-|exchange|zlib|^ssh-rsa$|^none$/.test(name))).toEqual([
      'none',
    ]);
    expect(ALGORITHMS.compress).toEqual(['none']);
  });
  it('asks for the host keys on record first, the strongest before the others', () => {
    expect(algorithmsFor(['ssh-rsa']).serverHostKey).toEqual([
      'rsa-sha2-512',
      'rsa-sha2-256',
      'ssh-ed25519',
      'ecdsa-sha2-nistp256',
      'ecdsa-sha2-nistp384',
      'ecdsa-sha2-nistp521',
    ]);
    expect(algorithmsFor(['ssh-rsa', 'ecdsa-sha2-nistp384']).serverHostKey).toEqual([
      'ecdsa-sha2-nistp384',
      'rsa-sha2-512',
      'rsa-sha2-256',
      'ssh-ed25519',
      'ecdsa-sha2-nistp256',
      'ecdsa-sha2-nistp521',
    ]);
  });
  it('is not widened by what is on record', () => {
    for (const pinned of [[], ['ssh-dss', 'ssh-rsa-cert-v01@openssh.com', 'none', '__proto__']])
      expect(algorithmsFor(pinned)).toEqual(ALGORITHMS);
  });
});

describe('what is called weak', () => {
  const way = (cipher: CipherAlgorithm, mac: '' | 'hmac-sha1' = '') =>
    ({ cipher, mac, compress: 'none', lang: '' }) as const;
  const facts = { kex: 'curve25519-sha256', serverHostKey: 'ssh-ed25519' } as const;
  it('is each part in use, once; not the MAC that came with an AEAD cipher', () => {
    const agreed = { ...facts, cs: way('aes128-gcm@openssh.com', 'hmac-sha1'), sc: way('aes128-cbc', 'hmac-sha1') };
    expect(toNegotiated(agreed, true)).toMatchObject({ mac: 'hmac-sha1', weakened: ['aes128-cbc', 'hmac-sha1'] });
    const both = { ...facts, cs: agreed.cs, sc: agreed.cs };
    expect(toNegotiated(both, true)).toMatchObject({ mac: '', weakened: [] });
    expect(toNegotiated(both, false).weakened).toEqual(['no strict key exchange']);
  });
});

describe('the facts bar', () => {
  const way = (cipher: CipherAlgorithm) => ({ cipher, mac: '', compress: 'none', lang: '' }) as const;
  it('names the cipher once, or both', () => {
    const facts = {
      kex: 'curve25519-sha256',
      serverHostKey: 'ssh-ed25519',
      cs: way('aes128-gcm@openssh.com'),
    } as const;
    expect(toProtection({ ...facts, sc: way('aes128-gcm@openssh.com') })).toBe('SSH, aes128-gcm');
    expect(toProtection({ ...facts, sc: way('aes256-ctr') })).toBe('SSH, aes128-gcm / aes256-ctr');
  });
});
