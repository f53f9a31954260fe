/** Reads a capture of a PowerShell subsystem and tells each message as JSON. */
import {
  bodyText,
  CliXmlReader,
  decodeMessage,
  decodePacket,
  DEFAULT_LIMITS,
  LineReader,
  messageName,
  PsrpError,
  Reassembler,
} from '@sallyport/psrp';
import type { Packet, ReceivedObject } from '@sallyport/psrp';
import { integerToJson, valueToJson } from './psrp-json.ts';
import type { Json } from './psrp-json.ts';

/** Client to server, or back. */
export type CaptureDirection = 'c2s' | 's2c';

/** How to read, and where to write. */
export interface DecodeOptions {
  /** null = both; raw lines need one. */
  readonly dir: CaptureDirection | null;
  /** Bodies with type names, tags and order. */
  readonly isFull: boolean;
  /** Takes one object of the output. */
  readonly told: (object: Readonly<Record<string, Json>>) => void;
}

/** A text that a server in PowerShell's server mode prints between packets. */
const isServerText = (text: string): boolean => /^__NamedPipeError__:/i.test(text) || /^\s+at /.test(text);
/** The session key's messages carry no pool id; a large capture is not cut by limits made for live sessions. */
const LIMITS = { ...DEFAULT_LIMITS, maxObjectBytes: 1024 * 1024 * 1024, maxFragmentBytes: 64 * 1024 * 1024 };
const MAX_LINE_BYTES = 128 * 1024 * 1024;

/** One decoder reads one capture. */
export class CaptureDecoder {
  readonly #options: DecodeOptions;
  readonly #streams = new Map<string, Reassembler>();
  readonly #reader = new CliXmlReader(LIMITS);
  readonly #lines = new LineReader(MAX_LINE_BYTES);
  #isJson: boolean | null = null;
  #hasPacket = { c2s: false, s2c: false };
  #isMalformed = false;

  constructor(options: DecodeOptions) {
    this.#options = options;
  }

  /** Something was there that neither side may send. */
  get isMalformed(): boolean {
    return this.#isMalformed;
  }
  /** Messages that the capture begins and does not end, as where a link was cut. */
  get unfinished(): number {
    return [...this.#streams.values()].filter((stream) => stream.isIncomplete).length;
  }
  /** null until the first line was seen. */
  get isJson(): boolean | null {
    return this.#isJson;
  }

  /** Takes bytes of the file. @throws OutOfProcError oop_line_too_long */
  push(bytes: Uint8Array): void {
    this.#lines.push(bytes, (line) => {
      this.#line(line);
    });
  }

  /** The file has ended; its last line may lack the newline. */
  end(): void {
    if (this.#lines.heldBytes > 0) this.push(Uint8Array.of(10));
  }

  #line(line: Uint8Array): void {
    const text = new TextDecoder().decode(line);
    this.#isJson ??= text.trimStart().startsWith('{');
    if (!this.#isJson) {
      this.#row(this.#options.dir ?? 's2c', null, text);
      return;
    }
    if (text.trim() === '') return;
    const row = parseRow(text);
    if (row === null) {
      this.#isMalformed = true;
      this.#options.told({ dir: null, t: null, text });
    } else if (this.#options.dir === null || this.#options.dir === row.dir) this.#row(row.dir, row.t, row.line);
  }

  #row(dir: CaptureDirection, t: number | null, line: string): void {
    const packet = line.startsWith('<') ? packetOf(line) : null;
    if (packet === null) {
      // Before the first packet a server's login scripts may print anything.
      const isExpected = dir === 's2c' && (isServerText(line) || !this.#hasPacket.s2c);
      if (!isExpected) this.#isMalformed = true;
      this.#options.told({ dir, t, text: line });
      return;
    }
    this.#hasPacket[dir] = true;
    let messages = 0;
    if (packet.element === 'Data') {
      const key = `${dir}/${packet.pipelineId ?? ''}/${packet.priority}`;
      const stream = this.#streams.get(key) ?? new Reassembler(LIMITS);
      this.#streams.set(key, stream);
      try {
        stream.read(packet.data, (object) => {
          messages++;
          this.#message(dir, t, object);
        });
      } catch (error) {
        this.#streams.delete(key);
        messages++;
        this.#error(dir, t, error);
      }
    }
    if (messages === 0) this.#options.told({ dir, t, element: packet.element });
  }

  #error(dir: CaptureDirection, t: number | null, error: unknown): void {
    if (!(error instanceof PsrpError)) throw error;
    this.#isMalformed = true;
    const { code, message, offset, section } = error;
    this.#options.told({ dir, t, error: { code, message, offset, section } });
  }

  #message(dir: CaptureDirection, t: number | null, { objectId, bytes }: ReceivedObject): void {
    const message = decodeMessage(bytes);
    const type = messageName(message.messageType) ?? `0x${message.messageType.toString(16)}`;
    const head = {
      dir,
      t,
      type,
      rpid: message.poolId,
      pid: message.pipelineId,
      objectId: integerToJson(objectId),
      bytes: bytes.length,
    };
    try {
      const value = message.body.length === 0 ? null : this.#reader.read(bodyText(message.body));
      this.#options.told({ ...head, body: valueToJson(value, this.#options.isFull) });
    } catch (error) {
      if (!(error instanceof PsrpError)) throw error;
      this.#isMalformed = true;
      const { code, message: text, offset, section } = error;
      this.#options.told({ ...head, body: null, error: { code, message: text, offset, section } });
    }
  }
}

function packetOf(line: string): Packet | null {
  try {
    return decodePacket(new TextEncoder().encode(line));
  } catch (error) {
    if (error instanceof PsrpError) return null;
    throw error;
  }
}

function parseRow(text: string): { t: number | null; dir: CaptureDirection; line: string } | null {
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof row !== 'object' || row === null || !('dir' in row) || !('line' in row)) return null;
  const { dir, line } = row;
  const t = 't' in row && typeof row.t === 'number' ? row.t : null;
  return (dir === 'c2s' || dir === 's2c') && typeof line === 'string' ? { t, dir, line } : null;
}
