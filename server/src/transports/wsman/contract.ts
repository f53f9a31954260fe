/** What connecting to a WinRM target asks for, what it asks back, and what it gives. */
import type { WsManSettings } from '@sallyport/shared/api/wsman';
import type { SessionOptions } from '@sallyport/wsman';
import type { Clock } from '../../clock.ts';
import type { ConnectPort, ConnectRequest, Endpoint, Identity, OpenPool } from '../contract.ts';
import type { Kerberos } from './auth/kerberos/sign-in.ts';
import type { GatewayAccount } from './auth/methods.ts';
import type { WsManPoolOptions } from './pool-channel.ts';
import type { TargetShell } from './target-shells.ts';
import type { PresentedCertificate } from './tls.ts';

/** Where a target sends to. */
export interface Redirection {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly applicationName: string;
  /** `?PSVersion=5.1`, or nothing: all that is kept of a query. */
  readonly query: string;
}

/** What connecting wants. */
export interface WsManConnectRequest extends Pick<ConnectRequest, 'endpoint' | 'timeouts' | 'through' | 'place'> {
  readonly identity: Identity;
  readonly settings: WsManSettings;
  /** Redirections that led here; those count against the limit. */
  readonly redirects?: number;
  /** Where the target redirected to once and the shell is. All that is asked of a redirection is asked again. */
  readonly at?: string;
  /** Behind the path of the address that a redirection named. */
  readonly query?: string;
  /** Of the person, for messages and formats where the target's settings name none; '' = en-US. */
  readonly language: string;
}
/** What is asked while connecting; the clock stands still meanwhile. */
export interface WsManPort extends Pick<ConnectPort, 'askSecret' | 'askUser' | 'step'> {
  /**
   * Called with the certificate before anything else is sent over TLS. Resolves when it is trusted: by itself, on record or
   * accepted now. @param problem what is wrong with it after what the target's settings let pass; null when nothing is
   * @param place the target, or where it has redirected to
   * @throws SallyportError tls_certificate_untrusted, tls_certificate_changed
   */
  checkCertificate(
    certificate: PresentedCertificate,
    problem: string | null,
    place: Pick<Endpoint, 'host' | 'port'>,
  ): Promise<'verified' | 'pinned'>;
  /**
   * CredSSP hands the password to the target, which is allowed for it: does the person want that in this session?
   * @param user whose password it is; '' = it is asked for afterwards
   */
  confirmDelegation(user: string): Promise<boolean>;
  /** The gateway's own account is about to sign in for the person. @throws SallyportError when that cannot be written down */
  useGateway(account: string): Promise<void>;
  /**
   * The target sends elsewhere, and that is granted. Resolves to the place, to be checked like every other, when it may be
   * followed. @param isElsewhere another machine: the credential goes there only when the person says so
   * @throws SallyportError wsman_redirect_refused
   */
  redirected(to: Redirection, isElsewhere: boolean): Promise<Endpoint>;
  /** The target sends elsewhere, and nobody follows. @param to as the target says it, without a user and password */
  redirectRefused(to: string): Promise<void>;
}

/** A signed-in way to a target's shells. */
export interface WsManConnection {
  /** For the facts bar, for example `HTTPS, Kerberos`. */
  readonly protection: string;
  /** What is less than it could be, in words. */
  readonly weakened: readonly string[];
  readonly ip: string;
  readonly port: number;
  /** What the target's settings ask for. */
  readonly options: SessionOptions;
  /** What the target's settings leave for opening the pool, after the way there; null = they do not say. */
  readonly openLeftMs: number | null;
  /** @param told facts of the shell @param use that of files has not the limits of what a line may bring */
  openPool(
    told: Pick<WsManPoolOptions, 'shellCreated' | 'retrying' | 'notDeleted'>,
    use?: 'console' | 'files',
  ): OpenPool;
  /**
   * Where a target leads that redirected only when its shell was to be made: what to connect with next. Null when the error
   * is no redirection, or redirections are not granted. @throws SallyportError wsman_redirect_refused
   */
  redirection(error: unknown): Promise<WsManConnectRequest | null>;
  /** Shells that the target keeps for who signed in, with what runs in them. @throws SallyportError */
  listShells(): Promise<readonly TargetShell[]>;
  /** Ends one, whoever holds it. @returns false when it is not there @throws SallyportError */
  deleteShell(shellId: string): Promise<boolean>;
  /** Idempotent; ends what it carries. */
  close(): Promise<void>;
}

/** Connects to WinRM targets, each attempt by itself. */
export interface WsManConnector {
  /** @throws SallyportError */
  connect(request: WsManConnectRequest, port: WsManPort, signal: AbortSignal): Promise<WsManConnection>;
}
/** What a connector is made of. */
export interface WsManConnectorOptions {
  readonly clock: Clock;
  /** Closed by who made it; null without. */
  readonly kerberos: Kerberos | null;
  /** The gateway's own account; null without. */
  readonly gateway?: GatewayAccount | null;
}
