import { createHash } from 'node:crypto';
import {
  constants,
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { isBackupGood, signBackup } from '../audit/signing.ts';
import { verifyAudit } from '../audit/verify.ts';
import { SallyportError } from '../errors.ts';
import { backupDatabase } from '../storage/sqlite/backup.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import { auditStreams } from './audit.ts';
import { DATA_OPTIONS, configOf } from './config.ts';
import { type CliIo, type Command, UsageError, readArgs } from './command.ts';

const DATABASE = 'sallyport.db';
const MANIFEST = 'manifest.json';
const SIGNATURE = 'manifest.sig';
const KEY_FILES = ['vault.key', 'audit-signing.key', 'audit-signing.pub'] as const;

const Manifest = z.object({
  format: z.literal('sallyport-backup-1'),
  madeAt: z.string(),
  files: z.array(z.object({ path: z.string(), bytes: z.number(), sha256: z.string() })),
});
type Manifest = z.infer<typeof Manifest>;

async function digest(file: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  await pipeline(createReadStream(file), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  });
  return { bytes, sha256: hash.digest('hex') };
}

/** Regular files below a directory, as sorted relative paths; links are not followed. */
function filesBelow(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
    .sort();
}

function copy(from: string, to: string): void {
  mkdirSync(path.dirname(to), { recursive: true, mode: 0o700 });
  copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
}

function newDirectory(directory: string): void {
  if (existsSync(directory) && readdirSync(directory).length > 0)
    throw new SallyportError('conflict', `${directory} is not empty`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
}

/**
 * Database first, recordings after: a recording grows only at its end, so the copy holds at least what the database
 * says of it. A recording that was open comes back as one of a gateway that stopped.
 */
async function makeBackup(data: string, recordings: string, to: string): Promise<Manifest> {
  newDirectory(to);
  backupDatabase(path.join(data, DATABASE), path.join(to, DATABASE));
  for (const file of filesBelow(recordings)) copy(path.join(recordings, file), path.join(to, 'recordings', file));
  const files: Manifest['files'] = [];
  for (const file of filesBelow(to)) files.push({ path: file, ...(await digest(path.join(to, file))) });
  const manifest: Manifest = { format: 'sallyport-backup-1', madeAt: new Date().toISOString(), files };
  const text = Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`);
  const signature = signBackup(text, path.join(data, 'keys'));
  writeFileSync(path.join(to, MANIFEST), text, { mode: 0o600 });
  writeFileSync(path.join(to, SIGNATURE), `${signature}\n`, { mode: 0o600 });
  return manifest;
}

function copyKeys(from: string, to: string): void {
  newDirectory(to);
  for (const file of KEY_FILES) copy(path.join(from, file), path.join(to, file));
}

export const backup: Command = {
  name: 'backup',
  summary: 'copy database and recordings, while the gateway runs; keys apart',
  usage: `sallyport backup --to DIR [--keys-to DIR] [--data DIR] [--config FILE]

DIR must not exist or be empty. It gets a consistent copy of the database, the recordings and a manifest with SHA-256 sums,
signed with the key of the audit log.
The keys are NOT in it: --keys-to copies them to a place of their own. Without them nothing that is sealed can be read.`,
  async run(args, io) {
    const { values } = readArgs(args, { ...DATA_OPTIONS, to: { type: 'string' }, 'keys-to': { type: 'string' } });
    if (values.to === undefined) throw new UsageError('give --to');
    const { dataDir, recordingsDir } = configOf(io, values).config;
    const manifest = await makeBackup(dataDir, recordingsDir ?? path.join(dataDir, 'recordings'), values.to);
    if (values['keys-to'] !== undefined) copyKeys(path.join(dataDir, 'keys'), values['keys-to']);
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    io.out(`${manifest.files.length} files, ${bytes} bytes, in ${values.to}\n`);
    io.out(
      values['keys-to'] === undefined
        ? `The keys were not copied. Keep ${path.join(dataDir, 'keys')} somewhere else too.\n`
        : `Keys in ${values['keys-to']}\n`,
    );
    return 0;
  },
};

/** The list of files, of which each person, right and recording of the backup hangs. @throws SallyportError bad_request, key_missing */
function readManifest(from: string, keysFrom: string): Manifest {
  const text = readFileSync(path.join(from, MANIFEST));
  const signature = path.join(from, SIGNATURE);
  if (!existsSync(signature) || !isBackupGood(text, readFileSync(signature, 'utf8'), keysFrom))
    throw new SallyportError('bad_request', `the manifest of the backup is not signed with the key in ${keysFrom}`);
  return Manifest.parse(JSON.parse(text.toString('utf8')));
}

/** @throws SallyportError bad_request naming the first file that is not as the manifest says; key_missing */
async function checkManifest(from: string, keysFrom: string): Promise<Manifest> {
  const manifest = readManifest(from, keysFrom);
  for (const { path: file, bytes, sha256 } of manifest.files) {
    if (path.normalize(file) !== file || (file !== DATABASE && !/^recordings[\\/]./.test(file)))
      throw new SallyportError('bad_request', `the manifest names ${file}, which is no part of a backup`);
    const place = path.join(realpathSync(from), file);
    if (existsSync(place) && realpathSync(place) !== place)
      throw new SallyportError('bad_request', `${file} of the backup is a link, or lies behind one`);
    const found = existsSync(path.join(from, file)) ? await digest(path.join(from, file)) : null;
    if (found?.bytes !== bytes || found.sha256 !== sha256)
      throw new SallyportError('bad_request', `${file} of the backup is missing or changed`);
  }
  return manifest;
}

async function checkRestored(data: string, io: CliIo): Promise<boolean> {
  const storage = await openStorage({ file: path.join(data, DATABASE), access: 'read' });
  try {
    const publicKey = readFileSync(path.join(data, 'keys', 'audit-signing.pub'), 'utf8');
    const result = await verifyAudit({ ...auditStreams(storage), publicKey });
    io.out(
      result.ok
        ? `The audit log is whole: ${result.events} events.\n`
        : `The audit log is BROKEN at event ${result.firstBad ?? '?'}: ${result.problem ?? ''}\n`,
    );
    return result.ok;
  } finally {
    await storage.close();
  }
}

export const restore: Command = {
  name: 'restore',
  summary: 'put a backup and its keys into an empty data directory',
  usage: `sallyport restore --from DIR --keys-from DIR --data NEWDIR

Checks the signature of the manifest with the keys and every file against the manifest, copies it into NEWDIR (which must not exist or be empty), and checks the audit log.
Exit code 1 when anything does not hold; NEWDIR is removed when a file of the backup is missing or changed.`,
  async run(args, io) {
    const { values } = readArgs(args, {
      from: { type: 'string' },
      'keys-from': { type: 'string' },
      data: { type: 'string' },
    });
    const { from, data } = values;
    const keysFrom = values['keys-from'];
    if (from === undefined || keysFrom === undefined || data === undefined)
      throw new UsageError('give --from, --keys-from and --data');
    const manifest = await checkManifest(from, keysFrom);
    newDirectory(data);
    try {
      for (const { path: file } of manifest.files) copy(path.join(from, file), path.join(data, file));
      copyKeys(keysFrom, path.join(data, 'keys'));
    } catch (error) {
      rmSync(data, { recursive: true, force: true });
      throw error;
    }
    io.out(`${manifest.files.length} files of ${manifest.madeAt} are in ${data}\n`);
    return (await checkRestored(data, io)) ? 0 : 1;
  },
};
