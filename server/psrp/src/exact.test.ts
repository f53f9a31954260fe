import { describe, expect, it } from 'vitest';
import { captureFiles, readCapture, rowsOf } from '../../../test/lab/captures.ts';
import type { Decoded, Stream } from '../../../test/lab/captures.ts';
import { bodyText, encodeBody, encodeMessage, encodePacket, fragmentsAs, writeCliXml } from './index.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bodyOf = ({ value, message, name }: Decoded): Uint8Array =>
  // The recording's small test client numbers objects in its own way; its bodies go through as bytes.
  message.hasBom || name === null ? encodeBody(value) : message.body;

/** Encodes the messages of a stream and cuts them into lines of the lengths that the recording has. */
function linesOf(stream: Stream): { lines: string[]; rest: number } {
  const fragments = stream.messages.flatMap((each) => [
    ...fragmentsAs(each.objectId, encodeMessage(each.message, bodyOf(each), each.message.hasBom), each.cut),
  ]);
  const bytes = Uint8Array.from(fragments.flatMap((fragment) => [...fragment]));
  const lines: string[] = [];
  let at = 0;
  for (const { packet } of stream.lines) {
    const data = bytes.subarray(at, at + packet.data.length);
    // Only an object that a cut link never completed leaves a line without its bytes.
    if (data.length < packet.data.length) break;
    lines.push(text(encodePacket({ ...packet, data })).slice(0, -1));
    at += data.length;
  }
  return { lines, rest: stream.lines.length - lines.length };
}

describe.each(captureFiles)('capture $scenario of $version', ({ scenario, version }) => {
  const reading = readCapture(rowsOf(scenario, version));

  it('comes back line by line from its decoded messages', () => {
    let unfinished = 0;
    for (const stream of reading.streams.values()) {
      const { lines, rest } = linesOf(stream);
      expect(lines).toEqual(stream.lines.slice(0, lines.length).map(({ line }) => line));
      if (rest > 0) unfinished++;
    }
    expect(unfinished).toBeLessThanOrEqual(reading.incomplete);
    for (const { line, packet } of reading.simple) expect(text(encodePacket(packet))).toBe(`${line}\n`);
  });
});

describe('all captures', () => {
  it('differ only where the test client of the recording writes in another form', () => {
    const all = captureFiles.flatMap(({ scenario, version }) => readCapture(rowsOf(scenario, version)).messages);
    const same = all.filter(({ value, message }) => {
      return (value === undefined ? '' : writeCliXml(value)) === bodyText(message.body);
    });
    const differing = all.filter((each) => !same.includes(each));
    expect({ messages: all.length, differing: differing.length }).toEqual({ messages: 2448, differing: 128 });
    expect(differing.every(({ dir, message }) => dir === 'c2s' && !message.hasBom)).toBe(true);
    const names = [...new Set(differing.map(({ name }) => name))].sort();
    expect(names).toEqual(['CREATE_PIPELINE', 'INIT_RUNSPACEPOOL', 'PIPELINE_HOST_RESPONSE']);
  });
});
