/** A client certificate in the vault: chosen by thumbprint, opened as what was sealed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import { type LabClientAuthority, makeClientAuthority } from '../../../test/lab/client-certificates.ts';
import type { Storage } from '../storage/contract.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import { createCredentials, type Credentials } from '../vault/credentials.ts';
import { openVault } from '../vault/open.ts';
import { keyReader } from './key-facts.ts';

let directory: string;
let storage: Storage;
let credentials: Credentials;
let authority: LabClientAuthority;
beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-clients-'));
  storage = await openStorage({ file: path.join(directory, 'sallyport.db') });
  const vault = await openVault({ keyDirectory: path.join(directory, 'keys'), storage });
  credentials = createCredentials({ storage, vault, clock: new FakeClock(), keys: keyReader });
  authority = makeClientAuthority();
});
afterAll(async () => {
  await storage.close();
  authority.remove();
  rmSync(directory, { recursive: true, force: true });
});

it('is kept sealed, and opens as the one that is shown or not at all', async () => {
  const store = (label: string, { certificate, key }: { readonly certificate: string; readonly key: string }) =>
    credentials.create({ label, kind: 'certificate', user: '', secret: key + certificate, passphrase: null });
  const [ann, eve] = [authority.issue('ann@localhost'), authority.issue('eve@localhost')];
  const [mine, other] = [await store('mine', ann), await store('other', eve)];
  expect(mine.clientCertificate).toMatchObject({ upn: 'ann@localhost', sha1: ann.sha1, sha256: ann.sha256 });
  const opened = await credentials.open(mine.id);
  expect(opened.kind === 'certificate' && opened.material.reveal()).toContain('PRIVATE KEY');
  const [row, otherRow] = [await storage.credentials.byId(mine.id), await storage.credentials.byId(other.id)];
  if (row === null || otherRow === null) throw new Error('no row');
  expect(JSON.stringify({ ...row, sealed: Buffer.from(row.sealed).toString('latin1') })).not.toContain('PRIVATE');
  const put = async (change: Partial<typeof row>): Promise<void> => {
    await storage.credentials.delete(mine.id);
    await storage.credentials.insert({ ...row, ...change });
  };
  // Whoever writes rows can neither show one certificate and use another, nor make another kind of it.
  for (const change of [{ certificate: otherRow.certificate }, { certificate: null }, { certificate: 'x' }, { kind: 'password' as const }]) {
    await put(change);
    await expect(credentials.open(mine.id)).rejects.toMatchObject({ code: 'secret_unreadable' });
  }
  expect((await credentials.list()).map(({ label }) => label)).toEqual(expect.arrayContaining(['mine', 'other']));
}); // prettier-ignore
