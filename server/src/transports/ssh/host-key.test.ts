import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openKeyRing } from '../../../../test/lab/keys.ts';
import { SallyportError } from '../../errors.ts';
import { parseHostKey } from './host-key.ts';

const { keys } = openKeyRing();
const blobOf = (line: string): Buffer => Buffer.from(line.split(' ')[1] ?? '', 'base64');
const sshString = (text: string | Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(text));
  return Buffer.concat([length, Buffer.from(text)]);
};
const codeOf = (blob: Uint8Array): string => {
  try {
    parseHostKey('h', 22, blob);
    return 'none';
  } catch (error) {
    if (error instanceof SallyportError) return error.code;
    throw error;
  }
};

describe('a host key', () => {
  it.each(['ed25519', 'ecdsa256', 'ecdsa384Pem', 'ecdsa521Encrypted', 'rsa'] as const)(
    'shows the fingerprint of ssh-keygen: %s',
    (name) => {
      const line = keys[name].publicLine;
      const listed = execFileSync('ssh-keygen', ['-l', '-f', '-'], { input: line, encoding: 'utf8' });
      const [type] = line.split(' ');
      expect(parseHostKey('h', 22, blobOf(line))).toMatchObject({
        host: 'h',
        port: 22,
        type,
        fingerprint: listed.split(' ')[1],
      });
    },
  );
  it('of RSA below 2048 bits is refused, however it is written', () => {
    const rsa = (modulus: Buffer): Buffer =>
      Buffer.concat([sshString('ssh-rsa'), sshString(Buffer.from([1, 0, 1])), sshString(modulus)]);
    expect(codeOf(rsa(Buffer.concat([Buffer.from([0, 0x80]), Buffer.alloc(127, 1)])))).toBe('ssh_algorithms');
    expect(codeOf(rsa(Buffer.concat([Buffer.alloc(200), Buffer.from([0x7f]), Buffer.alloc(255, 1)])))).toBe(
      'ssh_algorithms',
    );
    expect(codeOf(rsa(Buffer.alloc(300)))).toBe('ssh_algorithms');
    expect(codeOf(rsa(Buffer.concat([Buffer.from([0, 0x80]), Buffer.alloc(255, 1)])))).toBe('none');
    expect(codeOf(sshString('ssh-rsa'))).toBe('ssh_algorithms');
  });
  it('of any other bytes is a named refusal or has a plain type', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(['none', 'ssh_protocol_error', 'ssh_algorithms']).toContain(codeOf(bytes));
      }),
    );
    expect(codeOf(sshString('ssh-\u001b[2J'))).toBe('ssh_protocol_error');
    expect(codeOf(Buffer.alloc(0))).toBe('ssh_protocol_error');
    expect(codeOf(Buffer.from([0xff, 0xff, 0xff, 0xff, 1]))).toBe('ssh_protocol_error');
  });
});
