import { WsManProtocolError } from './errors.ts';

const SECTION = 'MS-WSMV 2.2.9.1 Encrypted Message Types';
const BOUNDARY = 'Encrypted Boundary';
/** The sealed bytes are TLS records and tell their own lengths. */
const CREDSSP = 'application/http-credssp-session-encrypted';
/** A line of a part's head. Real ones have about 70 bytes. */
const MAX_LINE_BYTES = 512;
/** Header lines of one part. Real ones have one or two. */
const MAX_HEADER_LINES = 8;
/** Signature or header of one part: NTLM has 16 bytes, Kerberos at most 72, TLS at most 64. */
const MAX_SIGNATURE_BYTES = 1024;
/** One record of TLS, with room for what a cipher adds. RFC 5246 6.2.3. */
const MAX_RECORD_BYTES = 16_384 + 2048;

/** One sealed piece of a body. */
export interface BodyPart {
  /** Bytes of the piece before sealing, as `Length` says; with padding, where the context pads. */
  readonly plainLength: number;
  /** What stands before the sealed bytes: a signature, or the header of a Kerberos token. */
  readonly signature: Uint8Array;
  readonly sealed: Uint8Array;
}

/** A body as it is sent. */
export interface SealedBody {
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** How a body is written. */
export interface SealedBodyForm {
  /** For example `application/HTTP-SPNEGO-session-encrypted`. */
  readonly protocol: string;
  /** A tab before each header line of a part, as the grammar has it. OMI on Linux closes the connection on it. */
  readonly hasTab?: boolean;
  /** Content type of the plain body. */
  readonly originalType?: string;
}

/** A body taken apart; nothing is unsealed yet. */
export interface SealedBodyParts {
  /** As the parts name it. */
  readonly protocol: string;
  /** Content type of the plain body, without its length. */
  readonly originalType: string;
  readonly parts: readonly BodyPart[];
}

/** Content type of an envelope that is not sealed, and of what a sealed one holds. */
export const SOAP_CONTENT_TYPE = 'application/soap+xml;charset=UTF-8';

const encoder = new TextEncoder();
const latin = new TextDecoder('latin1');

/** Is this the type of a sealed body? Anything else must not be read where sealing is due. */
export const isSealedType = (contentType: string | null): boolean =>
  /^multipart\/(?:x-multi-)?encrypted\s{0,8}(?:;|$)/i.test(contentType?.trimStart().slice(0, 60) ?? '');

/**
 * Writes a sealed body, both roles. MS-WSMV 2.2.9.1 Encrypted Message Types.
 * @param parts in order; more than one only where the protocol cuts (CredSSP)
 */
export function encodeSealedBody(parts: readonly BodyPart[], form: SealedBodyForm): SealedBody {
  const { protocol, hasTab = true, originalType = SOAP_CONTENT_TYPE } = form;
  const tab = hasTab ? '\t' : '';
  const pieces: Uint8Array[] = [];
  for (const { plainLength, signature, sealed } of parts) {
    const head =
      `--${BOUNDARY}\r\n${tab}Content-Type: ${protocol}\r\n` +
      `${tab}OriginalContent: type=${originalType};Length=${plainLength}\r\n` +
      `--${BOUNDARY}\r\n${tab}Content-Type: application/octet-stream\r\n`;
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, signature.length, true);
    pieces.push(encoder.encode(head), length, signature, sealed);
  }
  pieces.push(encoder.encode(`--${BOUNDARY}--\r\n`));
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  const type = parts.length > 1 ? 'multipart/x-multi-encrypted' : 'multipart/encrypted';
  return { contentType: `${type};protocol="${protocol}";boundary="${BOUNDARY}"`, bytes };
}

/** Values of a header's parameters, names in lower case; quotes are taken off. */
function parameters(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const piece of text.split(';').slice(0, 16)) {
    const at = piece.indexOf('=');
    if (at < 0) continue;
    const value = piece.slice(at + 1).trim();
    const isQuoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"');
    found.set(piece.slice(0, at).trim().toLowerCase(), isQuoted ? value.slice(1, -1) : value);
  }
  return found;
}

/** Walks over a body by line and by length; never searches inside sealed bytes. */
class BodyReader {
  readonly #bytes: Uint8Array;
  readonly #delimiter: string;
  #at = 0;
  constructor(bytes: Uint8Array, boundary: string) {
    this.#bytes = bytes;
    this.#delimiter = `--${boundary}`;
  }

  fail(message: string): never {
    throw new WsManProtocolError('wsman_malformed', `a sealed body with ${message}`, {
      offset: this.#at,
      section: SECTION,
    });
  }

  /** A line without its end. */
  line(): string {
    const limit = Math.min(this.#bytes.length - 1, this.#at + MAX_LINE_BYTES);
    for (let i = this.#at; i < limit; i++) {
      if (this.#bytes[i] !== 13 || this.#bytes[i + 1] !== 10) continue;
      const text = latin.decode(this.#bytes.subarray(this.#at, i));
      this.#at = i + 2;
      return text;
    }
    return this.fail('a line that does not end');
  }

  /** Takes a delimiter. @returns true when it was the last one */
  delimiter(line = this.line()): boolean {
    // Some servers write a space after the two dashes.
    const name = line.startsWith('-- ') ? `--${line.slice(3)}` : line;
    if (name === this.#delimiter) return false;
    if (name === `${this.#delimiter}--`) return true;
    return this.fail('something else where a boundary is due');
  }

  /** Header lines up to the next delimiter, names in lower case. */
  headers(): Map<string, string> {
    const found = new Map<string, string>();
    for (let count = 0; count <= MAX_HEADER_LINES; count++) {
      const line = this.line();
      if (line.startsWith('--')) {
        if (this.delimiter(line)) this.fail('a part without sealed bytes');
        return found;
      }
      const [name, value] = this.header(line);
      if (found.has(name)) this.fail('the same header twice');
      found.set(name, value);
    }
    return this.fail('too many header lines');
  }

  header(line: string): [string, string] {
    const at = line.indexOf(':');
    if (at < 0) this.fail('a header line without a colon');
    return [line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()];
  }

  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) this.fail('a part that ends too early');
    const from = this.#at;
    this.#at += length;
    return this.#bytes.subarray(from, this.#at);
  }

  uint32(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.take(4);
    return (a | (b << 8) | (c << 16)) + d * 0x1000000;
  }

  /** TLS records up to the next delimiter; no record begins with a dash. */
  records(): Uint8Array {
    const from = this.#at;
    do {
      const [type = 0, major = 0, , high = 0, low = 0] = this.take(5);
      const length = (high << 8) | low;
      if (type < 20 || type > 24 || major !== 3 || length > MAX_RECORD_BYTES) this.fail('bytes that are no TLS record');
      this.take(length);
    } while (this.#at < this.#bytes.length && this.#bytes[this.#at] !== 45);
    return this.#bytes.subarray(from, this.#at);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) this.fail('bytes after its end');
  }
}

function originalContent(reader: BodyReader, text: string | undefined, maxBytes: number): [string, number] {
  const given = parameters(text ?? '');
  const length = given.get('length') ?? '';
  if (!/^\d{1,10}$/.test(length)) reader.fail('no length of its content');
  const plainLength = Number(length);
  if (plainLength > maxBytes) {
    throw new WsManProtocolError('wsman_too_large', `a sealed body of more than ${maxBytes} bytes`, {
      section: SECTION,
    });
  }
  const charset = given.get('charset');
  return [`${given.get('type') ?? ''}${charset === undefined ? '' : `;charset=${charset}`}`, plainLength];
}

/** The sealed bytes of one part: their length follows from `Length`, or from the records where they are TLS. */
function sealedPart(reader: BodyReader, plainLength: number, isTls: boolean): BodyPart {
  const [name, type] = reader.header(reader.line());
  if (name !== 'content-type' || type.toLowerCase() !== 'application/octet-stream') {
    reader.fail('a part of another type where sealed bytes are due');
  }
  const signatureLength = reader.uint32();
  if (signatureLength > MAX_SIGNATURE_BYTES) reader.fail('a signature that is too long');
  if (!isTls) return { plainLength, signature: reader.take(signatureLength), sealed: reader.take(plainLength) };
  const stream = reader.records();
  if (stream.length < signatureLength) reader.fail('a part that ends too early');
  return { plainLength, signature: stream.subarray(0, signatureLength), sealed: stream.subarray(signatureLength) };
}

/**
 * Takes a sealed body apart, both roles. Both types are taken for every protocol; headers in any order and case, with or
 * without the tab, and a boundary with a stray space are taken too, because servers differ.
 * @param contentType of the HTTP message; `isSealedType` has been asked
 * @param maxPlainBytes of all parts together; nothing longer is touched
 * @returns views of `bytes`
 * @throws WsManProtocolError wsman_malformed, wsman_too_large
 */
export function decodeSealedBody(contentType: string, bytes: Uint8Array, maxPlainBytes: number): SealedBodyParts {
  const boundary = parameters(contentType.slice(0, 400)).get('boundary') ?? '';
  const reader = new BodyReader(bytes, boundary);
  if (boundary === '' || boundary.length > 70) reader.fail('no boundary in its type');
  const parts: BodyPart[] = [];
  let left = maxPlainBytes;
  let protocol: string | null = null;
  let originalType: string | null = null;
  let isLast = reader.delimiter();
  if (isLast) reader.fail('no part');
  while (!isLast) {
    const headers = reader.headers();
    const partProtocol = headers.get('content-type') ?? '';
    const [type, length] = originalContent(reader, headers.get('originalcontent'), left);
    if (partProtocol !== (protocol ??= partProtocol) || type !== (originalType ??= type)) {
      reader.fail('parts of different kinds');
    }
    // An empty piece beside others is nothing that a server sends, and would make the number of parts unbounded.
    if (length === 0 && parts.length > 0) reader.fail('an empty part');
    parts.push(sealedPart(reader, length, partProtocol.toLowerCase() === CREDSSP));
    left -= length;
    isLast = reader.delimiter();
  }
  reader.end();
  return { protocol: protocol ?? '', originalType: originalType ?? '', parts };
}

/**
 * Puts the unsealed pieces together.
 * @throws WsManProtocolError wsman_malformed when a piece is not as long as its part said
 */
export function joinPlain(parts: readonly BodyPart[], plains: readonly Uint8Array[]): Uint8Array {
  const isAsSaid = parts.length === plains.length && parts.every((part, i) => part.plainLength === plains[i]?.length);
  if (!isAsSaid) {
    throw new WsManProtocolError('wsman_malformed', 'a sealed body of another length than it says', {
      section: SECTION,
    });
  }
  if (plains.length === 1) return plains[0] ?? new Uint8Array();
  const joined = new Uint8Array(plains.reduce((sum, plain) => sum + plain.length, 0));
  let at = 0;
  for (const plain of plains) {
    joined.set(plain, at);
    at += plain.length;
  }
  return joined;
}
