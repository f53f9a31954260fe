import type { Migration } from 'kysely';
import * as first from './0001-first.ts';

/** Every migration in order. Append only; an applied migration never changes. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-first': first,
};
