/** Columns of the table of roles. */
export const ROLES = ['administrator', 'operator', 'auditor'] as const;
type Reach = 'yes' | 'own' | 'no';

/** What each role may do, in words. The gateway's policy decides; this only explains it. */
export const ROLE_ROWS: readonly { readonly what: string; readonly reach: readonly [Reach, Reach, Reach] }[] = [
  { what: 'Open sessions at saved targets', reach: ['yes', 'yes', 'no'] },
  { what: 'Open sessions at typed addresses', reach: ['yes', 'no', 'no'] },
  { what: 'Type into a session', reach: ['own', 'own', 'no'] },
  { what: 'End a session', reach: ['yes', 'own', 'no'] },
  { what: 'Replay and export recordings', reach: ['own', 'own', 'yes'] },
  { what: 'Read the ledger', reach: ['own', 'own', 'yes'] },
  { what: 'Read and verify audit events', reach: ['yes', 'no', 'yes'] },
  { what: 'Add and change targets, credentials', reach: ['yes', 'no', 'no'] },
  { what: 'Make and replace the certificate authority', reach: ['yes', 'no', 'no'] },
  { what: 'Accept and remove host keys', reach: ['yes', 'no', 'no'] },
  { what: 'Add and change users, settings', reach: ['yes', 'no', 'no'] },
  { what: 'Make API tokens', reach: ['own', 'own', 'own'] },
];
