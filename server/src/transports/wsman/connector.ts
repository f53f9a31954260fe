/** WS-Management to a target: TCP to the checked address, TLS, its certificate, sign-in. Whatever goes wrong first decides. */
import { randomUUID } from 'node:crypto';
import { connect as connectSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WsManSettings } from '@sallyport/shared/api/wsman';
import { endpointUrl, type SessionOptions, WsManRedirectError } from '@sallyport/wsman';
import type { Clock } from '../../clock.ts';
import { SallyportError, placed, toError } from '../../errors.ts';
import { ConnectClock } from '../connect-clock.ts';
import type { ConnectPort, ConnectRequest, Endpoint, Identity, OpenPool } from '../contract.ts';
import type { HttpSignIn } from './auth/contract.ts';
import type { Kerberos } from './auth/kerberos/sign-in.ts';
import { createSignIn, type GatewayAccount, gatewayAccountFor, type HttpIdentity } from './auth/methods.ts';
import { Connections } from './connections.ts';
import { EnvelopeSize } from './envelope-size.ts';
import { certificateChanged, printOf, toWsManTransportError } from './errors.ts';
import { HttpConnection } from './http-connection.ts';
import { WsManPool, type WsManPoolOptions } from './pool-channel.ts';
import { followed, meetsRedirect, redirectIn, type Redirection, settingsAt, withoutUser } from './redirect.ts';
import { requestsOf, sessionOptionsOf } from './session-options.ts';
import { signInOn, type SealingRules, type SignedConnection } from './signed-connection.ts';
import { clientFor } from './client-certificate.ts';
import { TargetShells, type TargetShell } from './target-shells.ts';
import { problemLeft, startTls, type PresentedCertificate } from './tls.ts';

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
export interface WsManConnector {
  /** @throws SallyportError */
  connect(request: WsManConnectRequest, port: WsManPort, signal: AbortSignal): Promise<WsManConnection>;
}
export interface WsManConnectorOptions {
  readonly clock: Clock;
  /** Closed by who made it; null without. */
  readonly kerberos: Kerberos | null;
  /** The gateway's own account; null without. */
  readonly gateway?: GatewayAccount | null;
  /** Sessions that are open now went up or down by one. */
  readonly counted?: (change: 1 | -1) => void;
}

/** Of connections that are made later, with nobody to ask. */
const LATER_MS = 30_000;

const UNLIMITED = { maximumReceivedObjectSize: null, maximumReceivedDataSizePerCommand: Infinity };

const DELEGATED = 'the target has the password (CredSSP)';
const TICKET_GIVEN = 'the target has a ticket of the user (Kerberos delegation)';
const NTLM_PROVES_NOTHING = 'NTLM, which does not prove who the target is';

type Limit = 'tcp' | 'handshake' | 'login' | 'open';
const LATE: Record<Limit, string> = {
  open: 'the session was not open in time (OpenTimeout)',
  tcp: 'no answer to the TCP connection in time',
  handshake: 'no TLS handshake in time',
  login: 'sign-in did not end in time',
};

/** What the certificate of the target is taken for, once that is decided. */
interface Trusted {
  readonly fingerprint: string;
  readonly isVerified: boolean;
}

/** One attempt to connect, and the maker of further connections afterwards. */
class Way {
  readonly #request: WsManConnectRequest;
  readonly #port: WsManPort;
  readonly #clock: Clock;
  readonly #kerberos: Kerberos | null;
  readonly #gateway: GatewayAccount | null;
  readonly #url: URL;
  readonly #rules: SealingRules;
  readonly weakened: string[] = [];
  #trusted: Trusted | null = null;
  #signIn: HttpSignIn | null = null;
  #ip = '';
  readonly options: SessionOptions;
  /** Once the first connection stands; null where the settings set no limit to the whole. */
  openLeftMs: number | null = null;

  constructor(request: WsManConnectRequest, port: WsManPort, { clock, kerberos, gateway }: WsManConnectorOptions) {
    this.#kerberos = kerberos;
    this.#gateway = gateway ?? null;
    this.#request = request;
    this.#port = port;
    this.#clock = clock;
    const { endpoint, settings, query = '' } = request;
    this.options = sessionOptionsOf(settings, request.language);
    const { tls: isTls, applicationName, partHeaderTab: hasTab } = settings;
    this.#url = new URL(endpointUrl({ host: endpoint.host, port: endpoint.port, isTls, applicationName }) + query);
    this.#rules = { isRequired: !isTls || settings.alwaysSeal, hasTab };
  }

  get url(): string {
    return this.#url.href;
  }
  /** TLS stands and proves who the target is. */
  get isAuthenticated(): boolean {
    return this.#request.settings.tls && this.#trusted?.isVerified === true;
  }
  get ip(): string {
    return this.#ip;
  }
  /** As it was given; '' for an identity that names none. */
  get user(): string {
    const { identity } = this.#request;
    return 'user' in identity ? identity.user : '';
  }

  /** The first connection, with everything that is to be asked. */
  async first(signal: AbortSignal): Promise<SignedConnection> {
    const { endpoint, timeouts } = this.#request;
    const stop = new AbortController();
    const all = AbortSignal.any([signal, stop.signal]);
    const clock = new ConnectClock<Limit>(this.#clock, (limit) =>
      stop.abort(new SallyportError('target_timeout', LATE[limit])),
    );
    try {
      const { openTimeoutMs } = this.options;
      if (openTimeoutMs !== null) clock.start('open', openTimeoutMs);
      // Who sets a limit to the whole may want to wait longer than for others.
      clock.start('login', Math.max(timeouts.loginMs, openTimeoutMs ?? 0));
      this.#port.step('resolving');
      this.#ip = await endpoint.resolve(all);
      this.#port.step('connecting');
      const connection = await this.#connect(all, clock);
      if (this.#request.settings.redirects) await meetsRedirect(connection, timeouts.loginMs);
      this.openLeftMs = clock.leftMs('open');
      return connection;
    } catch (error) {
      if (signal.aborted) throw new SallyportError('cancelled', 'opening was cancelled', { cause: toError(error) });
      throw stop.signal.aborted ? toError(stop.signal.reason) : error;
    } finally {
      clock.stopAll();
    }
  }

  /** Another connection, with what was agreed for the first. */
  async another(): Promise<SignedConnection> {
    const stop = new AbortController();
    const cancel = this.#clock.after(LATER_MS, () => stop.abort(new SallyportError('target_timeout', LATE.login)));
    try {
      return await this.#connect(stop.signal, null);
    } catch (error) {
      throw stop.signal.aborted ? toError(stop.signal.reason) : error;
    } finally {
      cancel();
    }
  }

  async close(): Promise<void> {
    await this.leave();
    await this.#request.through?.close();
  }
  /** Ends the sign-in; the way below stays. */
  async leave(): Promise<void> {
    await this.#signIn?.close();
  }

  async #connect(signal: AbortSignal, clock: ConnectClock<Limit> | null): Promise<SignedConnection> {
    const { endpoint, settings, timeouts } = this.#request;
    const client = clientFor(this.#request, this.#clock.now());
    const account = gatewayAccountFor(this.#request.identity.kind, {
      host: endpoint.host,
      settings,
      gateway: this.#gateway,
    });
    if (account !== null && this.#signIn === null) await this.#port.useGateway(account.name);
    clock?.start('tcp', timeouts.tcpMs);
    let socket: Duplex = await this.#dial(signal);
    clock?.stop('tcp');
    const abort = (): void => void socket.destroy();
    signal.addEventListener('abort', abort, { once: true });
    try {
      let channelBinding: Uint8Array | null = null;
      if (settings.tls) {
        clock?.start('handshake', timeouts.handshakeMs);
        const now = this.#clock.now();
        const own = client === null ? {} : { client };
        const tls = await startTls(socket, { host: endpoint.host, trust: settings.trust, now, ...own });
        clock?.stop('handshake');
        ({ socket, channelBinding } = tls);
        await this.#judge(tls.presented, clock);
      }
      return await this.#signInOn(socket, channelBinding, signal, clock);
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #dial(signal: AbortSignal): Promise<Duplex> {
    const { endpoint, through } = this.#request;
    if (through !== undefined) return through.openTunnel(this.#ip, endpoint.port);
    return new Promise((resolve, reject) => {
      const socket = connectSocket({
        host: this.#ip,
        port: endpoint.port,
        noDelay: true,
        autoSelectFamily: false,
        keepAlive: true,
      });
      const abort = (): void => void socket.destroy(toError(signal.reason));
      signal.addEventListener('abort', abort, { once: true });
      const broke = (cause: Error): void =>
        reject(new SallyportError('target_unreachable', 'the TCP connection could not be made', { cause }));
      socket.once('error', broke);
      socket.once('connect', () => {
        socket.off('error', broke);
        signal.removeEventListener('abort', abort);
        resolve(socket);
      });
      if (signal.aborted) abort();
    });
  }

  /** Decides on the first certificate; the later ones must be the same. */
  async #judge(presented: PresentedCertificate, clock: ConnectClock<Limit> | null): Promise<void> {
    const { trust } = this.#request.settings;
    if (this.#trusted !== null) {
      if (this.#trusted.fingerprint === presented.fingerprint) return;
      throw new SallyportError('tls_certificate_changed', 'the certificate changed within the session');
    }
    const { fingerprint, problems } = presented;
    if (trust.pin !== '') {
      if (trust.pin !== fingerprint) throw certificateChanged(printOf(fingerprint), [printOf(trust.pin)]);
      this.#trusted = { fingerprint, isVerified: true };
      return;
    }
    const skipped = [
      ...(trust.skipCaCheck && problems.chain !== null ? [`certificate not checked: ${problems.chain}`] : []),
      ...(trust.skipCnCheck && problems.name !== null ? [`name of the certificate not checked: ${problems.name}`] : []),
    ];
    this.#port.step('host-key');
    const { endpoint } = this.#request;
    const check = () => this.#port.checkCertificate(presented, problemLeft(problems, trust), endpoint);
    const verdict = await (clock === null ? check() : clock.hold(check));
    if (verdict === 'verified') this.weakened.push(...skipped);
    this.#trusted = { fingerprint, isVerified: verdict === 'pinned' || skipped.length === 0 };
  }

  async #signInOn(
    socket: Duplex,
    channelBinding: Uint8Array | null,
    signal: AbortSignal,
    clock: ConnectClock<Limit> | null,
  ): Promise<SignedConnection> {
    const { endpoint, settings, timeouts } = this.#request;
    if (clock !== null) this.#port.step('signing-in');
    this.#signIn ??= await this.#makeSignIn(clock);
    const { host: hostHeader, pathname, search } = this.#url;
    const path = `${pathname}${search}`;
    const http = new HttpConnection(socket, { hostHeader, path }, this.#clock, () => undefined);
    const host = settings.spn.host === '' ? endpoint.host : settings.spn.host;
    const place = { host, port: endpoint.port, isTls: settings.tls, channelBinding };
    const limits = { timeoutMs: timeouts.loginMs, signal, path };
    const signedIn = signInOn(http, this.#signIn, place, this.#rules, limits);
    if (clock === null) return signedIn;
    // Whoever hangs up on the very first request speaks something else, TLS for example.
    return signedIn.catch((error: unknown) => {
      if (http.hasAnswered || !(error instanceof SallyportError) || error.code !== 'target_lost') throw error;
      throw new SallyportError('wsman_not_winrm', 'the connection ended before any answer', { cause: error });
    });
  }

  async #makeSignIn(clock: ConnectClock<Limit> | null): Promise<HttpSignIn> {
    const { endpoint, settings } = this.#request;
    const { isAuthenticated } = this;
    const ask = () => this.#port.confirmDelegation(this.#request.identity.user);
    const mayAsk = settings.method === 'credssp' && settings.isTrustedForDelegation;
    const isDelegationAllowed = mayAsk && (await (clock === null ? ask() : clock.hold(ask)));
    if (settings.method === 'credssp' && !isDelegationAllowed)
      throw new SallyportError('credssp_not_allowed', 'delegation is off for the target, or was not confirmed');
    const identity = await this.#identity(clock);
    return createSignIn({
      host: endpoint.host,
      settings,
      identity,
      isAuthenticated,
      isDelegationAllowed,
      kerberos: this.#kerberos,
      gateway: this.#gateway,
    });
  }

  /** @throws SallyportError cancelled, credential_needed, target_auth_unsupported */
  async #identity(clock: ConnectClock<Limit> | null): Promise<HttpIdentity> {
    const { identity, endpoint } = this.#request;
    if (identity.kind === 'password' || identity.kind === 'certificate' || identity.kind === 'gateway') return identity;
    if (identity.kind !== 'ask')
      throw new SallyportError('target_auth_unsupported', `${identity.kind} is no credential for WinRM`);
    const hold = <T>(ask: () => Promise<T>): Promise<T> => (clock === null ? ask() : clock.hold(ask));
    const askUser = () => this.#port.askUser?.() ?? Promise.resolve(null);
    const user = identity.user === '' ? ((await hold(askUser)) ?? '') : identity.user;
    if (user === '') throw new SallyportError('credential_needed', 'no user name for the target');
    const password = await hold(() =>
      this.#port.askSecret('password', user, `Password of ${user} at ${endpoint.host}`),
    );
    if (password === null) throw new SallyportError('cancelled', 'the person gave no secret');
    return { kind: 'password', user, password };
  }
}

/** The connector of WinRM targets. */
export function createWsManConnector(options: WsManConnectorOptions): WsManConnector {
  return {
    async connect(asked, port, signal) {
      let request = await startOf(asked, port);
      for (let hops = request.redirects ?? 0; ; hops++) {
        const way = new Way(request, port, options);
        try {
          const first = await way.first(signal);
          port.step('opening');
          options.counted?.(1);
          const closed = () => options.counted?.(-1);
          return connectionOf(way, first, { ...request, redirects: hops }, port, options.clock, closed);
        } catch (error) {
          await way.leave();
          request = await orRefuse(redirected(error, request, hops, port), asked);
        }
      }
    },
  };
}

/** Not at the target's own place when the shell is elsewhere: that counts as a redirection like every other. */
async function startOf(asked: WsManConnectRequest, port: WsManPort): Promise<WsManConnectRequest> {
  const { at, ...request } = asked;
  if (at === undefined || at === '') return request;
  const led = redirected(new WsManRedirectError(at), request, request.redirects ?? 0, port);
  return { ...(await orRefuse(led, asked)), redirects: (request.redirects ?? 0) + 1 };
}

/** A refusal closes the way. @throws SallyportError */
function orRefuse<T>(work: Promise<T>, { through, place }: WsManConnectRequest): Promise<T> {
  return work.catch(async (refusal: unknown) => {
    await through?.close();
    throw placed(toWsManTransportError(refusal), place ?? '');
  });
}

/** @throws what was thrown, unless it is a redirection that may be followed */
async function redirected(
  error: unknown,
  request: WsManConnectRequest,
  hops: number,
  port: WsManPort,
): Promise<WsManConnectRequest> {
  const { settings, endpoint } = request;
  if (!(error instanceof WsManRedirectError)) throw error;
  const from = { host: endpoint.host, port: endpoint.port, isTls: settings.tls };
  const to = followed(error, hops, settings.redirects, from);
  if (to instanceof SallyportError) {
    await port.redirectRefused(withoutUser(error.location));
    throw to;
  }
  const isElsewhere = to.host.toLowerCase() !== endpoint.host.toLowerCase();
  return {
    ...request,
    endpoint: await port.redirected(to, isElsewhere),
    settings: settingsAt(settings, to, isElsewhere),
    query: to.query,
  };
}

function connectionOf(
  way: Way,
  first: SignedConnection,
  request: WsManConnectRequest,
  port: WsManPort,
  clock: Clock,
  closed: () => void,
): WsManConnection {
  const { endpoint, settings } = request;
  const { options } = way;
  const size = new EnvelopeSize(settings.maxEnvelopeKb);
  const { configurationName } = settings;
  const requests = (sessionId: string) => requestsOf({ url: way.url, size, configurationName }, options, sessionId);
  const connections = new Connections(first, () => way.another(), clock);
  const mechanism = first.mechanism === 'Certificate' ? 'client certificate' : first.mechanism;
  const sealed = first.sealing?.label ?? mechanism;
  if (first.mechanism === 'CredSSP') way.weakened.push(DELEGATED);
  if (first.isDelegated) way.weakened.push(TICKET_GIVEN);
  if (first.mechanism === 'NTLM' && !way.isAuthenticated) way.weakened.push(NTLM_PROVES_NOTHING);
  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    connections.close();
    await way.close();
    closed();
  };
  const shells = (): TargetShells => {
    const waitMs = options.operationTimeoutMs + LATER_MS;
    return new TargetShells(requests(randomUUID()), size, (envelope) => connections.post('control', envelope, waitMs));
  };
  return {
    protection: `${settings.tls ? 'HTTPS' : 'HTTP'}, ${sealed}`,
    weakened: way.weakened,
    ip: way.ip,
    port: endpoint.port,
    ...{ options, openLeftMs: way.openLeftMs },
    openPool: (told, use) => (pool, events) =>
      new WsManPool(pool, events, {
        ...{ requests, sessionId: randomUUID(), connections, size, clock },
        options: use === 'files' ? { ...options, ...UNLIMITED } : options,
        ...{ isTls: settings.tls, openMs: use === 'files' ? null : way.openLeftMs },
        opening: {
          name: null,
          idleTimeoutMs: options.idleTimeoutMs,
          bufferMode: options.outputBufferingMode,
          isNoProfile: options.noMachineProfile,
        },
        ...((request.redirects ?? 0) > 0 && { at: way.url }),
        ...told,
      }),
    redirection: async (error) => {
      const led = redirectIn(error);
      if (led === null) return null;
      const hops = request.redirects ?? 0;
      return { ...(await redirected(led, request, hops, port)), redirects: hops + 1 };
    },
    listShells: () => shells().list(way.user),
    deleteShell: (shellId) => shells().delete(shellId),
    close: () => (closing ??= close()),
  };
}
