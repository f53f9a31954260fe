import { createHash } from 'node:crypto';
import ssh2 from 'ssh2';
import { expect, test } from 'vitest';
import { ed25519KeyPair } from './ed25519.ts';

test('every pair can be read, also those whose public half begins with zeros', () => {
  let withZero = 0;
  for (let i = 0; i < 600; i++) {
    const pair = ed25519KeyPair(createHash('sha256').update(String(i)).digest());
    const read = ssh2.utils.parseKey(pair.private);
    if (read instanceof Error) throw read;
    expect(`ssh-ed25519 ${read.getPublicSSH().toString('base64')}`).toBe(pair.public);
    const signature = read.sign('x');
    if (signature instanceof Error) throw signature;
    expect(read.verify('x', signature)).toBe(true);
    if (read.getPublicSSH().at(-32) === 0) withZero++;
  }
  expect(withZero).toBeGreaterThan(0);
});
