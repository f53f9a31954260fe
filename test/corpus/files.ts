/**
 * The corpus as files: one case a line. `node --import tsx test/corpus/files.ts` writes them from the cases; a test says
 * when the two differ, and runs the files.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { cliXmlCases } from './clixml-cases.ts';
import { fragmentCases } from './fragment-cases.ts';

/** Text, and text that is repeated. */
export type Part = string | { readonly repeat: string; readonly times: number };

/** A line of `clixml.jsonl`. */
export interface CliXmlLine {
  readonly id: string;
  readonly probes: string;
  readonly input: readonly Part[];
  /** `written` absent: the input itself comes back. */
  readonly gives:
    { readonly code: string; readonly offset: number; readonly section: string } | { readonly written?: string };
}
/** A line of `fragments.jsonl`; bytes are base64. */
export type FragmentLine =
  | {
      readonly id: string;
      readonly probes: string;
      readonly bytes: readonly Part[];
      readonly gives: {
        readonly objects: readonly (readonly [string, number])[];
        readonly code?: string;
        readonly offset?: number;
      };
    }
  | {
      readonly id: string;
      readonly probes: string;
      readonly role: 'client' | 'server';
      readonly state: 'new' | 'opened';
      readonly bytes: readonly Part[];
      readonly gives: { readonly event?: string; readonly code?: string };
    };

export const HOSTILE = new URL('../../server/psrp/vectors/hostile/', import.meta.url);
const CLIXML_SECTION = 'MS-PSRP 2.2.5 Data Serialization';

/** Folds long repetitions, so that a case of megabytes is a line that can be read. */
function folded(text: string): Part[] {
  if (text.length < 2000) return [text];
  const parts: Part[] = [];
  let rest = text;
  for (;;) {
    const found = /(.{1,40}?)\1{99,}/s.exec(rest);
    if (found === null) return rest === '' ? parts : [...parts, rest];
    const [whole, unit = ''] = found;
    if (found.index > 0) parts.push(rest.slice(0, found.index));
    parts.push({ repeat: unit, times: whole.length / unit.length });
    rest = rest.slice(found.index + whole.length);
  }
}
/** The other way. */
export const unfolded = (parts: readonly Part[]): string =>
  parts.map((part) => (typeof part === 'string' ? part : part.repeat.repeat(part.times))).join('');

const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

/** What `clixml.jsonl` must hold. */
export function cliXmlFile(): string {
  return lines(
    cliXmlCases.map(({ id, probes, xml, code, canonical }): CliXmlLine => {
      const at = xml.indexOf('¦');
      const input = folded(xml.replace('¦', ''));
      if (code === null) return { id, probes, input, gives: canonical === null ? {} : { written: canonical } };
      const offset = Buffer.byteLength(xml.slice(0, at));
      return { id, probes, input, gives: { code, offset, section: CLIXML_SECTION } };
    }),
  );
}

/** What `fragments.jsonl` must hold. */
export function fragmentFile(): string {
  return lines(
    fragmentCases().map((each): FragmentLine => {
      const { id, probes } = each;
      const bytes = folded(Buffer.from(each.bytes).toString('base64'));
      if (each.kind === 'stream') {
        const objects = each.objects.map(([objectId, length]) => [objectId.toString(), length] as const);
        const fault = each.code === null || each.offset === null ? {} : { code: each.code, offset: each.offset };
        return { id, probes, bytes, gives: { objects, ...fault } };
      }
      const event = each.event === null ? {} : { event: each.event };
      const code = each.code === null ? {} : { code: each.code };
      return { id, probes, role: each.role, state: each.state, bytes, gives: { ...event, ...code } };
    }),
  );
}

/** A file of the corpus. */
export const corpusText = (name: 'clixml' | 'fragments'): string =>
  readFileSync(new URL(`${name}.jsonl`, HOSTILE), 'utf8');
/** Its lines. */
export const corpusLines = (name: 'clixml' | 'fragments'): unknown[] =>
  corpusText(name)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(new URL('clixml.jsonl', HOSTILE), cliXmlFile());
  writeFileSync(new URL('fragments.jsonl', HOSTILE), fragmentFile());
}
