/** The indexes as small sealed files beside the journal. Losing one costs time, not truth: readers then start at the start. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { CommandIndex } from './command-index.ts';
import type { RecordingFiles } from './files.ts';
import type { Chain } from './format.ts';
import { SparseIndex } from './sparse-index.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
type Name = 'index' | 'commands';

const associated = (name: Name, chain: Chain): Buffer => Buffer.concat([Buffer.from(name, 'latin1'), chain.sessionId]);

/** 12 nonce (random) + sealed entries + 16 tag */
function save(files: RecordingFiles, folder: string, chain: Chain, name: Name, plain: Buffer): Promise<void> {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', chain.key, nonce);
  cipher.setAAD(associated(name, chain));
  const sealed = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return files.save(`${folder}/${name}`, sealed);
}

async function load(files: RecordingFiles, folder: string, chain: Chain, name: Name): Promise<Buffer | null> {
  const bytes = await files.load(`${folder}/${name}`);
  if (bytes === null || bytes.length < NONCE_BYTES + TAG_BYTES) return null;
  const decipher = createDecipheriv('aes-256-gcm', chain.key, bytes.subarray(0, NONCE_BYTES));
  decipher.setAAD(associated(name, chain));
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  const plain = decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES));
  try {
    decipher.final();
  } catch {
    return null; // Changed or of another recording: an index is not worth an error, the journal proves itself.
  }
  return plain;
}

/** Where what stands, and where each command starts. */
export interface Indexes {
  readonly places: SparseIndex;
  readonly commands: CommandIndex;
}

export async function saveIndexes(
  files: RecordingFiles,
  folder: string,
  chain: Chain,
  { places, commands }: Indexes,
): Promise<void> {
  await save(files, folder, chain, 'index', places.encode());
  await save(files, folder, chain, 'commands', commands.encode());
}

/** Null when there is none that can be believed. */
export async function loadIndex(files: RecordingFiles, folder: string, chain: Chain): Promise<SparseIndex | null> {
  const plain = await load(files, folder, chain, 'index');
  return plain === null ? null : SparseIndex.decode(plain);
}

/** Null when there is none that can be believed. */
export async function loadCommands(files: RecordingFiles, folder: string, chain: Chain): Promise<CommandIndex | null> {
  const plain = await load(files, folder, chain, 'commands');
  return plain === null ? null : CommandIndex.decode(plain);
}
