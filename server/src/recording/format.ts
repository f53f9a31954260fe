/**
 * The journal's bytes: docs/recording-format.md. Header in plain, then chunks, each sealed with AES-256-GCM under the
 * session's data key and chained: H(i) = SHA-256(H(i-1) || chunk bytes). Pure: no file, no clock.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes, type CipherGCM, type KeyObject } from 'node:crypto';

const MAGIC = Buffer.from('SALLYREC', 'latin1');
const VERSION = 1;
/** 1 kind + 3 length of the ciphertext, big endian. */
export const CHUNK_HEAD_BYTES = 4;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const HASH_BYTES = 32;
/** Plain bytes of one chunk that the writer aims at; what waits beyond joins the next chunk. */
export const CHUNK_PLAIN_BYTES = 1024 * 1024;
/** A reader refuses longer ones: CHUNK_PLAIN_BYTES plus one event, and room. */
export const MAX_CHUNK_BYTES = 2 * 1024 * 1024;
/** security.md section 4 "Recording file read": header 64 KiB. */
export const MAX_HEADER_BYTES = 64 * 1024;

/** `counted`: nonce = chunk number. `explicit`: the nonce stands in the chunk. */
const ChunkKind = { counted: 0, explicit: 1 } as const;
/** How a chunk gets its nonce: see `sealChunk`. */
export type NonceKind = keyof typeof ChunkKind;

/** The plain header: 8 magic + 2 version + 2 + n session id + 4 + n sealed data key. */
export function encodeHeader(sessionId: string, sealedKey: Uint8Array): Buffer {
  const id = Buffer.from(sessionId, 'latin1');
  const head = Buffer.alloc(MAGIC.length + 4);
  MAGIC.copy(head);
  head.writeUInt16BE(VERSION, MAGIC.length);
  head.writeUInt16BE(id.length, MAGIC.length + 2);
  const keyLength = Buffer.alloc(4);
  keyLength.writeUInt32BE(sealedKey.length);
  return Buffer.concat([head, id, keyLength, sealedKey]);
}

/** @returns header length and what it says, or null when the bytes are no header (or not yet the whole of it) */
export function parseHeader(bytes: Buffer): { length: number; sessionId: string; sealedKey: Buffer } | null {
  const fixed = MAGIC.length + 4;
  if (bytes.length < fixed || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  if (bytes.readUInt16BE(MAGIC.length) !== VERSION) return null;
  const idEnd = fixed + bytes.readUInt16BE(MAGIC.length + 2);
  if (bytes.length < idEnd + 4) return null;
  const length = idEnd + 4 + bytes.readUInt32BE(idEnd);
  if (length > MAX_HEADER_BYTES || bytes.length < length) return null;
  return {
    length,
    sessionId: bytes.toString('latin1', fixed, idEnd),
    sealedKey: Buffer.from(bytes.subarray(idEnd + 4, length)),
  };
}

/** A place in the chain: where the next chunk goes and what it is bound to. */
export interface ChainPoint {
  /** Number of the next chunk. */
  readonly chunk: number;
  /** File position of the next chunk. */
  readonly position: number;
  /** Hash of everything before it. */
  readonly hash: Buffer;
}

/** Start of the chain: right after the header, bound to its bytes. */
export const chainStart = (header: Uint8Array): ChainPoint => ({
  chunk: 0,
  position: header.length,
  hash: createHash('sha256').update(header).digest(),
});

/** Session id + 8 chunk number + 32 previous hash. */
function associated(sessionId: Buffer, point: ChainPoint): Buffer {
  const data = Buffer.allocUnsafe(sessionId.length + 8 + HASH_BYTES);
  sessionId.copy(data);
  data.writeBigUInt64BE(BigInt(point.chunk), sessionId.length);
  point.hash.copy(data, sessionId.length + 8);
  return data;
}

function countedNonce(chunk: number): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUIntBE(chunk, NONCE_BYTES - 6, 6);
  return nonce;
}

export interface Chain {
  readonly key: KeyObject;
  /** Session id, latin1. */
  readonly sessionId: Buffer;
}

/** The part of sealing that needs no plain bytes, done before they come: half of what sealing a key's echo takes. */
export interface BegunSeal {
  readonly point: ChainPoint;
  readonly cipher: CipherGCM;
  /** Of an `explicit` chunk. */
  readonly nonce: Buffer | null;
}
/** For the next chunk at this place. Good for one `sealChunk`. */
export function beginSeal(chain: Chain, point: ChainPoint, kind: NonceKind): BegunSeal {
  const nonce = kind === 'explicit' ? randomBytes(NONCE_BYTES) : null;
  const cipher = createCipheriv('aes-256-gcm', chain.key, nonce ?? countedNonce(point.chunk));
  cipher.setAAD(associated(chain.sessionId, point));
  return { point, cipher, nonce };
}

/** A chunk as it goes into the file: its pieces in order. Nobody may write into them any more. */
export interface SealedChunk {
  readonly pieces: readonly Buffer[];
  /** Bytes of all pieces. */
  readonly length: number;
  /** The chain's place behind it. */
  readonly next: ChainPoint;
}
/** Up to here a chunk is copied into one piece: cheaper than a gathering write. Above, copying it would only make garbage. */
const ONE_PIECE_BYTES = 4096;

/**
 * Seals one chunk. INVARIANT: a `counted` chunk number is sealed once per key, ever; whoever goes on where another process
 * ended, and cannot know what that one had sealed but not written, takes `explicit` random nonces.
 */
export function sealChunk(
  chain: Chain,
  point: ChainPoint,
  plain: Uint8Array,
  how: NonceKind | BegunSeal = 'counted',
): SealedChunk {
  const { cipher, nonce } = typeof how === 'string' ? beginSeal(chain, point, how) : how;
  const sealed = cipher.update(plain);
  cipher.final();
  const head = Buffer.allocUnsafe(CHUNK_HEAD_BYTES + (nonce === null ? 0 : NONCE_BYTES));
  head.writeUInt8(nonce === null ? ChunkKind.counted : ChunkKind.explicit, 0);
  head.writeUIntBE(sealed.length, 1, 3);
  nonce?.copy(head, CHUNK_HEAD_BYTES);
  const parts = [head, sealed, cipher.getAuthTag()];
  const length = head.length + sealed.length + TAG_BYTES;
  const pieces = length <= ONE_PIECE_BYTES ? [Buffer.concat(parts, length)] : parts;
  return { pieces, length, next: new PointBehind(point, pieces, length) };
}

/** Hashes when it is asked: the hash is needed for the chunk after this one, not to deliver this one. */
class PointBehind implements ChainPoint {
  readonly chunk: number;
  readonly position: number;
  #known: Buffer | { readonly before: Buffer; readonly pieces: readonly Buffer[] };

  constructor(point: ChainPoint, pieces: readonly Buffer[], length: number) {
    this.chunk = point.chunk + 1;
    this.position = point.position + length;
    this.#known = { before: point.hash, pieces };
  }

  get hash(): Buffer {
    if (!Buffer.isBuffer(this.#known)) this.#known = hashAfter(this.#known.before, this.#known.pieces);
    return this.#known;
  }
}

/** The chain's place behind this chunk. */
export const after = (point: ChainPoint, chunk: Uint8Array): ChainPoint => ({
  chunk: point.chunk + 1,
  position: point.position + chunk.length,
  hash: hashAfter(point.hash, [chunk]),
});
function hashAfter(before: Buffer, chunk: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256').update(before);
  for (const piece of chunk) hash.update(piece);
  return hash.digest();
}

/** @returns whole length of the chunk that begins with these 4 bytes, or null when no chunk begins so */
export function chunkLength(head: Buffer): number | null {
  const kind = head.readUInt8(0);
  if (kind !== ChunkKind.counted && kind !== ChunkKind.explicit) return null;
  const sealed = head.readUIntBE(1, 3);
  if (sealed < 1 || sealed > MAX_CHUNK_BYTES) return null;
  return CHUNK_HEAD_BYTES + (kind === ChunkKind.explicit ? NONCE_BYTES : 0) + sealed + TAG_BYTES;
}

/** @returns the plain bytes, or null when the chunk is not the one that was sealed at this place of this chain */
export function openChunk(chain: Chain, point: ChainPoint, chunk: Buffer): Buffer | null {
  if (chunkLength(chunk) !== chunk.length) return null;
  const explicit = chunk.readUInt8(0) === ChunkKind.explicit;
  const prefix = CHUNK_HEAD_BYTES + (explicit ? NONCE_BYTES : 0);
  const nonce = explicit ? chunk.subarray(CHUNK_HEAD_BYTES, prefix) : countedNonce(point.chunk);
  const decipher = createDecipheriv('aes-256-gcm', chain.key, nonce);
  decipher.setAAD(associated(chain.sessionId, point));
  decipher.setAuthTag(chunk.subarray(chunk.length - TAG_BYTES));
  const plain = decipher.update(chunk.subarray(prefix, chunk.length - TAG_BYTES));
  try {
    decipher.final();
  } catch {
    return null; // The tag does not match: changed, moved, or another key.
  }
  return plain;
}
