/** Who is this: local users, logins (browser), API tokens, single-use tickets. security.md section 3 "Login and sessions". */
import type { Actor } from '../audit/contract.ts';
import type { UserRecord } from '../storage/contract.ts';

/** A person or program that proved who it is, on one request or socket. */
export interface Principal {
  readonly user: UserRecord;
  /** Hash of the login's cookie, or of the API token: what revocation names. */
  readonly loginHash: string;
  readonly via: 'login' | 'token';
  /** Policy actions of an API token; null for a login and for an unscoped token. */
  readonly scopes: readonly string[] | null;
  readonly steppedUpUntil: number | null;
  readonly expiresAt: number;
  readonly actor: Actor;
}

/** `session:ID` for the socket of a session. */
export type TicketPurpose = `session:${string}`;

export interface Identity {
  needsSetup(): Promise<boolean>;
  /** The one-time token of the set-up link; a new one replaces the old. Null when an administrator exists. */
  issueSetupToken(): Promise<string | null>;
  setUp(
    token: string,
    name: string,
    password: string,
    from: RequestOrigin,
  ): Promise<{ cookie: string; principal: Principal }>;
  /** @throws SallyportError bad_credentials (constant work), rate_limited */
  login(name: string, password: string, from: RequestOrigin): Promise<{ cookie: string; principal: Principal }>;
  /**
   * Null when the cookie is unknown, idle or expired.
   * @param isByPerson false: the page asked by itself, which is no activity of anybody
   */
  byCookie(cookie: string, from: RequestOrigin, isByPerson?: boolean): Promise<Principal | null>;
  byToken(token: string, from: RequestOrigin): Promise<Principal | null>;
  /** A person typed: the login counts as active. */
  touch(principal: Principal): Promise<void>;
  /** New cookie; the old one ends. @throws bad_credentials */
  stepUp(
    principal: Principal,
    password: string,
    from: RequestOrigin,
  ): Promise<{ cookie: string; principal: Principal }>;
  logout(principal: Principal): Promise<void>;
  issueTicket(principal: Principal, purpose: TicketPurpose): string;
  /**
   * Once, within 30 s. Says what the ticket was issued for: a socket learns its session from it. The principal is read
   * anew, so a revoked login gets nothing.
   */
  redeemTicket(ticket: string): Promise<{ principal: Principal; purpose: TicketPurpose } | null>;
  /** Reads the principal anew: null when its login, token or user ended meanwhile. */
  refresh(principal: Principal): Promise<Principal | null>;
  /** Called with the login hashes that ended (logout, revocation, role change); within 2 s of the cause. */
  onEnded(
    listener: (ended: {
      loginHashes: readonly string[];
      userId: string;
      why: 'logout' | 'idle' | 'revoked' | 'changed';
    }) => void,
  ): () => void;
}
export interface RequestOrigin {
  readonly address: string;
  readonly agent: string;
}
