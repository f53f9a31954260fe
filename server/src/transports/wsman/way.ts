/** The way to a WinRM target: TCP to the checked address, TLS, its certificate, sign-in. Whatever goes wrong first decides. */
import { connect as connectSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { endpointUrl, type SessionOptions } from '@sallyport/wsman';
import type { Clock } from '../../clock.ts';
import { SallyportError, toError } from '../../errors.ts';
import { ConnectClock } from '../connect-clock.ts';
import type { HttpSignIn } from './auth/contract.ts';
import type { Kerberos } from './auth/kerberos/sign-in.ts';
import { createSignIn, type GatewayAccount, gatewayAccountFor, type HttpIdentity } from './auth/methods.ts';
import { clientFor } from './client-certificate.ts';
import type { WsManConnectorOptions, WsManConnectRequest, WsManPort } from './contract.ts';
import { certificateChanged, printOf } from './errors.ts';
import { HttpConnection } from './http-connection.ts';
import { meetsRedirect } from './redirect.ts';
import { sessionOptionsOf } from './session-options.ts';
import { signInOn, type SealingRules, type SignedConnection } from './signed-connection.ts';
import { problemLeft, startTls, type PresentedCertificate } from './tls.ts';

/** Of connections that are made later, with nobody to ask. */
export const LATER_MS = 30_000;

type Limit = 'tcp' | 'handshake' | 'login' | 'open';
const LATE: Record<Limit, string> = {
  open: 'the session was not open in time (OpenTimeout)',
  tcp: 'no answer to the TCP connection in time',
  handshake: 'no TLS handshake in time',
  login: 'sign-in did not end in time',
};

/** What somebody who does not speak HTTP is first taken for. */
const SPEAKS_ELSE: ReadonlySet<string> = new Set(['target_lost', 'wsman_malformed']);
/** What the certificate of the target is taken for, once that is decided. */
interface Trusted {
  readonly fingerprint: string;
  readonly isVerified: boolean;
}

/** One attempt to connect, and the maker of further connections afterwards. */
export class Way {
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
    // Whoever hangs up on the very first request, or says what is no HTTP, speaks something else: TLS or SSH for example.
    return signedIn.catch((error: unknown) => {
      if (http.hasAnswered || !(error instanceof SallyportError) || !SPEAKS_ELSE.has(error.code)) throw error;
      throw new SallyportError('wsman_not_winrm', `no answer of HTTP came: ${error.message}`, { cause: error });
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
