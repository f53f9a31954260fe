import { readdirSync, readFileSync } from 'node:fs';
import { decodeBody, decodeMessage, decodePacket, messageName, Reassembler, CliXmlReader } from '@sallyport/psrp';
import type { MessageName, Packet, PsValue, RawMessage } from '@sallyport/psrp';

/** Recorded sessions of real PowerShell; their form is described in the folder's README. */
export const CAPTURES = new URL('../../server/psrp/vectors/captures/', import.meta.url);
export const VERSIONS = ['7.5.10', '7.6.5'] as const;
export type Direction = 'c2s' | 's2c';

/** One line of a channel. */
export interface Row {
  readonly t: number;
  readonly dir: Direction;
  readonly line: string;
}

/** What the recording's own reader found. */
export interface FileMeta {
  readonly announced: string;
  readonly negotiated: string;
  readonly server_version: string;
  readonly elements: Record<Direction, Record<string, number>>;
  readonly message_counts: Record<Direction, Record<string, number>>;
  readonly message_order: Record<Direction, string[]>;
  readonly text_lines?: string[];
  readonly incomplete_objects: number;
  readonly data_lines_ending_inside_a_fragment: number;
  readonly session_key?: { readonly aes_key_hex: string };
  readonly key_values: {
    readonly outputs?: string[];
    readonly outputs_not_listed?: number;
    readonly pipeline_states?: number[];
    readonly pool_states?: number[];
    readonly host_calls?: [number, number, string, string][];
    readonly errors?: [string, string, string][];
  };
}

/** Names of all scenarios. */
export const scenarios = readdirSync(CAPTURES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);
/** Every recorded file. */
export const captureFiles = scenarios.flatMap((scenario) => VERSIONS.map((version) => ({ scenario, version })));

/** The lines of a file, in order of time. */
export const rowsOf = (scenario: string, version: string): Row[] =>
  readFileSync(new URL(`${scenario}/${version}.jsonl`, CAPTURES), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);

/** What was noted about a scenario: its script or steps, and each file. */
export const scenarioMeta = (scenario: string): { client: string; script: unknown; files: Record<string, FileMeta> } =>
  JSON.parse(readFileSync(new URL(`${scenario}/meta.json`, CAPTURES), 'utf8')) as {
    client: string;
    script: unknown;
    files: Record<string, FileMeta>;
  };

/** What was noted about a file. */
export const metaOf = (scenario: string, version: string): FileMeta => {
  const file = scenarioMeta(scenario).files[`${version}.jsonl`];
  if (file === undefined) throw new Error(`no ${version} in ${scenario}`);
  return file;
};

/** A message of a capture. */
export interface Decoded {
  readonly dir: Direction;
  /** Index of the line that completed it. */
  readonly row: number;
  /** null for the one unknown type that a client sent on purpose. */
  readonly name: MessageName | null;
  readonly message: RawMessage;
  readonly objectId: bigint;
  readonly cut: readonly number[];
  readonly value: PsValue | undefined;
}

/** A Data line, and its stream. */
export interface DataLine {
  readonly line: string;
  readonly packet: Extract<Packet, { element: 'Data' }>;
}

/** One direction of one pipeline or pool at one priority. */
export interface Stream {
  readonly lines: DataLine[];
  readonly messages: Decoded[];
}

/** A whole capture read. */
export interface Reading {
  readonly messages: Decoded[];
  readonly elements: Record<Direction, Record<string, number>>;
  readonly texts: string[];
  readonly simple: { readonly line: string; readonly packet: Packet }[];
  readonly streams: ReadonlyMap<string, Stream>;
  readonly incomplete: number;
  readonly insideFragment: number;
}

/** The way of a capture through the layers, without a pool. */
export function readCapture(rows: readonly Row[]): Reading {
  const reassemblers = new Map<string, Reassembler>();
  const streams = new Map<string, Stream>();
  const reader = new CliXmlReader();
  const reading = { messages: [] as Decoded[], texts: [] as string[], simple: [] as Reading['simple'] };
  const elements: Record<Direction, Record<string, number>> = { c2s: {}, s2c: {} };
  let insideFragment = 0;
  for (const [row, { dir, line }] of rows.entries()) {
    if (!line.startsWith('<')) {
      reading.texts.push(line);
      continue;
    }
    if (line.startsWith('<Foo')) {
      // Sent on purpose to see what a server says; no packet.
      elements[dir]['Foo'] = 1;
      continue;
    }
    const packet = decodePacket(new TextEncoder().encode(line));
    elements[dir][packet.element] = (elements[dir][packet.element] ?? 0) + 1;
    if (packet.element !== 'Data') {
      reading.simple.push({ line, packet });
      continue;
    }
    const key = `${dir}/${packet.pipelineId ?? ''}/${packet.priority}`;
    const reassembler = reassemblers.get(key) ?? new Reassembler();
    reassemblers.set(key, reassembler);
    const stream = streams.get(key) ?? { lines: [], messages: [] };
    streams.set(key, stream);
    stream.lines.push({ line, packet });
    for (const { bytes, objectId, cut } of reassembler.receive(packet.data)) {
      const message = decodeMessage(bytes);
      const name = messageName(message.messageType);
      const decoded = { dir, row, name, message, objectId, cut, value: decodeBody(message, reader) };
      stream.messages.push(decoded);
      reading.messages.push(decoded);
    }
    if (reassembler.hasPartialFragment) insideFragment++;
  }
  const incomplete = [...reassemblers.values()].filter((each) => each.isIncomplete).length;
  return { ...reading, elements, streams, incomplete, insideFragment };
}
