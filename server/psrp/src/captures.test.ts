import { describe, expect, it } from 'vitest';
import { captureFiles as cases, metaOf, readCapture, rowsOf } from '../../../test/lab/captures.ts';
import type { Decoded, Direction, Row } from '../../../test/lab/captures.ts';
import {
  decodeMessage,
  decodePacket,
  LineReader,
  MESSAGES,
  OutOfProcClient,
  Reassembler,
  RUNSPACE_HOST,
  writeCliXml,
  bodyText,
  ErrorRecord,
} from './index.ts';
import type { ClientEvent, MessageName } from './index.ts';

const ordered = (names: readonly string[]): string[] => {
  const out: { name: string; count: number }[] = [];
  for (const name of names) {
    const last = out.at(-1);
    if (last?.name === name) last.count++;
    else out.push({ name, count: 1 });
  }
  return out.map(({ name, count }) => (count === 1 ? name : `${name} x${count}`));
};

const counted = (names: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};

/** Leaves each list of type names once, as our writer does. */
function withoutRepeatedTypes(text: string): string {
  const seen = new Set<string>();
  return text.replaceAll(/<TN>.*?<\/TN>|<TNRef \/>/g, (list) => {
    if (list === '<TNRef />' || seen.has(list)) return '';
    seen.add(list);
    return list;
  });
}

describe.each(cases)('capture $scenario of $version', ({ scenario, version }) => {
  const meta = metaOf(scenario, version);
  const rows = rowsOf(scenario, version);
  const reading = readCapture(rows);
  const namesOf = (dir: Direction): string[] =>
    reading.messages.filter((m) => m.dir === dir).map((m) => m.name ?? `0x${m.message.messageType.toString(16)}`);

  it('holds the elements and text lines that were noted', () => {
    expect(reading.elements).toEqual(meta.elements);
    // The note keeps 160 characters of a line.
    expect(reading.texts.map((text) => text.slice(0, 160))).toEqual(
      (meta.text_lines ?? []).map((text) => text.slice(0, 160)),
    );
    expect(reading.incomplete).toBe(meta.incomplete_objects);
    expect(reading.insideFragment).toBe(meta.data_lines_ending_inside_a_fragment);
  });

  it('gives the messages in the order that was noted', () => {
    for (const dir of ['c2s', 's2c'] as const) {
      expect(counted(namesOf(dir))).toEqual(meta.message_counts[dir]);
      expect(ordered(namesOf(dir))).toEqual(meta.message_order[dir]);
    }
  });

  it('decodes every body by its type, and the type is right for the direction', () => {
    for (const { dir, name, value } of reading.messages) {
      if (name === null) continue;
      const codec = MESSAGES[name];
      expect([dir, 'both']).toContain(codec.direction);
      if (scenario === 'server-complains' && dir === 'c2s') continue; // Bad on purpose.
      expect(() => codec.decode(value)).not.toThrow();
    }
  });

  // The recording's small test client writes `<LST></LST>`, repeats type lists and numbers its objects as it likes; what
  // PowerShell itself wrote has a byte order mark and comes back byte by byte.
  it('writes every object of PowerShell back byte by byte, and every other one with the same content', () => {
    const normal = (text: string): string =>
      text.replaceAll(/ RefId="\d+"/g, '').replaceAll(/<(LST|DCT|MS)><\/\1>/g, '<$1 />');
    for (const { message, value, name } of reading.messages) {
      const written = value === undefined ? '' : writeCliXml(value);
      const text = bodyText(message.body);
      if (message.hasBom || !text.includes('RefId')) expect(written, name ?? '').toBe(text);
      else expect(normal(written).replaceAll(/<TNRef \/>/g, '')).toBe(withoutRepeatedTypes(normal(text)));
    }
  });

  it('finds the values that were noted', () => {
    const of = (name: MessageName): Decoded[] => reading.messages.filter((m) => m.name === name);
    const { key_values: key } = meta;
    const states = of('RUNSPACEPOOL_STATE').map((m) => MESSAGES.RUNSPACEPOOL_STATE.decode(m.value).state);
    const pipelineStates = of('PIPELINE_STATE').map((m) => MESSAGES.PIPELINE_STATE.decode(m.value).state);
    const calls = [...of('PIPELINE_HOST_CALL'), ...of('RUNSPACEPOOL_HOST_CALL')].map((m) => {
      const { callId, methodId, methodName } = MESSAGES.PIPELINE_HOST_CALL.decode(m.value);
      const list = /<LST>(.*)<\/LST><\/Obj><\/MS><\/Obj>$/s.exec(bodyText(m.message.body))?.[1] ?? '';
      return { id: `${callId.toString()} ${methodId} ${methodName}`, list };
    });
    expect(states).toEqual(key.pool_states ?? []);
    expect(pipelineStates).toEqual(key.pipeline_states ?? []);
    const noted = key.host_calls ?? [];
    expect(calls.map(({ id }) => id)).toEqual(noted.map(([ci, mi, name]) => `${ci} ${mi} ${name}`));
    expectNoted(
      calls.map(({ list }) => list),
      noted.map(([, , , text]) => text),
    );
    const outputs = of('PIPELINE_OUTPUT').map((m) => bodyText(m.message.body));
    expectNoted(outputs.slice(0, outputs.length - (key.outputs_not_listed ?? 0)), key.outputs ?? []);
    const errors = errorsOf(reading.messages);
    expect(errors.map(([id, category]) => [id, category])).toEqual((key.errors ?? []).map(([id, c]) => [id, c]));
    expectNoted(
      errors.map(([, , text]) => text),
      (key.errors ?? []).map(([, , text]) => text),
    );
  });
});

/** Errors of the pipelines as the notes have them: identifier, category and text as on the wire. */
function errorsOf(messages: readonly Decoded[]): [string, string, string][] {
  const records = messages.flatMap(({ name, value }) => {
    if (name === 'ERROR_RECORD') return [MESSAGES.ERROR_RECORD.decode(value).record];
    const error = name === 'PIPELINE_STATE' ? MESSAGES.PIPELINE_STATE.decode(value).error : null;
    return error === null ? [] : [error];
  });
  return records.map((object) => {
    const record = new ErrorRecord(object);
    const text = (object.text ?? '').replaceAll(
      /[\u0000-\u001f]/g,
      (c) => `_x${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}_`,
    );
    return [record.fullyQualifiedErrorId, record.category.toString(), text];
  });
}

/** Compares with a text that the notes may have cut: `beginning… (N characters)`. */
function expectNoted(found: readonly string[], noted: readonly string[]): void {
  expect(found).toHaveLength(noted.length);
  for (const [index, note] of noted.entries()) {
    const text = found[index] ?? '';
    const cut = /^(.*)… \(\d+ characters\)$/s.exec(note)?.[1];
    expect(cut === undefined ? text : text.slice(0, cut.length)).toBe(cut ?? note);
  }
}

/** Plays the server's lines of a capture to a client that made the same pipelines. */
function replay(rows: readonly Row[], cut: (bytes: Uint8Array) => Uint8Array[]): ClientEvent[] {
  const first = rows.map((row) => row.line).find((line) => line.startsWith('<Data'));
  if (first === undefined) throw new Error('no data');
  const opening = decodePacket(new TextEncoder().encode(first));
  if (opening.element !== 'Data') throw new Error('no data');
  const [capability] = new Reassembler().receive(opening.data);
  if (capability === undefined) throw new Error('no capability');
  const client = new OutOfProcClient({
    poolId: decodeMessage(capability.bytes).poolId,
    newId: () => '',
    protocolVersion: '2.4',
  });
  client.open({ hostInfo: RUNSPACE_HOST });
  const events: ClientEvent[] = [];
  for (const { dir, line } of rows) {
    const command = /^<Command PSGuid='([^']+)'/.exec(line)?.[1];
    if (client.state === 'Opened') client.requestSessionKey();
    if (dir === 's2c')
      for (const piece of cut(new TextEncoder().encode(`${line}\n`))) events.push(...client.receive(piece));
    else if (command !== undefined && client.state === 'Opened') {
      client.createPipeline({ commands: [{ command: 'x' }], pipelineId: command });
    } else if (line.includes("<Close PSGuid='00000000-")) events.push(...client.close());
    client.takeOutgoing();
  }
  return events;
}

describe.each(cases)('client replay of $scenario of $version', ({ scenario, version }) => {
  const rows = rowsOf(scenario, version);
  const whole = replay(rows, (bytes) => [bytes]);

  it('never fails on what a real server sent', () => {
    const failed = whole.filter((event) => event.type === 'failed' || event.type === 'unanswerableHostCall');
    expect(failed).toEqual([]);
  });

  it('gives the same events one byte at a time', () => {
    if (rows.reduce((sum, row) => sum + row.line.length, 0) > 120_000) return;
    expect(replay(rows, (bytes) => Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)))).toEqual(whole);
  });
});

describe('LineReader', () => {
  it('takes CRLF, a byte order mark and any cut', () => {
    const lines: string[] = [];
    const reader = new LineReader(100);
    const bytes = new TextEncoder().encode('\ufeffone\r\ntwo\nthree');
    for (const byte of bytes) reader.push(Uint8Array.of(byte), (line) => lines.push(new TextDecoder().decode(line)));
    expect(lines).toEqual(['one', 'two']);
    expect(reader.heldBytes).toBe(5);
  });
});
