/**
 * Repositories. One contract, one dialect today (SQLite through libsql), another later (PostgreSQL). Suite:
 * test/contracts/storage.ts. Times are UTC milliseconds; ids are text; JSON is text checked by whoever owns it.
 * Everything is a promise so that a dialect over a network fits; `transaction` is serial.
 */

/** Bytes sealed by the vault; only the vault can open them. */
export type Sealed = Uint8Array;

export interface UserRecord {
  readonly id: string;
  readonly name: string;
  readonly role: 'administrator' | 'operator' | 'auditor';
  readonly passwordHash: string;
  readonly disabled: boolean;
  readonly createdAt: number;
  readonly lastLoginAt: number | null;
}
export interface LoginRecord {
  /** SHA-256 of the cookie value, hex: the row's key. */
  readonly idHash: string;
  readonly userId: string;
  readonly createdAt: number;
  readonly lastSeenAt: number;
  readonly expiresAt: number;
  readonly steppedUpUntil: number | null;
  readonly address: string;
  readonly agent: string;
}
export interface TokenRecord {
  readonly id: string;
  readonly tokenHash: string;
  readonly userId: string;
  readonly label: string;
  /** JSON list of policy actions, or null for all of the role. */
  readonly scopes: string | null;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly lastUsedAt: number | null;
}
export interface TargetRecord {
  readonly id: string;
  readonly name: string;
  readonly transport: string;
  readonly host: string;
  readonly port: number;
  /** JSON: subsystem, offers, user, notes, connectTimeoutMs, relaxations, flags; owned by `targets`. */
  readonly options: string;
  readonly credentialId: string | null;
  /** The target that this one is reached through; it cannot be deleted meanwhile. */
  readonly viaTargetId: string | null;
  readonly createdAt: number;
  readonly lastOpenedAt: number | null;
}
export interface CredentialRecord {
  readonly id: string;
  readonly label: string;
  readonly kind: 'password' | 'privateKey' | 'agent' | 'signed' | 'certificate';
  readonly user: string;
  readonly publicFacts: string;
  /** Line of a `-cert.pub` file; null for none. */
  readonly certificate: string | null;
  readonly sealed: Sealed;
  readonly createdAt: number;
}
/** The gateway's certificate authority. Its public half is inside too, so that nobody can put another one beside it. */
export interface AuthorityRecord {
  readonly id: string;
  readonly sealed: Sealed;
  readonly createdAt: number;
  readonly createdBy: string;
}
export interface HostKeyRecord {
  readonly id: string;
  /** Hop chain in front, empty for a direct target. */
  readonly via: string;
  readonly host: string;
  readonly port: number;
  readonly keyType: string;
  /** Public key blob, base64. */
  readonly key: string;
  readonly acceptedBy: string;
  readonly acceptedAt: number;
}
export interface KnownHostRecord {
  readonly id: string;
  readonly marker: '' | 'revoked' | 'cert-authority';
  /** As in the imported file: patterns, or one hashed name. */
  readonly hosts: string;
  readonly keyType: string;
  /** Public key blob, base64. */
  readonly key: string;
  readonly importedBy: string;
  readonly importedAt: number;
}
export interface SessionRecord {
  readonly id: string;
  readonly userId: string;
  readonly userName: string;
  readonly targetId: string | null;
  /** JSON of shared SessionFacts. */
  readonly facts: string;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly endReason: string | null;
  readonly exitCode: number | null;
  readonly commandCount: number;
  readonly errorCount: number;
  readonly outputBytes: number;
  /** JSON of what opens it again, without any secret; null when it cannot be left. Owned by `app`. */
  readonly reopen: string | null;
  /** JSON of LeftTerminal: where it stands at the target, for when nobody carries it. */
  readonly left: string | null;
  /** Since when nobody carries it; null while the gateway does. */
  readonly leftAt: number | null;
  /** Id of its shell at the target, in capitals, once it is known; stays when it has ended. */
  readonly shellId: string | null;
  /** The login that opened it or picked it up last. */
  readonly loginHash: string | null;
}
export interface RecordingRecord {
  readonly sessionId: string;
  /** Relative to the recordings directory. */
  readonly path: string;
  readonly startedAt: number;
  /** Sealed data key of this recording. */
  readonly sealedKey: Sealed;
  readonly state: 'open' | 'closed' | 'recovered' | 'deleted';
  readonly events: number;
  readonly outputBytes: number;
  readonly durationMs: number;
  readonly head: string;
}
export interface LedgerRecord {
  readonly id: string;
  readonly sessionId: string;
  readonly userId: string;
  readonly number: number;
  /** Gap-free over the whole ledger. */
  readonly sequence: number;
  readonly sealedText: Sealed;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly state: string;
  readonly errorCount: number;
  readonly outputBytes: number;
  readonly runspacePoolId: string;
  readonly pipelineId: string;
  /** Null over SSH, and for what ran before the ids were kept. */
  readonly shellId: string | null;
}
export interface AuditRecord {
  readonly sequence: number;
  readonly at: number;
  readonly type: string;
  /** Canonical JSON that the hash covers. */
  readonly body: string;
  readonly previousHash: string;
  readonly hash: string;
}
export interface CheckpointRecord {
  readonly sequence: number;
  readonly hash: string;
  readonly at: number;
  /** Ed25519, base64. */
  readonly signature: string;
}

export interface Storage {
  readonly users: {
    insert(row: UserRecord): Promise<void>;
    byId(id: string): Promise<UserRecord | null>;
    byName(name: string): Promise<UserRecord | null>;
    list(): Promise<readonly UserRecord[]>;
    update(id: string, change: Partial<Omit<UserRecord, 'id'>>): Promise<void>;
    count(): Promise<number>;
  };
  readonly logins: {
    insert(row: LoginRecord): Promise<void>;
    byHash(idHash: string): Promise<LoginRecord | null>;
    update(idHash: string, change: Partial<Omit<LoginRecord, 'idHash'>>): Promise<void>;
    delete(idHash: string): Promise<void>;
    deleteOfUser(userId: string): Promise<readonly string[]>;
    countByUser(): Promise<ReadonlyMap<string, number>>;
    deleteExpired(now: number): Promise<number>;
  };
  readonly tokens: {
    insert(row: TokenRecord): Promise<void>;
    byHash(tokenHash: string): Promise<TokenRecord | null>;
    list(userId: string | null): Promise<readonly TokenRecord[]>;
    touch(id: string, at: number): Promise<void>;
    delete(id: string): Promise<boolean>;
  };
  readonly targets: {
    insert(row: TargetRecord): Promise<void>;
    byId(id: string): Promise<TargetRecord | null>;
    byName(name: string): Promise<TargetRecord | null>;
    list(): Promise<readonly TargetRecord[]>;
    update(id: string, change: Partial<Omit<TargetRecord, 'id'>>): Promise<void>;
    delete(id: string): Promise<boolean>;
  };
  readonly credentials: {
    insert(row: CredentialRecord): Promise<void>;
    byId(id: string): Promise<CredentialRecord | null>;
    list(): Promise<readonly CredentialRecord[]>;
    update(id: string, change: Partial<Omit<CredentialRecord, 'id'>>): Promise<void>;
    delete(id: string): Promise<boolean>;
  };
  readonly authorities: {
    current(): Promise<AuthorityRecord | null>;
    /** The only one from now on; the key of another is gone. */
    replace(row: AuthorityRecord): Promise<void>;
  };
  readonly hostKeys: {
    insert(row: HostKeyRecord): Promise<void>;
    find(via: string, host: string, port: number): Promise<readonly HostKeyRecord[]>;
    list(): Promise<readonly HostKeyRecord[]>;
    delete(id: string): Promise<boolean>;
  };
  readonly knownHosts: {
    /** At most MAX_KNOWN_HOST_LINES in all, and so in one go. */
    insert(rows: readonly KnownHostRecord[]): Promise<void>;
    /** In the order in which they came. */
    list(): Promise<readonly KnownHostRecord[]>;
    delete(id: string): Promise<boolean>;
  };
  readonly sessions: {
    insert(row: SessionRecord): Promise<void>;
    byId(id: string): Promise<SessionRecord | null>;
    update(id: string, change: Partial<Omit<SessionRecord, 'id'>>): Promise<void>;
    /** Newest first: by start, then id, both descending; only those behind (`before`, `beforeId`). */
    list(filter: {
      userId: string | null;
      before: number | null;
      beforeId: string | null;
      limit: number;
    }): Promise<readonly SessionRecord[]>;
    /** Not ended: those of a gateway that died. */
    unended(): Promise<readonly SessionRecord[]>;
    /** The newest one that had this shell, ended or not. @param shellId in capitals */
    byShell(shellId: string): Promise<SessionRecord | null>;
  };
  readonly recordings: {
    insert(row: RecordingRecord): Promise<void>;
    bySession(sessionId: string): Promise<RecordingRecord | null>;
    update(sessionId: string, change: Partial<Omit<RecordingRecord, 'sessionId'>>): Promise<void>;
    open(): Promise<readonly RecordingRecord[]>;
    olderThan(startedAt: number, limit: number): Promise<readonly RecordingRecord[]>;
  };
  readonly ledger: {
    /** The row gets the next gap-free `sequence`, which is returned. */
    insert(row: Omit<LedgerRecord, 'sequence'>): Promise<number>;
    update(id: string, change: Pick<LedgerRecord, 'endedAt' | 'state' | 'errorCount' | 'outputBytes'>): Promise<void>;
    /** Oldest first, above `after`. */
    ofSession(filter: { sessionId: string; after: number | null; limit: number }): Promise<readonly LedgerRecord[]>;
    /** All rows of a session, oldest first, without what makes them large. */
    marksOfSession(sessionId: string): Promise<readonly Omit<LedgerRecord, 'sealedText'>[]>;
    /** Newest first, below `before`. */
    list(filter: { userId: string | null; before: number | null; limit: number }): Promise<readonly LedgerRecord[]>;
    markRunningLost(sessionId: string, at: number): Promise<number>;
  };
  readonly audit: {
    /** Appends in one transaction; the caller made the chain. Rejects when `sequence` is not the next. */
    append(rows: readonly AuditRecord[]): Promise<void>;
    last(): Promise<AuditRecord | null>;
    /** Oldest first, from `sequence` on. */
    range(fromSequence: number, limit: number): Promise<readonly AuditRecord[]>;
    /** Newest first, below `before`; `type` filters by prefix. */
    list(filter: { before: number | null; type: string | null; limit: number }): Promise<readonly AuditRecord[]>;
    addCheckpoint(row: CheckpointRecord): Promise<void>;
    checkpoints(fromSequence: number): Promise<readonly CheckpointRecord[]>;
  };
  /** Small named values: schema of the data, key fingerprints, settings. */
  readonly values: {
    get(name: string): Promise<string | null>;
    set(name: string, value: string): Promise<void>;
  };
  /** All writes of `work` or none. Not re-entrant. */
  transaction<T>(work: (storage: Storage) => Promise<T>): Promise<T>;
  /** A consistent copy into `file` while running. */
  backupTo(file: string): Promise<void>;
  close(): Promise<void>;
}
