import { describe, expect, it } from 'vitest';
import { cliXmlFile, corpusLines, corpusText, fragmentFile, unfolded } from '../../../test/corpus/files.ts';
import type { CliXmlLine, FragmentLine } from '../../../test/corpus/files.ts';
import { runCliXml, runMessage, runStream } from '../../../test/corpus/run.ts';

const cliXml = corpusLines('clixml') as CliXmlLine[];
const fragments = corpusLines('fragments') as FragmentLine[];
const bytesOf = (line: FragmentLine): Uint8Array => new Uint8Array(Buffer.from(unfolded(line.bytes), 'base64'));

describe('crafted CLIXML', () => {
  it('is the corpus that the cases make, each one once', () => {
    expect(corpusText('clixml')).toBe(cliXmlFile());
    expect(new Set(cliXml.map(({ id }) => id)).size).toBe(cliXml.length);
    expect(cliXml.length).toBeGreaterThanOrEqual(400);
  });

  it.each(cliXml)('$id: $probes', ({ input, gives }) => {
    const xml = unfolded(input);
    const keys = Reflect.ownKeys(Object.prototype).length;
    const { canonical, ...outcome } = runCliXml(xml);
    if ('code' in gives) expect(outcome).toEqual(gives);
    else expect(canonical).toBe(gives.written ?? xml);
    expect(Reflect.ownKeys(Object.prototype)).toHaveLength(keys);
  });
});

describe('crafted fragments and messages', () => {
  it('are the corpus that the cases make, each one once', () => {
    expect(corpusText('fragments')).toBe(fragmentFile());
    expect(new Set(fragments.map(({ id }) => id)).size).toBe(fragments.length);
    expect(fragments.length).toBeGreaterThanOrEqual(300);
  });

  it.each(fragments)('$id: $probes', (line) => {
    const bytes = bytesOf(line);
    if ('role' in line) {
      const { event, code, section } = runMessage(line.role, line.state, bytes);
      expect({ event, code }).toEqual({ event: line.gives.event ?? null, code: line.gives.code ?? null });
      if (code !== null) expect(section).toMatch(/^MS-PSRP /);
      return;
    }
    const expected = { objects: line.gives.objects, code: line.gives.code ?? null, offset: line.gives.offset ?? null };
    const whole = runStream([bytes]);
    expect({ objects: whole.objects, code: whole.code, offset: whole.offset }).toEqual(expected);
    if (whole.code !== null) expect(whole.section).toBe('MS-PSRP 2.2.4 Packet Fragment');
    if (bytes.length < 5000) expect(runStream(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(whole);
  });
});
