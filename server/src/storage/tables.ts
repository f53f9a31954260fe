import type {
  AuthorityRecord,
  AuditRecord,
  CheckpointRecord,
  CredentialRecord,
  HostKeyRecord,
  KnownHostRecord,
  LedgerRecord,
  LoginRecord,
  RecordingRecord,
  SessionRecord,
  TargetRecord,
  TokenRecord,
  UserRecord,
} from './contract.ts';

/** Columns carry the names of the records' fields; only booleans differ (0 or 1), so that one schema serves every dialect. */
export interface Tables {
  users: Omit<UserRecord, 'disabled'> & { readonly disabled: number };
  logins: LoginRecord;
  tokens: TokenRecord;
  targets: TargetRecord;
  credentials: CredentialRecord;
  authorities: AuthorityRecord;
  host_keys: HostKeyRecord;
  known_hosts: KnownHostRecord;
  sessions: SessionRecord;
  recordings: RecordingRecord;
  ledger: LedgerRecord;
  audit_events: AuditRecord;
  audit_checkpoints: CheckpointRecord;
  named_values: { readonly name: string; readonly value: string };
}
