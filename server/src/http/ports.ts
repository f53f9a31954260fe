/** What the routes need from the other rooms. `app` hands it in; nothing here knows storage or transports. */
import type { AgentState, Authority, CertificateFacts, NewAuthority } from '@sallyport/shared/api/certificates';
import type { AuditEventRow, AuditVerdict } from '@sallyport/shared/api/audit';
import type { FileListing, NewUpload, UploadState, Uploaded } from '@sallyport/shared/api/files';
import type { InvokeBody, InvokeEvent } from '@sallyport/shared/api/invoke';
import type { KnownHostRow } from '@sallyport/shared/api/host-keys';
import type { OpenSession } from '@sallyport/shared/api/sessions';
import type { Settings, SettingsBody } from '@sallyport/shared/api/settings';
import type { HostKeyPin, ProbeBody, ProbeResult, ProbedPort, TargetShellRow } from '@sallyport/shared/api/targets';
import type { ApiToken, CreatedApiToken, NewApiToken, NewUser, User, UserPatch } from '@sallyport/shared/api/users';
import type { Actor, AuditLog } from '../audit/contract.ts';
import type { Broker, OpenRequest, OpenTerminal } from '../broker/contract.ts';
import type { Clock } from '../clock.ts';
import type { Identity, Principal, RequestOrigin } from '../identity/contract.ts';
import type { Ledger } from '../ledger/contract.ts';
import type { Log } from '../log/log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Recordings } from '../recording/contract.ts';
import type { KnownHostLine } from '../targets/known-hosts.ts';
import type { Inventory } from '../targets/inventory.ts';
import type { Credentials } from '../vault/credentials.ts';
import type { FrontDoor } from './front-door.ts';
import type { Caller } from './route.ts';

/** Local users. Each act writes its own audit event first, since only it knows what will change. */
export interface UserAdmin {
  list(): Promise<readonly User[]>;
  /** @throws SallyportError name_taken */
  create(body: NewUser, by: Principal): Promise<User>;
  /** Ends the logins of the changed person. @throws SallyportError not_found, last_administrator */
  change(id: string, patch: UserPatch, by: Principal): Promise<User>;
  /** Ends the person's other logins. @throws SallyportError bad_credentials, rate_limited */
  changePassword(principal: Principal, current: string, next: string, from: RequestOrigin): Promise<void>;
}
/** API tokens; audited like users. */
export interface TokenAdmin {
  /** @param userId null: everybody's */
  list(userId: string | null): Promise<readonly ApiToken[]>;
  /** The owner of a token; null when there is none. */
  ownerOf(id: string): Promise<string | null>;
  create(principal: Principal, body: NewApiToken): Promise<CreatedApiToken>;
  /** @returns false when there is none */
  delete(id: string, by: Principal): Promise<boolean>;
}
export interface HostKeyAdmin {
  list(): Promise<readonly HostKeyPin[]>;
  /** A pin or an imported line. @returns false when there is none */
  delete(id: string): Promise<boolean>;
  /** Lines of imported files. */
  lines(): Promise<readonly KnownHostRow[]>;
  /** Those that are not there yet. @throws SallyportError payload_too_large */
  fresh(lines: readonly KnownHostLine[]): Promise<readonly KnownHostLine[]>;
  add(lines: readonly KnownHostLine[], by: string): Promise<void>;
  /** All of it as a `known_hosts` file. */
  file(hashed: boolean): Promise<string>;
}
/** The gateway's certificate authority; its private key is in no answer. */
export interface AuthorityAdmin {
  facts(): Promise<Authority | null>;
  /** @throws SallyportError conflict, bad_request */
  create(wish: NewAuthority, by: string): Promise<Authority>;
  /** @throws SallyportError not_found, bad_request */
  limit(sourceAddresses: readonly string[]): Promise<Authority>;
}
/** A file on its way from a target. */
export interface Download {
  readonly name: string;
  readonly size: number;
  /** Of the body: from the offset to the end. */
  readonly length: number;
  /** Of these contents. */
  readonly tag: string;
  readonly body: AsyncIterable<Uint8Array>;
  /** Ends it, wherever it is. Idempotent. */
  readonly close: () => Promise<void>;
}
/** Files of live sessions' targets. The caller has asked policy; each audits itself. All throw files_off, bad_state, file_*. */
export interface SessionFiles {
  list(sessionId: string, actor: Actor, path: string): Promise<FileListing>;
  /** @throws SallyportError file_changed when `tag` is of other contents */
  download(
    sessionId: string,
    actor: Actor,
    wish: { readonly path: string; readonly offset: number; readonly tag?: string | undefined },
  ): Promise<Download>;
  upload(sessionId: string, actor: Actor, wish: NewUpload): Promise<UploadState>;
  /** Resolves when the next one is welcome. @throws SallyportError transfer_gone, conflict, payload_too_large */
  piece(sessionId: string, uploadId: string, offset: number, bytes: Uint8Array): Promise<UploadState>;
  finish(sessionId: string, uploadId: string): Promise<Uploaded>;
  /** Removes the part at the target as well. */
  cancel(sessionId: string, uploadId: string): Promise<void>;
}
/** What people are shown of keys that they bring or choose. */
export interface KeyFacts {
  /** @throws SallyportError certificate_unreadable */
  readonly readCertificate: (line: string) => CertificateFacts;
  /** Keys of the gateway's SSH agent. @throws SallyportError agent_unavailable */
  readonly agentState: (signal: AbortSignal) => Promise<AgentState>;
}
export interface AuditView {
  /** Newest first; texts escaped. `type` filters by prefix. */
  list(filter: { before: number | null; type: string | null; limit: number }): Promise<readonly AuditEventRow[]>;
  verify(): Promise<AuditVerdict>;
}
export interface SettingsStore {
  get(): Settings;
  /** @throws SallyportError bad_request when a range is none */
  check(body: SettingsBody): void;
  set(body: SettingsBody): Promise<Settings>;
}
/** A checked wish to open a session, with what will open its terminal. */
export interface PlannedSession {
  readonly request: OpenRequest;
  readonly openTerminal: OpenTerminal;
}
export interface RecordingAdmin {
  /** Whether there is a recording that was not deleted. */
  exists(sessionId: string): Promise<boolean>;
  /** @returns false when there is none */
  delete(sessionId: string): Promise<boolean>;
  /** Lines of the asciicast v2 export. */
  asciicast(sessionId: string): AsyncIterable<string>;
}

export interface RoutesJoin {
  readonly version: string;
  readonly door: () => FrontDoor;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly auditView: AuditView;
  readonly identity: Identity;
  readonly users: UserAdmin;
  readonly tokens: TokenAdmin;
  readonly inventory: Inventory;
  readonly credentials: Credentials;
  readonly hostKeys: HostKeyAdmin;
  readonly authority: AuthorityAdmin;
  readonly keyFacts: KeyFacts;
  readonly files: SessionFiles;
  readonly broker: Broker;
  readonly recordings: Recordings;
  readonly recordingAdmin: RecordingAdmin;
  readonly ledger: Ledger;
  readonly settings: SettingsStore;
  readonly sessionOpensPerMinute: number;
  /** @throws SallyportError not_found, bad_request, forbidden */
  readonly planSession: (caller: Caller, body: OpenSession) => Promise<PlannedSession>;
  readonly probe: (caller: Caller, body: ProbeBody, signal: AbortSignal) => Promise<ProbeResult>;
  /** PowerShell shells that a target keeps. @throws SallyportError */
  readonly listShells: (caller: Caller, targetId: string, signal: AbortSignal) => Promise<readonly TargetShellRow[]>;
  readonly probePorts: (caller: Caller, host: string, signal: AbortSignal) => Promise<readonly ProbedPort[]>;
  /** Runs a script at a target; the first event comes after policy, audit and recording are settled. */
  readonly invoke: (caller: Caller, body: InvokeBody, signal: AbortSignal) => AsyncIterable<InvokeEvent>;
}
