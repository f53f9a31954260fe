/** The sparse index as a small sealed file beside the journal. Losing it costs time, not truth: readers then start at the start. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { RecordingFiles } from './files.ts';
import type { Chain } from './format.ts';
import { SparseIndex } from './sparse-index.ts';

const INDEX_NAME = 'index';
const PURPOSE = Buffer.from('index', 'latin1');
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const associated = (chain: Chain): Buffer => Buffer.concat([PURPOSE, chain.sessionId]);

/** 12 nonce (random) + sealed entries + 16 tag */
export async function saveIndex(
  files: RecordingFiles,
  folder: string,
  chain: Chain,
  index: SparseIndex,
): Promise<void> {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', chain.key, nonce);
  cipher.setAAD(associated(chain));
  const sealed = Buffer.concat([nonce, cipher.update(index.encode()), cipher.final(), cipher.getAuthTag()]);
  await files.save(`${folder}/${INDEX_NAME}`, sealed);
}

/** Null when there is none that can be believed. */
export async function loadIndex(files: RecordingFiles, folder: string, chain: Chain): Promise<SparseIndex | null> {
  const bytes = await files.load(`${folder}/${INDEX_NAME}`);
  if (bytes === null || bytes.length < NONCE_BYTES + TAG_BYTES) return null;
  const decipher = createDecipheriv('aes-256-gcm', chain.key, bytes.subarray(0, NONCE_BYTES));
  decipher.setAAD(associated(chain));
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  const plain = decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES));
  try {
    decipher.final();
  } catch {
    return null; // Changed or of another recording: an index is not worth an error, the journal proves itself.
  }
  return SparseIndex.decode(plain);
}
