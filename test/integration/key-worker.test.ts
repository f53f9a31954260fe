/** The built program starts the thread for private keys as JavaScript beside its bundle, as scripts/build.mjs lays it out. */
import { build } from 'esbuild';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { Secret } from '../../server/src/secret.ts';
import type * as PrivateKey from '../../server/src/transports/ssh/private-key.ts';
import { openKeyRing } from '../lab/keys.ts';

const root = path.join(import.meta.dirname, '../..');
mkdirSync(path.join(root, '.cache'), { recursive: true });
// Below the root, so that the bundle finds the packages.
const out = mkdtempSync(path.join(root, '.cache/bundle-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

it('reads an encrypted key in the built program', async () => {
  const source = path.join(root, 'server/src/transports/ssh');
  await build({
    entryPoints: {
      main: path.join(source, 'private-key.ts'),
      'decrypt-key.worker': path.join(source, 'decrypt-key.worker.ts'),
    },
    outdir: out,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    alias: { '@sallyport/shared': path.join(root, 'shared/src') },
    outExtension: { '.js': '.js' },
  });
  const built = (await import(pathToFileURL(path.join(out, 'main.js')).href)) as typeof PrivateKey;
  const { privateKey, passphrase } = openKeyRing().keys.ed25519Encrypted;
  const { signal } = new AbortController();
  const key = await built.readPrivateKey(new Secret(privateKey), new Secret(passphrase ?? ''), signal);
  expect(key.type).toBe('ssh-ed25519');
});
