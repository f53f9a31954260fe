/**
 * SSH to a target: TCP to the checked address, handshake, host key, sign-in. Whatever goes wrong first decides; the rest
 * is torn down and the promise rejects with a code of security.md section 4.
 */
import { connect as connectSocket } from 'node:net';
import ssh2, { type Client, type NegotiatedAlgorithms } from 'ssh2';
import type { Clock } from '../../clock.ts';
import { SallyportError, placed, toError } from '../../errors.ts';
import type { Connection, Connector, ConnectPort, ConnectRequest, Hop, Link } from '../contract.ts';
import { algorithmsFor, toNegotiated, toProtection } from './algorithms.ts';
import { ConnectClock } from '../connect-clock.ts';
import { SshConnection } from './connection.ts';
import { toTransportError, type Stage } from './errors.ts';
import { parseHostKey } from './host-key.ts';
import { hardenClient, isStrictKex } from './internals.ts';
import { lateOffers } from './late-offers.ts';
import { signWithOffers } from './offered-key.ts';
import { readPrivateKey } from './private-key.ts';
import { SignIn, type MethodsLeft, type Prompt, type StoredKey } from './sign-in.ts';
import { readStoredKey } from './stored-key.ts';
import { guardSocket } from './socket-guard.ts';
import { toSentUser } from './user.ts';

export interface SshConnectorOptions {
  readonly clock: Clock;
  /** The target opened a channel by itself (agent, X11, forward); it was refused. At most 16 reports a connection. */
  readonly targetOpened?: (type: string, host: string, port: number) => void;
  /** 15 s; the connection is lost after three without an answer. */
  readonly keepaliveMs?: number;
  /** Connections that are open now went up or down by one. */
  readonly counted?: (change: 1 | -1) => void;
}

const KEEPALIVE_MS = 15_000;
const KEEPALIVE_MISSES = 3;
const MAX_BANNER_CHARS = 8 * 1024;
const MAX_REPORTS = 16;
const IDENT = 'Sallyport';
/** Key exchanges that a target may ask for: some at once, and one for each of these. */
const REKEY_BURST = 8;
const REKEY_EVERY_S = 10;
const REKEY_EVERY_BYTES = 16 * 1024 * 1024;

type Limit = 'tcp' | 'handshake' | 'login';
const LATE: Record<Limit, string> = {
  tcp: 'no answer to the TCP connection in time',
  handshake: 'no SSH handshake in time',
  login: 'sign-in did not end in time',
};

/** One attempt to connect. */
class Attempt {
  readonly #request: ConnectRequest;
  readonly #port: ConnectPort;
  readonly #options: SshConnectorOptions;
  readonly #clock: ConnectClock<Limit>;
  readonly #signIn: SignIn;
  readonly #signal: AbortSignal;
  readonly #cleanup: (() => void)[] = [];
  readonly result: Promise<Connection>;
  #resolve: (connection: Connection) => void = () => undefined;
  #reject: (error: SallyportError) => void = () => undefined;
  #stage: Stage = 'tcp';
  #isSettled = false;
  #client: Client | null = null;
  #connection: SshConnection | null = null;
  #negotiated: NegotiatedAlgorithms | null = null;
  #told: Promise<void> = Promise.resolve();
  #acceptedKey: string | null = null;
  #socket: Link | null = null;
  #connectedAt = 0;
  #rekeys = 0;
  #bannerChars = 0;
  #reports = 0;

  constructor(
    request: ConnectRequest,
    stored: StoredKey,
    port: ConnectPort,
    signal: AbortSignal,
    options: SshConnectorOptions,
  ) {
    this.#request = request;
    this.#port = port;
    this.#signal = signal;
    this.#options = options;
    this.#clock = new ConnectClock<Limit>(options.clock, (limit) =>
      this.#fail(new SallyportError('target_timeout', LATE[limit])),
    );
    this.#signIn = new SignIn(request.identity, stored, {
      askSecret: (...question) => this.#clock.hold(() => port.askSecret(...question)),
      askUser: () => this.#clock.hold(() => port.askUser?.() ?? Promise.resolve(null)),
      askKeyboard: (...question) => this.#clock.hold(() => port.askKeyboard(...question)),
      readKey: (secret, passphrase) => this.#clock.hold(() => readPrivateKey(secret, passphrase, signal)),
      offersOf: (identity, signing) => lateOffers(identity, signing, options.clock, signal),
    });
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  start(): void {
    const abort = (): void => this.#fail(new SallyportError('cancelled', 'opening was cancelled'));
    if (this.#signal.aborted) {
      abort();
      return;
    }
    this.#signal.addEventListener('abort', abort, { once: true });
    this.#cleanup.push(() => this.#signal.removeEventListener('abort', abort));
    this.#clock.start('login', this.#request.timeouts.loginMs);
    this.#port.step('resolving');
    this.#request.endpoint.resolve(this.#signal).then(
      (ip) => this.#connect(ip),
      (error: unknown) => this.#fail(error instanceof SallyportError ? error : this.#unresolved(error)),
    );
  }

  #unresolved(error: unknown): SallyportError {
    return new SallyportError('target_name_unresolved', 'name could not be resolved', { cause: toError(error) });
  }

  #connect(ip: string): void {
    if (this.#isSettled) return;
    const { endpoint, through } = this.#request;
    this.#port.step('connecting');
    this.#clock.start('tcp', this.#request.timeouts.tcpMs);
    if (through !== undefined) this.#tunnel(through, ip);
    else this.#dial(ip, endpoint.port);
  }

  #tunnel(through: Hop, host: string): void {
    through.openTunnel(host, this.#request.endpoint.port).then(
      (link) => {
        this.#cleanup.push(() => link.destroy());
        if (this.#isSettled) return void link.destroy();
        this.#clock.stop('tcp');
        this.#handshake(link, host);
      },
      (error: unknown) => this.#failWith(error),
    );
  }

  #dial(ip: string, port: number): void {
    const socket = connectSocket({ host: ip, port, noDelay: true, autoSelectFamily: false });
    this.#cleanup.push(() => socket.destroy());
    const broke = (error: Error): void => this.#failWith(error);
    socket.once('error', broke);
    socket.once('connect', () => {
      socket.off('error', broke);
      this.#clock.stop('tcp');
      if (!this.#isSettled) this.#handshake(socket, ip);
    });
  }

  #handshake(socket: Link, ip: string): void {
    this.#stage = 'handshake';
    this.#socket = socket;
    this.#connectedAt = this.#options.clock.monotonic();
    this.#clock.start('handshake', this.#request.timeouts.handshakeMs);
    const client = new ssh2.Client();
    this.#client = client;
    const guarded = guardSocket(
      socket,
      () => this.#connection?.checkFlood(),
      (error) => this.#failWith(error),
    );
    client.on('error', (error) => this.#failWith(error));
    client.on('close', () => this.#closed());
    client.on('handshake', (negotiated) => this.#negotiatedOnce(client, negotiated));
    client.on('banner', (text) => this.#banner(text));
    client.on('change password', () => this.#failWith(new SallyportError('password_expired', 'password has expired')));
    client.once('ready', () => this.#ready(client, socket, ip));
    client.connect({
      sock: socket,
      // ssh2 wants one here, and sends the one of the sign-in; a probe has none, and ends before.
      username: toSentUser(this.#request.identity.user) || '-',
      ident: IDENT,
      algorithms: algorithmsFor(this.#request.pinnedTypes ?? [], this.#request.relaxations),
      readyTimeout: 0, // our own clocks stand still while a person is asked
      keepaliveInterval: this.#options.keepaliveMs ?? KEEPALIVE_MS,
      keepaliveCountMax: KEEPALIVE_MISSES,
      hostVerifier: (key: Buffer, verify: (isValid: boolean) => void) => void this.#verify(key, verify),
      authHandler: (methods: MethodsLeft, isPartial: boolean, next: (method: never) => void) =>
        void this.#nextMethod(methods, isPartial, next as (method: unknown) => void),
    });
    guarded();
    signWithOffers(
      client,
      (error) => this.#failWith(error),
      () => this.#isSettled,
    );
    hardenClient(client, this.#options.clock, (type) => this.#report(type));
  }

  /** Also called at each new key exchange: the key must stay the one that was accepted. */
  async #verify(blob: Buffer, verify: (isValid: boolean) => void): Promise<void> {
    const { host, port } = this.#request.endpoint;
    try {
      const key = parseHostKey(host, port, blob);
      if (this.#acceptedKey === null) {
        this.#port.step('host-key');
        await this.#clock.hold(() => this.#port.checkHostKey(key));
        this.#acceptedKey = key.key;
      } else if (this.#acceptedKey !== key.key)
        throw new SallyportError('host_key_changed', 'host key changed within the connection');
      else this.#checkRekey();
      if (this.#stage === 'open' || !this.#isSettled) verify(true);
    } catch (error) {
      const isGone = this.#isSettled && this.#connection === null;
      this.#failOwn(error);
      if (!isGone) verify(false);
    }
  }

  /** A key exchange takes up to 30 ms (group 18); OpenSSH asks for one after a gigabyte, others after an hour. */
  #checkRekey(): void {
    const socket = this.#socket;
    const bytes = socket === null ? 0 : socket.bytesRead + socket.bytesWritten;
    const seconds = (this.#options.clock.monotonic() - this.#connectedAt) / 1000;
    if (++this.#rekeys > REKEY_BURST + seconds / REKEY_EVERY_S + bytes / REKEY_EVERY_BYTES)
      throw new SallyportError('ssh_protocol_error', 'target exchanges keys without end');
  }

  #negotiatedOnce(client: Client, negotiated: NegotiatedAlgorithms): void {
    if (this.#negotiated !== null) return;
    this.#negotiated = negotiated;
    this.#clock.stop('handshake');
    const isStrict = isStrictKex(client);
    if (!isStrict && this.#request.relaxations?.includes('no-strict-kex') !== true) {
      this.#failWith(new SallyportError('ssh_no_strict_kex', 'target does not know strict key exchange'));
      return;
    }
    this.#told = this.#port.negotiated?.(toNegotiated(negotiated, isStrict)) ?? Promise.resolve();
    // A refusal counts when the sign-in would begin.
    this.#told.catch(() => undefined);
    this.#stage = 'signing-in';
    this.#port.step('signing-in');
  }

  async #nextMethod(methods: MethodsLeft, isPartial: boolean, next: (method: unknown) => void): Promise<void> {
    try {
      await this.#told;
      const method = await this.#signIn.next(methods, isPartial);
      if (this.#isSettled) return;
      if (method.type !== 'keyboard-interactive') next(method);
      else
        next({
          ...method,
          prompt: (title: string, text: string, _lang: string, prompts: Prompt[], finish: (a: string[]) => void) =>
            void this.#answer(title, text, prompts, finish),
        });
    } catch (error) {
      this.#failOwn(error);
    }
  }

  async #answer(title: string, text: string, prompts: Prompt[], finish: (answers: string[]) => void): Promise<void> {
    try {
      const answers = await this.#signIn.answer(title, text, prompts);
      if (!this.#isSettled) finish(answers);
    } catch (error) {
      this.#failOwn(error);
    }
  }

  #banner(text: string): void {
    if (this.#isSettled || this.#bannerChars >= MAX_BANNER_CHARS) return;
    const room = MAX_BANNER_CHARS - this.#bannerChars;
    this.#bannerChars += text.length;
    this.#port.banner(text.length > room ? `${text.slice(0, room)}\n[banner cut at 8 KiB]\n` : text);
  }

  #report(type: string): void {
    const { host, port } = this.#request.endpoint;
    if (++this.#reports <= MAX_REPORTS) this.#options.targetOpened?.(type.slice(0, 64), host, port);
  }

  #ready(client: Client, socket: Link, ip: string): void {
    if (this.#isSettled || this.#negotiated === null) return;
    this.#isSettled = true;
    this.#stage = 'open';
    this.#clock.stopAll();
    this.#cleanup[0]?.();
    const { endpoint, place = '', through = null } = this.#request;
    const facts = { protection: toProtection(this.#negotiated), ip, port: endpoint.port, place };
    this.#options.counted?.(1);
    const closed = (): void => this.#options.counted?.(-1);
    this.#connection = new SshConnection(client, socket, facts, this.#options.clock, closed, through);
    this.#port.step('opening');
    this.#resolve(this.#connection);
  }

  #closed(): void {
    if (this.#connection !== null) this.#connection.ended();
    else {
      const below = this.#request.through?.lost();
      const own = new SallyportError('target_lost', 'target closed the connection before the sign-in was done');
      this.#fail(below instanceof SallyportError ? below : own);
    }
  }

  /** For what our own side threw: the questions to the person, the check of the host key. */
  #failOwn(error: unknown): void {
    const isNamed = error instanceof SallyportError;
    this.#failWith(
      isNamed ? error : new SallyportError('internal', 'a question was not answered', { cause: toError(error) }),
    );
  }

  #failWith(error: unknown): void {
    const mapped = toTransportError(error, this.#stage, this.#signIn.hasOffered);
    if (this.#connection !== null) this.#connection.broke(mapped);
    else this.#fail(mapped);
  }

  #fail(error: SallyportError): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#clock.stopAll();
    this.#reject(placed(error, this.#request.place ?? ''));
    // ssh2 still has to say DISCONNECT to a refused host key; then everything goes.
    setImmediate(() => {
      this.#client?.on('error', () => undefined);
      for (const clean of this.#cleanup) clean();
      void this.#request.through?.close();
    });
  }
}

/** The connector of SSH targets. A key that cannot be read is refused before anything is sent. */
export function createSshConnector(options: SshConnectorOptions): Connector {
  return {
    async connect(request, port, signal) {
      const stored = await readStoredKey(request.identity, options.clock.now(), signal).catch(
        async (error: unknown) => {
          await request.through?.close();
          throw error instanceof SallyportError ? placed(error, request.place ?? '') : error;
        },
      );
      const attempt = new Attempt(request, stored, port, signal, options);
      attempt.start();
      return attempt.result;
    },
  };
}
