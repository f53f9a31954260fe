/** The audit log: append-only, hash-chained, checkpoints signed. security.md T8 and section 3 "Recording and audit". */

/** Closed list of event types. */
export const AUDIT_TYPES = [
  'gateway.start',
  'gateway.stop',
  'setup.done',
  'login.ok',
  'login.failed',
  'login.ended',
  'login.stepUp',
  'user.created',
  'user.changed',
  'user.recovered',
  'token.created',
  'token.deleted',
  'target.created',
  'target.changed',
  'target.deleted',
  'target.probed',
  'credential.created',
  'credential.deleted',
  'credential.used',
  'authority.created',
  'authority.changed',
  'certificate.issued',
  'hostkey.accepted',
  'hostkey.changed',
  'hostkey.revoked',
  'hostkey.imported',
  'hostkey.exported',
  'hostkey.deleted',
  'ssh.negotiated',
  'winrm.connected',
  'winrm.redirected',
  'winrm.notDeleted',
  'credential.delegated',
  'gateway.identityUsed',
  'ssrf.refused',
  'session.open',
  'session.attach',
  'session.detach',
  'session.takeOver',
  'session.left',
  'session.pickedUp',
  'session.shellRefused',
  'session.shellEnded',
  'session.end',
  'session.terminate',
  'session.targetOpened',
  'file.listed',
  'file.download',
  'file.upload',
  'file.transferred',
  'recording.replay',
  'recording.export',
  'recording.deleted',
  'recording.recovered',
  'recording.damaged',
  'ledger.read',
  'audit.read',
  'audit.verify',
  'settings.changed',
  'policy.refused',
  'secret.unreadable',
  'migration.done',
] as const;
export type AuditType = (typeof AUDIT_TYPES)[number];

/** Who did it. `userId` null: the gateway itself, or somebody not signed in. */
export interface Actor {
  readonly userId: string | null;
  readonly name: string;
  /** Address of the browser or CLI; empty for the gateway itself. */
  readonly address: string;
  readonly via: 'login' | 'token' | 'gateway' | 'none';
}
export const GATEWAY_ACTOR: Actor = { userId: null, name: 'gateway', address: '', via: 'gateway' };

export type AuditDetail = Readonly<Record<string, string | number | boolean | null>>;

export interface NewAuditEvent {
  readonly type: AuditType;
  readonly actor: Actor;
  /** What it was done to, for example `target:web01` or a session id. */
  readonly subject: string;
  readonly outcome: 'ok' | 'refused' | 'failed';
  /** Never a secret. */
  readonly detail?: AuditDetail;
}
export interface AuditEvent extends Required<NewAuditEvent> {
  readonly sequence: number;
  readonly at: number;
  readonly previousHash: string;
  readonly hash: string;
}

export interface AuditLog {
  /**
   * Resolves when the event is stored. Written BEFORE the act it speaks of; a rejection (audit_unavailable) means: do not act.
   */
  append(event: NewAuditEvent): Promise<AuditEvent>;
  /** Signs a checkpoint over the present head (every 1,000 events or 10 s by itself; at each recording's end and at stop by the caller). */
  checkpoint(): Promise<void>;
  close(): Promise<void>;
}
