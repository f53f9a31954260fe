import type { Kysely } from 'kysely';
import type { Storage } from '../contract.ts';
import type { Tables } from '../tables.ts';
import {
  authorityRepository,
  credentialRepository,
  hostKeyRepository,
  knownHostRepository,
  targetRepository,
} from './machines.ts';
import { loginRepository, tokenRepository, userRepository, valueRepository } from './people.ts';
import { auditRepository, ledgerRepository } from './records.ts';
import { recordingRepository, sessionRepository } from './sessions.ts';

/** All repositories over one connection or one transaction. The queries are the same in every dialect. */
export const repositories = (db: Kysely<Tables>): Omit<Storage, 'transaction' | 'backupTo' | 'close'> => ({
  users: userRepository(db),
  logins: loginRepository(db),
  tokens: tokenRepository(db),
  targets: targetRepository(db),
  credentials: credentialRepository(db),
  authorities: authorityRepository(db),
  hostKeys: hostKeyRepository(db),
  knownHosts: knownHostRepository(db),
  sessions: sessionRepository(db),
  recordings: recordingRepository(db),
  ledger: ledgerRepository(db),
  audit: auditRepository(db),
  values: valueRepository(db),
});
