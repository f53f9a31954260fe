/** What every way to a target's files must do. `remoteFilesContract('SFTP', () => ({ files, user }))` in a test file. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RemoteFiles } from '../../server/src/transports/contract.ts';
import { codeOfRejection } from '../lab/ssh-target.ts';
import { isRoot } from '../lab/sshd.ts';

/**
 * @param world asked in each test; `user` is who the files belong to at the target
 * @param sizes bytes, around what the way cuts files into
 */
export function remoteFilesContract(
  name: string,
  world: () => { readonly files: RemoteFiles; readonly user: string },
  sizes: readonly number[] = [0, 1, 32 * 1024 - 1, 32 * 1024, 32 * 1024 + 1, 64 * 32 * 1024, 64 * 32 * 1024 + 1],
): void {
  let directory: string;
  const at = (file: string): string => path.join(directory, file);
  const give = (file: string): void => {
    if (isRoot) execFileSync('chown', ['-h', world().user, file]);
  };
  async function contentsOf(file: string, offset = 0): Promise<Buffer> {
    const opened = await world().files.open(at(file), 'read');
    const pieces: Uint8Array[] = [];
    for await (const piece of opened.read(offset)) pieces.push(piece);
    await opened.close();
    return Buffer.concat(pieces);
  }

  beforeAll(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'sallyport-files-'));
    chmodSync(directory, 0o777);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  describe(`a file over ${name}`, () => {
    it.each(sizes)('of %d bytes comes and goes as it is', async (size) => {
      const bytes = randomBytes(size);
      const file = await world().files.open(at(`size-${String(size)}`), 'create');
      await file.write(bytes, 0);
      await file.close();
      expect(readFileSync(at(`size-${String(size)}`)).equals(bytes)).toBe(true);
      expect((await contentsOf(`size-${String(size)}`)).equals(bytes)).toBe(true);
      const half = Math.floor(size / 2);
      expect((await contentsOf(`size-${String(size)}`, half)).equals(bytes.subarray(half))).toBe(true);
    });

    it('has its name as it is: blanks, quotes, patterns, variables, other scripts, what runs elsewhere', async () => {
      const names = [
        "it's [a] * ? name",
        '$(throw 1)`$HOME',
        '-Force; exit',
        'näme \u{1f600}',
        '"',
        '%PATH%',
        '{0}',
        ' x ',
      ];
      for (const each of names) {
        const file = await world().files.open(at(each), 'create');
        await file.write(Buffer.from(each), 0);
        await file.close();
        expect(readFileSync(at(each), 'utf8')).toBe(each);
        expect(await world().files.look(at(each))).toMatchObject({ name: each, kind: 'file' });
        await world().files.remove(at(each));
        expect(await world().files.look(at(each))).toBeNull();
      }
    });

    it('goes on where it ended', async () => {
      const first = await world().files.open(at('part'), 'create');
      await first.write(Buffer.from('begun, '), 0);
      await first.close();
      const next = await world().files.open(at('part'), 'continue');
      expect(next.size).toBe(7);
      await next.write(Buffer.from('done'), 7);
      await next.close();
      expect(readFileSync(at('part'), 'utf8')).toBe('begun, done');
      expect(await codeOfRejection(world().files.open(at('part'), 'create'))).toBe('file_failed');
      expect(await codeOfRejection(world().files.open(at('no-part'), 'continue'))).toBe('file_not_found');
    });

    it('that is given up in the middle leaves the way free', async () => {
      writeFileSync(at('large'), randomBytes(6 * 1024 * 1024));
      const file = await world().files.open(at('large'), 'read');
      const reading = file.read(0);
      await reading.next();
      await reading.return(undefined);
      await file.close();
      expect((await contentsOf('large', 6 * 1024 * 1024 - 3)).length).toBe(3);
    });

    it('is made anew, or there already: no link that waits in its place is written through', async () => {
      writeFileSync(at('victim'), 'mine');
      symlinkSync(at('victim'), at('trap'));
      expect(await codeOfRejection(world().files.open(at('trap'), 'create'))).toBe('file_failed');
      expect(readFileSync(at('victim'), 'utf8')).toBe('mine');
      expect(await world().files.look(at('trap'))).toMatchObject({ kind: 'link' });
      symlinkSync('/nowhere/at/all', at('dangling'));
      expect(await codeOfRejection(world().files.open(at('dangling'), 'create'))).toBe('file_failed');
      expect(await world().files.look(at('dangling'))).toMatchObject({ kind: 'link' });
    });

    it('takes the place of another by its rename', async () => {
      for (const each of ['new', 'old', 'moved']) {
        writeFileSync(at(each), each);
        give(at(each));
      }
      await world().files.rename(at('new'), at('old'));
      expect(readFileSync(at('old'), 'utf8')).toBe('new');
      expect(await world().files.look(at('new'))).toBeNull();
      await world().files.rename(at('moved'), at('nothing there'));
      expect(readFileSync(at('nothing there'), 'utf8')).toBe('moved');
    });
  });

  describe(`what cannot be had over ${name} has a name`, () => {
    it('nothing there, not allowed, a directory, a device, a pipe', async ({ skip }) => {
      const { files } = world();
      expect(await codeOfRejection(files.open(at('none'), 'read'))).toBe('file_not_found');
      expect(await codeOfRejection(files.open(at('none/none'), 'read'))).toBe('file_not_found');
      expect(await codeOfRejection(files.list(at('none'), 10))).toBe('file_not_found');
      expect(await files.look(at('none'))).toBeNull();
      expect(await codeOfRejection(files.remove(at('none')))).toBe('file_not_found');
      expect(await codeOfRejection(files.open(directory, 'read'))).toMatch(/^file_(?:refused|failed)$/);
      expect(await codeOfRejection(files.open('/dev/zero', 'read'))).toBe('file_refused');
      execFileSync('mkfifo', ['-m', '666', at('pipe')]);
      expect(await files.look(at('pipe'))).toMatchObject({ kind: 'other' });
      if (!isRoot) skip('needs a user of its own');
      writeFileSync(at('secret'), 'x', { mode: 0o600 });
      expect(await codeOfRejection(files.open(at('secret'), 'read'))).toBe('file_refused');
    });
  });

  describe(`a directory over ${name}`, () => {
    it('lists what is there, links as links, and stops at its limit', async () => {
      mkdirSync(at('many'));
      for (let n = 0; n < 300; n += 1) writeFileSync(at(`many/${String(n)}`), 'x'.repeat(n));
      symlinkSync('/etc/passwd', at('many/link'));
      mkdirSync(at('many/inner'));
      const { files } = world();
      const { entries, isCut } = await files.list(at('many'), 1000);
      expect([entries.length, isCut]).toEqual([302, false]);
      expect(entries.find((each) => each.name === '299')).toMatchObject({ kind: 'file', size: 299 });
      expect(entries.find((each) => each.name === 'link')?.kind).toBe('link');
      expect(entries.find((each) => each.name === 'inner')?.kind).toBe('directory');
      const cut = await files.list(at('many'), 150);
      expect([cut.entries.length, cut.isCut]).toEqual([150, true]);
      expect((await files.list(at('many/inner'), 10)).entries).toEqual([]);
    });

    it('has an absolute path, whatever way it was said', async () => {
      const { files } = world();
      mkdirSync(at('here'));
      expect(await files.resolve(at('here/../here/.'))).toBe(at('here'));
      expect(await files.resolve('/')).toBe('/');
      const home = await files.resolve('');
      expect(home).toMatch(/^\/./);
      expect(await files.resolve('.')).toBe(home);
    });
  });
}
