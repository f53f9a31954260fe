import { describe, expect, it } from 'vitest';
import { fingerprintOf, HostKeyChangedError, judgeHostKey, verifyHostKey, type PinnedKey } from './host-keys.ts';

const blob = (text: string): string => Buffer.from(text).toString('base64');
const pin = (keyType: string, text: string): PinnedKey => ({ keyType, key: blob(text) });
const shown = (type: string, text: string) => ({ type, key: blob(text) });

describe('host keys', () => {
  it('prints the fingerprint as OpenSSH does', () => {
    expect(fingerprintOf('AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl')).toBe(
      'SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU',
    );
  });

  it('knows the pinned key and calls another of the same type a change', () => {
    const pins = [pin('ssh-ed25519', 'a'), pin('ssh-rsa', 'r')];
    expect(judgeHostKey(shown('ssh-ed25519', 'a'), pins)).toEqual({ kind: 'known' });
    expect(judgeHostKey(shown('ssh-rsa', 'r'), pins)).toEqual({ kind: 'known' });
    expect(judgeHostKey(shown('ssh-ed25519', 'b'), pins)).toEqual({
      kind: 'changed',
      expected: [fingerprintOf(blob('a'))],
    });
  });

  it('does not take a key for one of another type', () => {
    expect(judgeHostKey(shown('ssh-rsa', 'a'), [pin('ssh-ed25519', 'a')]).kind).toBe('changed');
  });

  it.each([
    ['ssh-rsa', 'ssh-ed25519', 'changed'],
    ['ecdsa-sha2-nistp256', 'ssh-ed25519', 'changed'],
    ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'changed'],
    ['constructor', 'ssh-rsa', 'changed'],
    ['ssh-dss', 'ssh-rsa', 'changed'],
    ['ssh-ed25519', 'ssh-rsa', 'unknown'],
    ['ecdsa-sha2-nistp521', 'ssh-rsa', 'unknown'],
  ])('judges %s where %s is pinned as %s', (type, pinned, kind) => {
    expect(judgeHostKey(shown(type, 'new'), [pin(pinned, 'old')]).kind).toBe(kind);
  });

  it('shows the other pins of the address with an unknown key', () => {
    expect(judgeHostKey(shown('ssh-ed25519', 'new'), [pin('ssh-rsa', 'old')])).toEqual({
      kind: 'unknown',
      others: [fingerprintOf(blob('old'))],
    });
  });

  it('asks only for an unknown key, and refuses when nobody accepts it', async () => {
    const key = { host: 'web01', port: 22, type: 'ssh-ed25519', key: blob('a'), fingerprint: 'SHA256:x' };
    const listed = () => Promise.resolve({ keys: [], revoked: [] });
    const store = (...pins: PinnedKey[]) => ({ find: () => Promise.resolve(pins), listed });
    const never = () => Promise.reject(new Error('asked'));
    await verifyHostKey(key, '', store(pin('ssh-ed25519', 'a')), never);
    await verifyHostKey(key, '', store(), () => Promise.resolve(true));
    await expect(verifyHostKey(key, '', store(), () => Promise.resolve(false))).rejects.toMatchObject({
      code: 'host_key_unknown',
    });
    await expect(verifyHostKey(key, '', store(pin('ssh-ed25519', 'b')), never)).rejects.toBeInstanceOf(
      HostKeyChangedError,
    );
  });

  it('takes an imported line where nothing of that type was accepted, and refuses what is revoked', async () => {
    const key = { host: 'web01', port: 22, type: 'ssh-ed25519', key: blob('a'), fingerprint: 'SHA256:x' };
    const lines = (...keys: PinnedKey[]) => ({ keys, revoked: [] });
    expect(judgeHostKey(key, [], lines(pin('ssh-ed25519', 'a'))).kind).toBe('known');
    expect(judgeHostKey(key, [], lines(pin('ssh-ed25519', 'b'))).kind).toBe('changed');
    // Several keys of a type may stand in a file, while one of them is replaced.
    expect(judgeHostKey(key, [], lines(pin('ssh-ed25519', 'b'), pin('ssh-ed25519', 'a'))).kind).toBe('known');
    // What somebody accepted here is not widened by a file.
    expect(judgeHostKey(key, [pin('ssh-ed25519', 'b')], lines(pin('ssh-ed25519', 'a'))).kind).toBe('changed');
    expect(judgeHostKey({ ...key, type: 'ssh-rsa' }, [], lines(pin('ssh-ed25519', 'b'))).kind).toBe('changed');
    const revoked = { find: () => Promise.resolve([pin('ssh-ed25519', 'a')]), listed: () => Promise.resolve({ keys: [], revoked: [blob('a')] }) }; // prettier-ignore
    await expect(verifyHostKey(key, '', revoked, () => Promise.resolve(true))).rejects.toMatchObject({
      code: 'host_key_revoked',
    });
  });
});
