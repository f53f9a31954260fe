import { primitiveDictionary } from '../clixml/build.ts';
import { listItems, toDictionary, toText } from '../clixml/object.ts';
import type { PsObject, PsValue } from '../clixml/object.ts';
import { PsVersion } from '../clixml/scalars.ts';

/**
 * Application arguments with the table that lets a server make its remote debugger.
 * @param more further ones, for `$PSSenderInfo.ApplicationArguments`; the table stays what it is
 */
export function versionTable(
  psVersion: PsVersion = new PsVersion(7, 4, 0),
  more: readonly (readonly [string, string])[] = [],
): PsObject {
  return primitiveDictionary([
    ...more.filter(([name]) => name.toLowerCase() !== 'psversiontable'),
    [
      'PSVersionTable',
      primitiveDictionary([
        ['PSVersion', psVersion],
        ['PSEdition', 'Core'],
        ['PSRemotingProtocolVersion', new PsVersion(2, 3)],
        ['SerializationVersion', new PsVersion(1, 1, 0, 1)],
      ]),
    ],
  ]);
}

function parts(text: string): number[] {
  return text
    .split(/[-+]/, 1)
    .join('')
    .split('.')
    .map((part) => Number(part));
}

function isHigher(a: string, b: string): boolean {
  const left = parts(a);
  const right = parts(b);
  for (let i = 0; i < 4; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/**
 * The version of the server out of its private data, for people. Server 2012 R2 says 2.0 in PSVersion, so the highest of
 * PSVersion and PSCompatibleVersions counts. @returns null when there is no table
 */
export function serverVersion(privateData: PsValue): string | null {
  const table = toDictionary(toDictionary(privateData)?.get('PSVersionTable'));
  if (table === null) return null;
  const semantic = toText(table.get('PSSemanticVersion') ?? null);
  if (semantic !== null && /^\d/.test(semantic)) return semantic;
  const candidates = [table.get('PSVersion') ?? null, ...(listItems(table.get('PSCompatibleVersions')) ?? [])];
  let best: string | null = null;
  for (const candidate of candidates) {
    const text = toText(candidate);
    if (text !== null && /^\d/.test(text) && (best === null || isHigher(text, best))) best = text;
  }
  return best;
}
