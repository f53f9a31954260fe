/**
 * The broker: opens, attaches, resumes, lists and ends sessions. The ws room drives it with sockets, the http room with
 * requests, `app` hands in what opens a terminal. conventions.md section 3; security.md T1, T7, T13 and section 4.
 */
import type { ErrorCode } from '@sallyport/shared/error-codes';
import type { SessionRow } from '@sallyport/shared/api/sessions';
import type {
  ClientMessage,
  CommandMark,
  ServerMessage,
  SessionFacts,
  TerminalKind,
} from '@sallyport/shared/wire/control';
import type { Actor } from '../audit/contract.ts';
import type { Subject } from '../policy.ts';
import type { LeftTerminal, Terminal, TerminalEvents } from '../terminals/contract.ts';

/** Who asks, read anew by identity for this very request. `loginHash`: what revocation names; tokens are bound to it. */
export interface Requester {
  readonly subject: Subject;
  readonly userName: string;
  readonly loginHash: string;
  readonly actor: Actor;
}

export interface OpenRequest {
  /** Null for an address typed by the person (`session.openAdHoc`). */
  readonly targetId: string | null;
  readonly targetName: string;
  /** `host:port` as asked for. */
  readonly address: string;
  /** Jump hosts on the way, first hop first, as the facts bar shows them. */
  readonly via: readonly string[];
  readonly isDemoTarget: boolean;
  /** The demo's own target: for administrators only. */
  readonly administratorOnly: boolean;
  /** User name at the target, for the facts bar; empty when it will be asked. */
  readonly identity: string;
  readonly kind: TerminalKind;
  readonly cols: number;
  readonly rows: number;
  /** Whether the place is still one that people may go to: the target in the inventory, its address allowed. For `recheck`. */
  readonly mayStay: () => Promise<boolean>;
  /** JSON of what opens it again, without any secret, for a session that can be left; null for one that cannot. */
  readonly reopen: string | null;
  /** How long its target keeps it then; null = as the target's own settings say. */
  readonly keptMs: number | null;
  /** The shell that was found at the target, in place of a new one. */
  readonly shell?: string;
}
/** A checked wish to go on with it. */
export interface PlannedPickUp {
  readonly request: OpenRequest;
  readonly openTerminal: (left: LeftTerminal) => OpenTerminal;
}

/** What `OpenTerminal` tells and asks while it connects, and the terminal afterwards. */
export interface OpeningPort extends TerminalEvents {
  /** The session that is opened. */
  readonly sessionId: string;
  /** Progress of connecting, for the page ('resolving', 'connecting', 'host-key', 'signing-in', 'opening'). */
  step(name: string): void;
  /** Facts learnt while connecting; shown in the facts bar and kept with the session. */
  facts(change: Partial<Pick<SessionFacts, 'address' | 'identity' | 'protection' | 'remote' | 'weakened'>>): void;
  /** Files of the session have a shell of their own at the target, which is to be ended there after a kill too. */
  filesShell(shellId: string): void;
}
/**
 * Connects to the target and starts its terminal. A rejection ends the session with the code of the SallyportError
 * (its `peerText` is shown in the target's voice, its `explanation` in ours). `port.ask` resolves to `cancel` when nobody answers within 120 s.
 * Must close what it opened when `signal` fires.
 */
export type OpenTerminal = (
  port: OpeningPort,
  size: { readonly cols: number; readonly rows: number },
  signal: AbortSignal,
) => Promise<Terminal>;

/** A page's socket, implemented by the ws room. None of these throws; after `close` they do nothing. */
export interface SessionSocket {
  /** One binary frame (kind byte first), at most MAX_FRAME_BYTES. The receiver owns the array. */
  send(frame: Uint8Array): void;
  /** In order with `send`. */
  sendControl(message: ServerMessage): void;
  /** Close code of shared/wire/close-codes.ts, the reason an error code. */
  close(code: number, reason: ErrorCode): void;
  /** Bytes handed over and not yet taken by the operating system. */
  readonly bufferedAmount: number;
}

/** Everything a page may say once it is attached; `ping` is answered by the ws room. */
export type PageMessage = Exclude<ClientMessage, { type: 'attach' | 'resume' | 'ping' }>;

/** One attached page. Made by `attach` and `resume`; the ws room calls it. */
export interface Page {
  readonly sessionId: string;
  /** The user whose session it is: what policy is asked about for each message. */
  readonly ownerId: string;
  readonly role: 'controller' | 'viewer';
  /** A control message, checked by zod. @throws SallyportError bad_state, forbidden, line_too_long: close the socket with it */
  handle(message: PageMessage): void;
  /** PTY input bytes (payload of an `input` frame). @throws SallyportError bad_state (viewer, PowerShell session), forbidden */
  input(bytes: Uint8Array): void;
  /** The socket is closed, by whichever side. Idempotent. */
  gone(): void;
}

export interface AttachRequest {
  readonly cols: number;
  readonly rows: number;
  /** Absolute output bytes the page already has; null = from the tail. */
  readonly offset: number | null;
  readonly takeOver: boolean;
}
export interface ResumeRequest {
  readonly token: string;
  readonly offset: number;
  readonly cols: number;
  readonly rows: number;
}

/** The session that has, left, or had a shell. */
export interface ShellOwner {
  readonly id: string;
  readonly userId: string;
  /** It has ended here; the shell may be there all the same. */
  readonly isOver: boolean;
}

export interface Broker {
  /**
   * Audits, creates the recording, starts to connect. Resolves before the target answered: questions and failures come
   * over the session's socket. @throws SallyportError forbidden, not_found, rate_limited, too_many_sessions,
   * recording_space, recording_unavailable, audit_unavailable, draining, revoked (while the session was made),
   * target_shell_of_other, target_shell_in_use (for `request.shell`)
   */
  open(who: Requester, request: OpenRequest, openTerminal: OpenTerminal): Promise<{ readonly sessionId: string }>;
  /**
   * `attached` and the missing output go to the socket before this resolves; the ws room must queue what the page says
   * until then. @throws SallyportError not_found, forbidden, bad_state
   */
  attach(who: Requester, sessionId: string, request: AttachRequest, socket: SessionSocket): Promise<Page>;
  /**
   * Leaves a live session running at its target. @throws SallyportError not_found, session_not_leavable, too_many_left_sessions, and why the
   * target would not; it goes on then
   */
  leave(who: Requester, sessionId: string): Promise<void>;
  /**
   * Goes on with a session that was left, before its owner attaches: recording, ledger and offsets are the same ones. Does
   * nothing for any other session. `plan` is given the session's `reopen` and asks policy anew.
   * @throws SallyportError not_found, and those of `open`
   */
  pickUp(who: Requester, sessionId: string, plan: (reopen: string) => Promise<PlannedPickUp>): Promise<void>;
  /** The session of this gateway that has, left or had this shell at a target; null for a shell of somebody else. */
  ofShell(shellId: string): Promise<ShellOwner | null>;
  /** Ends sessions that were left for too long. */
  endOverdue(): Promise<void>;
  /**
   * The same page, same login, within 120 s. The `resume` message names no session: the token does.
   * @throws SallyportError resume_invalid, not_found
   */
  resume(who: Requester, request: ResumeRequest, socket: SessionSocket): Promise<Page>;
  /**
   * Live and past sessions that `who` may see, newest first. `before` and `beforeId`: start and id of the last one of the
   * page before; many may start in one millisecond.
   */
  list(
    who: Requester,
    filter: { readonly before: number | null; readonly beforeId?: string | null; readonly limit: number },
  ): Promise<readonly SessionRow[]>;
  /** A live or past session, or null. The caller asks policy about its owner. */
  find(sessionId: string): Promise<SessionRow | null>;
  /** @throws SallyportError not_found */
  get(who: Requester, sessionId: string): Promise<SessionRow>;
  /** Commands of a live or past session, in order. The caller has asked policy (`ledger.read` or `recording.replay`). */
  commands(sessionId: string): Promise<readonly CommandMark[]>;
  /** Ends a session: `closed_by_user` by its owner, else `terminated`. Audited first. @throws SallyportError not_found */
  terminate(who: Requester, sessionId: string): Promise<void>;
  /** Logins ended: their sockets close at once, their resume tokens die. Idle and logout detach; `revoked` ends the user's sessions opened or controlled by them. */
  loginsEnded(ended: {
    readonly loginHashes: readonly string[];
    readonly userId: string;
    readonly why: 'logout' | 'idle' | 'revoked' | 'changed';
  }): void;
  /** A role, grant, target or range changed: asks policy again for live sessions now (`userId` null: everybody's). */
  recheck(userId: string | null): Promise<void>;
  /**
   * At start, before the first open: sessions of a gateway that died get `gateway_lost`, their recordings are closed; those
   * that their targets keep wait to be picked up. @returns how many were lost
   */
  recover(): Promise<number>;
  /** Leaves what can be left, ends every other session with `reason`, seals the recordings; resolves within `deadlineMs`. No new session after that. */
  closeAll(reason: 'draining' | 'terminated', deadlineMs: number): Promise<void>;
  /** Live sessions and attached pages, for metrics and readiness. */
  counts(): { readonly sessions: number; readonly pages: number };
}
