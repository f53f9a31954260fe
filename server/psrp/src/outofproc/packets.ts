import { base64Length, readBase64, writeBase64 } from '../base64.ts';
import { OutOfProcError } from '../errors.ts';
import { EMPTY_GUID, parseGuid } from '../guid.ts';
import { HeldBytes } from '../held-bytes.ts';
import type { Priority } from '../pool/outgoing.ts';

const SECTION = 'ssh-framing 2 Elements';

/** Elements without content. */
export const SIMPLE_ELEMENTS = [
  'DataAck',
  'Command',
  'CommandAck',
  'Signal',
  'SignalAck',
  'Close',
  'CloseAck',
] as const;
/** The name of an element without content. */
export type SimpleElement = (typeof SIMPLE_ELEMENTS)[number];

/** One line of the subsystem. `pipelineId` null = the pool. */
export type Packet =
  | {
      readonly element: 'Data';
      readonly priority: Priority;
      readonly pipelineId: string | null;
      /** Fragment bytes, at least one. */
      readonly data: Uint8Array;
    }
  | { readonly element: SimpleElement; readonly pipelineId: string | null };

const encoder = new TextEncoder();
const utf8 = new TextDecoder('utf-8');
const LT = 0x3c;
const GT = 0x3e;
const NEWLINE = 10;

const STREAM_NAMES = { default: 'Default', promptResponse: 'PromptResponse' } as const;
const DATA_END = encoder.encode('</Data>\n');
/** Starts of Data lines as everybody writes them; the GUID's 36 characters and `'>` follow. */
const DATA_STARTS = [
  { priority: 'default', bytes: encoder.encode("<Data Stream='Default' PSGuid='") },
  { priority: 'promptResponse', bytes: encoder.encode("<Data Stream='PromptResponse' PSGuid='") },
] as const;

/** A whole line with its newline. */
export function encodePacket(packet: Packet): Uint8Array {
  const guid = packet.pipelineId ?? EMPTY_GUID;
  if (packet.element !== 'Data') return encoder.encode(`<${packet.element} PSGuid='${guid}' />\n`);
  const head = encoder.encode(`<Data Stream='${STREAM_NAMES[packet.priority]}' PSGuid='${guid}'>`);
  const out = new Uint8Array(head.length + base64Length(packet.data.length) + DATA_END.length);
  out.set(head);
  const at = writeBase64(packet.data, out, head.length);
  out.set(DATA_END, at);
  return out;
}

function bad(message: string, offset = 0): never {
  throw new OutOfProcError('oop_bad_packet', message, { offset, section: SECTION });
}

const startsWith = (line: Uint8Array, start: Uint8Array): boolean => {
  if (line.length < start.length) return false;
  for (let i = 0; i < start.length; i++) if (line[i] !== start[i]) return false;
  return true;
};

const idOf = (guid: string): string | null => (guid === EMPTY_GUID ? null : guid);

/** The GUID of the last Data line, which the next one nearly always has again. */
let lastGuid = EMPTY_GUID;
let lastGuidBytes = encoder.encode(EMPTY_GUID);

/** The 36 characters from `at` on as a GUID; null when they are none. */
function guidOf(line: Uint8Array, at: number): string | null {
  let i = 0;
  while (i < 36 && lastGuidBytes[i] === line[at + i]) i++;
  if (i === 36) return lastGuid;
  const bytes = line.slice(at, at + 36);
  const guid = parseGuid(utf8.decode(bytes));
  if (guid === null) return null;
  lastGuid = guid;
  lastGuidBytes = bytes;
  return guid;
}

/** The usual form of a Data line, without going through a string. null = look closer. */
function quickData(line: Uint8Array): Packet | null {
  for (const { priority, bytes } of DATA_STARTS) {
    if (!startsWith(line, bytes)) continue;
    const head = bytes.length + 36;
    const end = line.length - (DATA_END.length - 1);
    if (line[head] !== 0x27 || line[head + 1] !== GT || end <= head + 2) return null;
    for (let i = 0; i < DATA_END.length - 1; i++) if (line[end + i] !== DATA_END[i]) return null;
    const guid = guidOf(line, bytes.length);
    const data = readBase64(line, head + 2, end);
    return guid === null || data === null || data.length === 0
      ? null
      : { element: 'Data', priority, pipelineId: idOf(guid), data };
  }
  return null;
}

const TAG = /^<([A-Za-z]+)((?:\s+[A-Za-z]+\s*=\s*(?:'[^'<]*'|"[^"<]*"))*)\s*(\/?)>$/;
const ATTRIBUTE = /([A-Za-z]+)\s*=\s*(?:'([^'<]*)'|"([^"<]*)")/g;

interface Tag {
  readonly name: string;
  readonly isEmpty: boolean;
  readonly attributes: ReadonlyMap<string, string>;
}

function parseTag(text: string): Tag {
  const m = TAG.exec(text);
  if (m === null) return bad('not an element');
  const attributes = new Map<string, string>();
  for (const [, name = '', single, double] of (m[2] ?? '').matchAll(ATTRIBUTE)) {
    if (attributes.has(name)) bad(`attribute ${name} twice`);
    attributes.set(name, single ?? double ?? '');
  }
  return { name: m[1] ?? '', isEmpty: m[3] === '/', attributes };
}

/** Longest start tag there is any use for. */
const MAX_TAG_BYTES = 512;

/**
 * Reads one line without its line end. Either quotes and any order of attributes will do; counts are exact.
 * @throws OutOfProcError oop_bad_packet
 */
export function decodePacket(line: Uint8Array): Packet {
  const quick = quickData(line);
  if (quick !== null) return quick;
  const tagEnd = line.indexOf(GT) + 1;
  if (line[0] !== LT || tagEnd === 0 || tagEnd > MAX_TAG_BYTES) bad('not an element');
  const tag = parseTag(utf8.decode(line.subarray(0, tagEnd)));
  const guid = parseGuid(tag.attributes.get('PSGuid') ?? '');
  if (guid === null) return bad('no PSGuid');
  if (tag.name === 'Data') return longData(line, tagEnd, tag, idOf(guid));
  const element = SIMPLE_ELEMENTS.find((each) => each === tag.name);
  if (element === undefined) return bad('an unknown element');
  if (tag.attributes.size !== 1) bad('a wrong number of attributes');
  const rest = utf8.decode(line.subarray(tagEnd)).trim();
  if (tag.isEmpty ? rest !== '' : rest !== `</${element}>`) bad('content where none may be', tagEnd);
  return { element, pipelineId: idOf(guid) };
}

function longData(line: Uint8Array, from: number, tag: Tag, pipelineId: string | null): Packet {
  const stream = tag.attributes.get('Stream');
  if (stream === undefined || tag.attributes.size !== 2) bad('a wrong number of attributes');
  const close = line.indexOf(LT, from);
  if (tag.isEmpty || close < 0 || utf8.decode(line.subarray(close, close + 64)).trim() !== '</Data>') {
    bad('Data without end', from);
  }
  const data = readBase64(line, from, close) ?? bad('not base64', from);
  if (data.length === 0) bad('empty Data', from);
  return {
    element: 'Data',
    priority: stream.toLowerCase() === 'promptresponse' ? 'promptResponse' : 'default',
    pipelineId,
    data,
  };
}

function tooLong(): never {
  throw new OutOfProcError('oop_line_too_long', 'a line beyond the limit', { offset: 0, section: SECTION });
}

/** Cuts a byte stream into lines; never holds more than one line. */
export class LineReader {
  readonly #maxBytes: number;
  readonly #held = new HeldBytes();
  #isFirst = true;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }
  /** Bytes of an unfinished line. */
  get heldBytes(): number {
    return this.#held.length;
  }
  /**
   * Hands every finished line to `each`, without its line end.
   * @throws OutOfProcError oop_line_too_long
   */
  push(bytes: Uint8Array, each: (line: Uint8Array) => void): void {
    let from = 0;
    for (;;) {
      const end = bytes.indexOf(NEWLINE, from);
      const piece = bytes.subarray(from, end < 0 ? bytes.length : end);
      // One byte more than the limit may be the CR of the line end.
      if (this.#held.length + piece.length > this.#maxBytes + 1) tooLong();
      if (end < 0) {
        if (piece.length > 0) this.#held.add(piece);
        return;
      }
      each(this.#finish(piece));
      from = end + 1;
    }
  }
  #finish(last: Uint8Array): Uint8Array {
    let line = last;
    if (this.#held.length > 0) {
      if (last.length > 0) this.#held.add(last);
      line = this.#held.take();
    }
    if (line[line.length - 1] === 13) line = line.subarray(0, -1);
    if (line.length > this.#maxBytes) tooLong();
    if (this.#isFirst && line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf) line = line.subarray(3);
    this.#isFirst = false;
    return line;
  }
}

/** A line as text for people and logs, cut. */
export const lineText = (line: Uint8Array, maxBytes = 4096): string => utf8.decode(line.subarray(0, maxBytes));
