import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { SallyportError } from '../errors.ts';
import type { AuditRecord } from '../storage/contract.ts';

/** security.md section 3: events that the database cannot take wait here; when it is full, what needs an event is refused. */
export const MAX_SPOOL_BYTES = 64 * 1024 * 1024;

const Line = z.strictObject({
  sequence: z.number().int(),
  at: z.number().int(),
  type: z.string(),
  body: z.string(),
  previousHash: z.string(),
  hash: z.string(),
});

/** Ordered file of audit rows, one JSON object a line, flushed before it is answered for. */
export class AuditSpool {
  readonly #file: string;
  readonly #maxBytes: number;

  constructor(file: string, maxBytes = MAX_SPOOL_BYTES) {
    this.#file = file;
    this.#maxBytes = maxBytes;
  }

  /** All rows or none. @throws SallyportError audit_unavailable when full or not writable */
  append(rows: readonly AuditRecord[]): void {
    const bytes = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    try {
      mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
      const handle = openSync(this.#file, 'a+', 0o600);
      try {
        const was = fstatSync(handle).size;
        if (was + bytes.length > this.#maxBytes) throw new Error(`the spool holds ${was} bytes and is full`);
        writeOrTakeBack(handle, bytes, was);
      } finally {
        closeSync(handle);
      }
    } catch (cause) {
      throw new SallyportError('audit_unavailable', `the audit spool cannot be written`, { cause });
    }
  }

  /**
   * Rows in order. A last line without its end was never answered for (the gateway died in the middle) and is left out.
   * @throws SallyportError audit_unavailable when another line cannot be read
   */
  read(): AuditRecord[] {
    if (!existsSync(this.#file)) return [];
    const lines = readFileSync(this.#file, 'utf8').split('\n');
    lines.pop();
    return lines.map((line, index) => {
      try {
        return Line.parse(JSON.parse(line));
      } catch (cause) {
        throw new SallyportError('audit_unavailable', `line ${index + 1} of ${this.#file} is damaged`, { cause });
      }
    });
  }

  /** Empties it; only after its rows are stored. */
  clear(): void {
    if (!existsSync(this.#file)) return;
    const handle = openSync(this.#file, 'r+');
    try {
      ftruncateSync(handle, 0);
      fdatasyncSync(handle);
    } finally {
      closeSync(handle);
    }
  }
}

/** A disk may take a part only; then the part goes again, so that no line is ever half there. */
function writeOrTakeBack(handle: number, bytes: Buffer, was: number): void {
  try {
    let written = 0;
    while (written < bytes.length) written += writeSync(handle, bytes, written);
    fdatasyncSync(handle);
  } catch (error) {
    ftruncateSync(handle, was);
    throw error;
  }
}
