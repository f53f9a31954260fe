/** People of every kind for a gateway of the lab: each role twice, tokens wide and narrow, logins that have ended. */
import path from 'node:path';
import type { CreatedApiToken, User } from '@sallyport/shared/api/users';
import Database from 'libsql';
import { LAB_PASSWORD, type LabGateway, type Person } from './gateway.ts';

export const LAB_ROLES = ['administrator', 'operator', 'auditor'] as const;
export type LabRole = (typeof LAB_ROLES)[number];

/** Adds people who may sign in with `LAB_PASSWORD`. @returns their ids by name */
export async function addPeople(
  admin: Person,
  people: Readonly<Record<string, LabRole>>,
): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const [name, role] of Object.entries(people))
    ids.set(name, (await admin.post<User>('/api/users', { name, role, password: LAB_PASSWORD })).id);
  return ids;
}

/** A program of that person. @param scopes null: everything the role may */
export async function tokenOf(gateway: LabGateway, person: Person, scopes: readonly string[] | null): Promise<Person> {
  const { token } = await person.post<CreatedApiToken>('/api/tokens', { label: 'lab', scopes, days: 1 });
  const program = gateway.nobody();
  program.token = token;
  return program;
}

/** Changes the database of a gateway that is stopped: what would else take hours to come about. */
export function changeDatabase(dataDir: string, statements: readonly string[]): void {
  const database = new Database(path.join(dataDir, 'sallyport.db'));
  try {
    for (const statement of statements) database.exec(statement);
  } finally {
    database.close();
  }
}
