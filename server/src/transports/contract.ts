/**
 * Bytes to a target. One connector per transport; a connection carries channels (a PTY shell, the PowerShell subsystem).
 * Suite: test/contracts/transport.ts. Every wait takes an AbortSignal; every owner closes what it opened.
 */
import type { KeyObject } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { ClientEvent, ClientPoolOptions, OpenOptions, OutOfProcClient } from '@sallyport/psrp';
import type { ClientCertificateFacts } from '@sallyport/shared/api/certificates';
import type { ErrorCode } from '@sallyport/shared/error-codes';
import type { Relaxation } from '@sallyport/shared/api/targets';
import type { Secret } from '../secret.ts';

/** Where to connect, already checked by `targets`: `ip` is connected to and never resolved again. security.md T5. */
export interface Endpoint {
  /** The name as the user wrote it (for pins and messages). */
  readonly host: string;
  readonly port: number;
  /**
   * Resolves and checks the name, at the moment of use. Behind a jump host the name is that host's to resolve: it is checked
   * as far as it can be, and given back as it is. @throws SallyportError target_address_refused, target_name_unresolved
   */
  resolve(signal: AbortSignal): Promise<string>;
}

/** How to sign in at the target. `ask` = only what the person types. */
export type Identity =
  | { readonly kind: 'password'; readonly user: string; readonly password: Secret }
  | {
      readonly kind: 'privateKey';
      readonly user: string;
      readonly key: Secret;
      readonly passphrase: Secret | null;
      /** Text of the key's `-cert.pub`; offered instead of the bare key. */
      readonly certificate?: string | null;
    }
  /** A key that is made for this sign-in, with a certificate. `issue` is called once, and only when the target wants a key. */
  | { readonly kind: 'issued'; readonly user: string; issue(): Promise<IssuedKey> }
  /** The key with this fingerprint, which never leaves the agent. */
  | { readonly kind: 'agent'; readonly user: string; readonly agent: KeyAgent; readonly fingerprint: string }
  /** A client certificate, for WinRM alone. */
  | { readonly kind: 'certificate'; readonly user: string; readonly certificate: ClientCertificateKey }
  /** The gateway's own account in Kerberos, for WinRM alone. */
  | { readonly kind: 'gateway'; readonly user: string }
  | { readonly kind: 'ask'; readonly user: string };

/** A client certificate (X.509) and its key, which is handed to TLS and to nothing else. */
export interface ClientCertificateKey {
  readonly facts: ClientCertificateFacts;
  /**
   * For the connections of one session. @param ca PEM of authorities that the target may have, beside those of the system
   * @throws SallyportError key_unreadable
   */
  contextFor(ca: string): SecureContext;
}

/** A private key of one sign-in and what the authority says of it. Lives in memory only. */
export interface IssuedKey {
  /** Ed25519. */
  readonly privateKey: KeyObject;
  /** The certificate's blob. */
  readonly certificate: Uint8Array;
}

export interface AgentKey {
  /** A public key or certificate. */
  readonly blob: Uint8Array;
  /** As its owner wrote it; may be anything. */
  readonly comment: string;
}
/** Keys that sign elsewhere: an ssh-agent. It is asked to sign sign-ins of this gateway and is never forwarded. */
export interface KeyAgent {
  /** @throws SallyportError agent_unavailable, cancelled */
  list(signal: AbortSignal): Promise<readonly AgentKey[]>;
  /**
   * @param hash for RSA keys only
   * @returns the signature with its algorithm, RFC 4253 section 6.6
   * @throws SallyportError agent_unavailable, agent_refused, cancelled
   */
  sign(blob: Uint8Array, data: Uint8Array, hash: 'sha256' | 'sha512' | null, signal: AbortSignal): Promise<Uint8Array>;
}

export interface HostKey {
  readonly host: string;
  readonly port: number;
  /** For example `ssh-ed25519`. */
  readonly type: string;
  /** The public key blob, base64. */
  readonly key: string;
  /** `SHA256:` and base64 without padding. */
  readonly fingerprint: string;
}

/** What the connector asks while it connects; the connect clock stands still meanwhile. */
export interface ConnectPort {
  /** Called with the presented key before any credential leaves. Resolves when it is pinned; rejects with host_key_unknown / host_key_changed. */
  checkHostKey(key: HostKey): Promise<void>;
  /** Told once the keys are exchanged and waited for before any sign-in; a rejection ends it. */
  negotiated?(agreed: Negotiated): Promise<void>;
  /** A password or passphrase from the person; null = cancelled. */
  askSecret(purpose: 'password' | 'passphrase', user: string, message: string): Promise<Secret | null>;
  /** The user name, where the identity has none; null = none was given. Absent: there is nobody to ask. @throws SallyportError bad_name */
  askUser?(): Promise<string | null>;
  /** Keyboard-interactive; null = cancelled. */
  askKeyboard(
    title: string,
    instructions: string,
    prompts: readonly { text: string; echo: boolean }[],
  ): Promise<readonly Secret[] | null>;
  /** SSH banner, raw peer text, at most 8 KiB. */
  banner(text: string): void;
  /** Progress for the page: 'resolving', 'connecting', 'host-key', 'signing-in', 'opening'. */
  step(name: ConnectStep): void;
}
export type ConnectStep = 'resolving' | 'connecting' | 'host-key' | 'signing-in' | 'opening';

/** What both sides agreed on in the first key exchange. */
export interface Negotiated {
  readonly kex: string;
  readonly hostKey: string;
  /** Both directions, when they differ. */
  readonly cipher: string;
  /** Empty for a cipher that authenticates by itself. */
  readonly mac: string;
  readonly isStrict: boolean;
  /** Weak parts in use, which only a relaxation lets in. */
  readonly weakened: readonly string[];
}

export interface ConnectRequest {
  readonly endpoint: Endpoint;
  readonly identity: Identity;
  /** Milliseconds for TCP, handshake, whole sign-in. security.md section 4. */
  readonly timeouts: { readonly tcpMs: number; readonly handshakeMs: number; readonly loginMs: number };
  /** Types of the host keys on record for this endpoint. They are asked for first, so that a target with several keys shows a known one. */
  readonly pinnedTypes?: readonly string[];
  /** The jump host that the connection goes through. It belongs to this request from now on and is closed with it, however it ends. */
  readonly through?: Hop;
  /** Where on the way this is, for errors; empty for a direct connection. */
  readonly place?: string;
  readonly relaxations?: readonly Relaxation[];
}

/** A byte stream through a jump host, to the address that was asked for. It counts like a socket does. */
export type Link = Duplex & { readonly bytesRead: number; readonly bytesWritten: number };
/** A connection, seen as the way to the next machine. */
export type Hop = Pick<Connection, 'openTunnel' | 'lost' | 'close'>;

export interface ChannelEvents {
  /** Bytes from the target. One call per socket read where possible; the receiver owns the array. */
  data(bytes: Uint8Array): void;
  /** The write buffer has room again after `write` returned false. */
  drain(): void;
  /** Called once, last. */
  closed(end: ChannelEnd): void;
}
export interface ChannelEnd {
  readonly exitCode: number | null;
  /** For example `TERM`; null when not killed by a signal. */
  readonly signal: string | null;
  /** Set when the channel did not end by itself. */
  readonly error: Error | null;
}

export interface ByteChannel {
  /** @returns false when the caller should wait for `drain`. */
  write(bytes: Uint8Array): boolean;
  /** Stops reading from the target until `resume`; nothing is lost. */
  pause(): void;
  resume(): void;
  /** Idempotent; resolves when the channel is closed. */
  close(): Promise<void>;
}

/** What is done with a runspace pool, whatever carries it. What is to be sent goes out with the channel's next `send`. */
export type PoolClient = Pick<
  OutOfProcClient,
  | 'state'
  | 'sessionKeyState'
  | 'createPipeline'
  | 'getCommandMetadata'
  | 'stop'
  | 'closePipeline'
  | 'respondHostCall'
  | 'requestSessionKey'
  | 'supplyPublicKey'
  | 'supplySessionKey'
  | 'seal'
  | 'close'
  | 'fail'
>;
export interface PoolEnd extends ChannelEnd {
  /** Why, where the channel knows it; with the words of the target, escaped. */
  readonly code?: ErrorCode;
  readonly detail?: string;
  /** Our words on it, where there are more than those of the code. */
  readonly explanation?: string;
}
/** Where a runspace pool that nothing carries any more is found again on its target. JSON-safe. */
export interface LeftPool {
  readonly shellId: string;
  readonly poolId: string;
  /**
   * The WS-Management session that held it: who says the same may take it from a connection that broke without a word.
   * null = found at the target, left by a client that is not known.
   */
  readonly holder: string | null;
  /** Where the target had redirected to: the shell is there. Absent: at the target itself. */
  readonly at?: string | undefined;
}
/** A host call that the target waits for, as it came. JSON-safe. */
export interface LeftCall {
  /** null = of the pool. */
  readonly pipelineId: string | null;
  readonly callId: string;
  /** Its body, base64. */
  readonly body: string;
}
export interface PoolChannelEvents {
  /** What came in at once, in order. */
  events(events: readonly ClientEvent[]): void;
  /** `left` or `leftCalls` of the channel are others now. */
  leftChanged(): void;
  /** Called once: nothing carries the pool any more. */
  closed(end: PoolEnd): void;
}
/** One runspace pool and what carries it. */
export interface PoolChannel {
  readonly client: PoolClient;
  /** The id that the target gave the shell around the pool; null before it did, and where there is no shell (SSH). */
  readonly shellId: string | null;
  /** Until it resolves nothing may be sent. */
  connect(): Promise<void>;
  /** Opens the pool; its events tell how that goes. */
  open(options: OpenOptions): void;
  /** Where the pool is found once nothing carries it; null before it is open, and where the target cannot keep it. */
  readonly left: LeftPool | null;
  /** Host calls that the target waits for, as far as the target knows. */
  readonly leftCalls: readonly LeftCall[];
  /**
   * Leaves the pool running at the target: what is on its way there is finished, what came from there is told, then
   * nothing comes any more and the channel is closed. @param idleMs how long the target keeps it; null = as it was agreed
   * @throws SallyportError session_not_leavable, and what the target refuses it with; the channel goes on then
   */
  leave(idleMs: number | null): Promise<LeftPool>;
  /**
   * In place of `open`: takes up a pool that was left. Resolves once the pool is Opened, which its events tell as well, to
   * the pipelines that are there, null when the target does not tell; what they put out comes after `takeUp`.
   * @throws SallyportError session_not_leavable, target_shell_gone, target_shell_in_use, and those of `connect`
   */
  rejoin(left: LeftPool): Promise<readonly string[] | null>;
  /** The output of a pipeline may come, after its open calls. @param calls those of it that were not answered */
  takeUp(pipelineId: string, calls: readonly LeftCall[]): void;
  /**
   * While it is held the target is asked for nothing more: what came is not written down yet, and would be lost with us.
   * What comes by itself comes all the same. Absent where the target cannot keep anything.
   */
  hold?(isHeld: boolean): void;
  /** Sends what the client has ready. */
  send(): void;
  /** What the end that was told means for the pool. */
  ended(end: PoolEnd): readonly ClientEvent[];
  /** Stops reading from the target until `resume`; nothing is lost. */
  pause(): void;
  resume(): void;
  /** Idempotent; resolves when the channel is closed. */
  close(): Promise<void>;
}
/** Makes a pool and its channel; nothing happens before `connect`. */
export type OpenPool = (options: ClientPoolOptions, events: PoolChannelEvents) => PoolChannel;

export interface PtyChannel extends ByteChannel {
  resize(cols: number, rows: number): void;
  /** SSH signal name without SIG. */
  signal(name: 'INT' | 'TERM' | 'HUP' | 'KILL' | 'QUIT'): void;
}

/** What stands in a directory of the target. `link`: a symbolic link; it is shown and never followed. */
export interface RemoteEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  readonly size: number;
  /** UTC milliseconds. */
  readonly modifiedAt: number;
}
/** A file that is open at the target. */
export interface RemoteFile {
  readonly size: number;
  readonly modifiedAt: number;
  /** Bytes from `offset` to the end, in order, asked for ahead of their use by at most 2 MiB. */
  read(offset: number): AsyncGenerator<Uint8Array, void, undefined>;
  /** Resolves when all of it is taken by the target. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}
/**
 * Files of a target, over one channel. Who calls has checked the form of paths. They are the target's, with `/` between
 * names; on Windows `/C:/Users/ann` and `//server/share/file`, and `/` is the list of drives. Suite: test/contracts/remote-files.ts.
 */
export interface RemoteFiles {
  /** What carries them, for the audit log. */
  readonly over: 'sftp' | 'powershell';
  /** The absolute path. '' is where the user's files are. @throws SallyportError file_not_found, file_refused, file_failed */
  resolve(path: string): Promise<string>;
  /** At most `limit` entries, in the target's order. */
  list(path: string, limit: number): Promise<{ readonly entries: readonly RemoteEntry[]; readonly isCut: boolean }>;
  /** Of the path itself; null when there is nothing. */
  look(path: string): Promise<RemoteEntry | null>;
  open(path: string, mode: 'read' | 'create' | 'continue'): Promise<RemoteFile>;
  /** Whether the channel has ended, by whichever side. */
  readonly isOver: boolean;
  /** In place of what is there. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

export interface Connection {
  /** For the facts bar, for example `SSH, chacha20-poly1305`. */
  readonly protection: string;
  /** The checked address that was connected to; behind a jump host the name that it was given. */
  readonly ip: string;
  readonly port: number;
  openPty(options: { cols: number; rows: number; term: string }, events: ChannelEvents): Promise<PtyChannel>;
  /**
   * To another machine, from this one: `direct-tcpip`, RFC 4254 section 7.2. Nothing is sent on it by itself.
   * @throws SallyportError hop_refused, target_unreachable, target_timeout, target_lost
   */
  openTunnel(host: string, port: number): Promise<Link>;
  /** Why the connection ended, if it did so by itself. */
  lost(): Error | null;
  /** @throws SallyportError subsystem_refused */
  openSubsystem(name: string, events: ChannelEvents): Promise<ByteChannel>;
  /** @throws SallyportError sftp_refused */
  openFiles(): Promise<RemoteFiles>;
  /** Resolves when the connection has ended, by whichever side. */
  readonly closed: Promise<void>;
  /** Idempotent; closes all channels. */
  close(): Promise<void>;
}

export interface Connector {
  /** @throws SallyportError with the codes of security.md section 4 (target_timeout, host_key_*, target_auth_failed ...) */
  connect(request: ConnectRequest, port: ConnectPort, signal: AbortSignal): Promise<Connection>;
}
