/**
 * Recorded exchanges of real Windows servers: data of third parties that is not part of this repository. It is read in
 * place where it is installed, in `shared/captures-windows` of a folder above, or where SALLYPORT_WINDOWS_CAPTURES says.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** One HTTP exchange; the texts are those of the wire. */
export interface RecordedExchange {
  /** Name of the scenario and number in it. */
  readonly id: string;
  readonly request: string;
  /** null where the server gave none. */
  readonly response: string | null;
  readonly status: number;
}

function find(): string | null {
  const named = process.env['SALLYPORT_WINDOWS_CAPTURES'];
  if (named !== undefined) return existsSync(named) ? named : null;
  let folder = path.resolve(import.meta.dirname, '../..');
  for (let level = 0; level < 3; level++) {
    folder = path.dirname(folder);
    const place = path.join(folder, 'shared', 'captures-windows');
    if (existsSync(place)) return place;
  }
  return null;
}

/** The folder; null where the recordings are not installed. */
export const windowsCaptures = find();
/** For tests that are skipped then. */
export const NO_WINDOWS_CAPTURES = 'the recordings of Windows servers are not installed (SALLYPORT_WINDOWS_CAPTURES)';

/** Names of all that is recorded, one file each, in order. */
export const recordedScenarios = (): string[] =>
  windowsCaptures === null
    ? []
    : readdirSync(windowsCaptures)
        .filter((name) => name.endsWith('.jsonl'))
        .map((name) => name.slice(0, -'.jsonl'.length))
        .sort();

/** Every recorded exchange, in order of scenarios. */
export function recordedExchanges(): RecordedExchange[] {
  const folder = windowsCaptures;
  if (folder === null) return [];
  return recordedScenarios().flatMap((name) => {
    const lines = readFileSync(path.join(folder, `${name}.jsonl`), 'utf8').split('\n');
    return lines
      .filter((line) => line !== '')
      .map((line) => {
        const row = JSON.parse(line) as { n: number; request: string; response: string | null; status?: number };
        const { n, request, response, status } = row;
        return { id: `${name} ${n}`, request, response, status: status ?? 200 };
      });
  });
}

/** Text of one of the single files; null where it is not installed. */
export function windowsFile(name: string): string | null {
  const file = windowsCaptures === null ? null : path.join(windowsCaptures, 'other', name);
  return file !== null && existsSync(file) ? readFileSync(file, 'utf8') : null;
}

/** Names of the single files. */
export const windowsFiles = (): string[] =>
  windowsCaptures === null
    ? []
    : readdirSync(path.join(windowsCaptures, 'other'), { withFileTypes: true })
        .filter((each) => each.isFile())
        .map(({ name }) => name)
        .sort();

/** Names of the invented bad envelopes. */
export const badEnvelopes = (): string[] =>
  windowsCaptures === null ? [] : readdirSync(path.join(windowsCaptures, 'other', 'malformed')).sort();
