/** Everything that a gateway keeps and tells, so that a test can search it. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { LabGateway, Person } from './gateway.ts';

/** What its person may see of it. */
const ANSWERS = ['ledger?limit=500', 'audit?limit=500', 'sessions?limit=500', 'credentials', 'tokens'] as const;

const files = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(directory, name))
    .filter((file) => statSync(file).isFile());

/** Names and bytes: its files, its logs, what its API answers, the recordings of these sessions. */
export async function keptAndTold(
  gateway: Pick<LabGateway, 'dataDir' | 'stdout' | 'stderr'>,
  person: Person,
  sessions: readonly string[],
): Promise<(readonly [name: string, bytes: Buffer])[]> {
  const all = files(gateway.dataDir).map((file) => [path.relative(gateway.dataDir, file), readFileSync(file)] as const);
  // The set-up link is printed on purpose, once.
  const printed = gateway.stdout().replace(/setup#\S+/, 'setup#');
  const told: [string, string][] = [
    ['log', gateway.stderr()],
    ['printed', printed],
  ];
  for (const route of ANSWERS) told.push([route, JSON.stringify(await person.get(`/api/${route}`))]);
  // A recording of one event is read as an object, and not as its line.
  const textOf = (body: unknown): string => (typeof body === 'string' ? body : JSON.stringify(body));
  for (const id of sessions)
    for (const form of ['events', 'cast'])
      told.push([`${form} of ${id}`, textOf(await person.must('GET', `/api/recordings/${id}/${form}`))]);
  return [...all, ...told.map(([name, text]) => [name, Buffer.from(text)] as const)];
}
