/** Signing in to WinRM with Kerberos, on its own or inside SPNEGO. winrm-auth.md sections 2 and 5. */
import { isIP } from 'node:net';
import { systemClock, type Clock } from '../../../../clock.ts';
import { SallyportError, codeOf } from '../../../../errors.ts';
import type { Secret } from '../../../../secret.ts';
import type { ConnectionSignIn, HttpSignIn, SignInPlace } from '../contract.ts';
import { KerberosConnection } from './connection.ts';
import { IS_FINAL } from './errors.ts';
import type { Delegation, TicketSource } from './messages.ts';
import { KerberosProcess, type Identified, type KerberosRun } from './process.ts';
import { toPrincipal, type KerberosSettings } from './realms.ts';
import { bare, inSpnego } from './wrapping.ts';

/** Looking up, connecting and asking a KDC, twice. The library gives up by itself after about this time. */
const NETWORK_DEADLINE_MS = 25_000;
/** Tickets with less left than this are got anew before a connection is signed in. */
const FRESH_S = 120;

/** Who signs in. */
export type KerberosIdentity =
  /** As typed: `DOM\user` or `user@domain`. The secret is the sign-in's own from now on, and wiped when that is closed. */
  | { readonly kind: 'password'; readonly user: string; readonly password: Secret }
  /** The gateway's own account. */
  | { readonly kind: 'keytab'; readonly principal: string; readonly file: string }
  | { readonly kind: 'ccache'; readonly name: string };

export interface KerberosOptions {
  readonly identity: KerberosIdentity;
  /** `Negotiate` puts the same tokens into SPNEGO, with Kerberos as the only mechanism. */
  readonly scheme: 'Kerberos' | 'Negotiate';
  /** First part of the service name; `HTTP` when absent. */
  readonly service?: 'HTTP' | 'WSMAN' | 'HOST';
  /** The port belongs to the service name (`HTTP/host:5985`). */
  readonly isPortNamed?: boolean;
  /** Whether the target gets a ticket to act as the user elsewhere; `never` when absent. */
  readonly delegation?: Delegation;
  readonly deadlineMs?: number;
}

/** Kerberos for the whole gateway: one process, made when first needed. */
export class Kerberos {
  readonly #settings: KerberosSettings;
  readonly #clock: Clock;
  readonly #process: KerberosProcess;

  constructor(settings: KerberosSettings, clock: Clock = systemClock) {
    this.#settings = settings;
    this.#clock = clock;
    this.#process = new KerberosProcess(settings, clock);
  }

  /** @throws SallyportError kerberos_unavailable with what is missing */
  async probe(): Promise<void> {
    await this.#process.run();
  }

  /** The process, for tests that end it. */
  run(): Promise<KerberosRun> {
    return this.#process.run();
  }

  /** The account as Kerberos would name it; null when it has no realm that is known here. */
  principalOf(user: string): string | null {
    return toPrincipal(user, this.#settings);
  }

  signIn(options: KerberosOptions): HttpSignIn {
    return new KerberosSignIn(this.#settings, this.#process, this.#clock, options);
  }

  /** Ends the process. Idempotent. */
  close(): void {
    this.#process.close();
  }
}

class KerberosSignIn implements HttpSignIn {
  readonly #settings: KerberosSettings;
  readonly #process: KerberosProcess;
  readonly #clock: Clock;
  readonly #options: KerberosOptions;
  readonly #release: () => void;
  #identified: Promise<Identified> | null = null;
  /** The KDC has judged: it is not asked again. */
  #refused: SallyportError | null = null;
  #isClosed = false;

  constructor(settings: KerberosSettings, process: KerberosProcess, clock: Clock, options: KerberosOptions) {
    this.#settings = settings;
    this.#process = process;
    this.#clock = clock;
    this.#options = options;
    this.#release = process.hold();
  }

  begin(place: SignInPlace): ConnectionSignIn {
    const { scheme, service = 'HTTP', isPortNamed = false, delegation = 'never' } = this.#options;
    const host = place.host.replace(/\.$/, '').toLowerCase();
    return new KerberosConnection({
      scheme,
      wrapping: scheme === 'Kerberos' ? bare() : inSpnego(),
      service: `${service}@${host}${isPortNamed ? `:${place.port}` : ''}`,
      delegation,
      isTls: place.isTls,
      binding: place.channelBinding,
      deadlineMs: this.#options.deadlineMs ?? NETWORK_DEADLINE_MS,
      identify: (signal) => {
        // An address has no service name. winrm-auth.md section 9.
        if (isIP(place.host.replace(/^\[|\]$/g, '')) !== 0)
          throw new SallyportError('kerberos_unknown_target', 'an address has no name for kerberos');
        return this.#identify(signal);
      },
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { identity } = this.#options;
    if (identity.kind === 'password') identity.password.wipe();
    const identified = await this.#identified?.catch(() => null);
    if (identified) identified.run.tell({ op: 'forget', identity: identified.identity });
    this.#release();
  }

  /** Tickets that are fresh; all connections share them. The signal ends the waiting of one of them only. */
  async #identify(signal: AbortSignal): Promise<Identified> {
    for (;;) {
      if (this.#isClosed || signal.aborted) throw new SallyportError('cancelled', 'kerberos: cancelled');
      if (this.#refused !== null) throw this.#refused;
      const asked = (this.#identified ??= this.#getTickets());
      const identified = await untilAborted(asked, signal);
      if (!identified.run.isOver && this.#clock.monotonic() < identified.freshUntil) return identified;
      if (this.#identified === asked) this.#identified = null;
      identified.run.tell({ op: 'forget', identity: identified.identity });
    }
  }

  async #getTickets(): Promise<Identified> {
    try {
      const run = await this.#process.run();
      const identity = run.newHandle();
      const { source, password } = this.#source();
      const deadlineMs = this.#options.deadlineMs ?? NETWORK_DEADLINE_MS;
      try {
        const { answer } = await run.request({ op: 'identify', identity, source }, [password], { deadlineMs });
        const lifetimeMs = Math.max(answer.lifetimeS ?? 0, FRESH_S + 1) * 1000;
        return { run, identity, freshUntil: this.#clock.monotonic() + lifetimeMs - FRESH_S * 1000 };
      } catch (error) {
        run.tell({ op: 'forget', identity });
        throw error;
      }
    } catch (error) {
      if (error instanceof SallyportError && IS_FINAL.includes(codeOf(error))) this.#refused = error;
      this.#identified = null;
      throw error;
    }
  }

  #source(): { source: TicketSource; password: Uint8Array } {
    const { identity, delegation = 'never' } = this.#options;
    const nothing = new Uint8Array();
    const isForwardable = delegation !== 'never';
    if (identity.kind === 'ccache') return { source: identity, password: nothing };
    if (identity.kind === 'keytab') return { source: { ...identity, isForwardable }, password: nothing };
    const principal = toPrincipal(identity.user, this.#settings);
    if (principal === null)
      throw new SallyportError('kerberos_no_kdc', 'the account is in no realm that is known here');
    const password = identity.password.revealBytes();
    // The library takes an empty or cut password for another one, or asks for it.
    if (password.length === 0 || password.includes(0))
      throw new SallyportError('credential_needed', 'no password that kerberos can use');
    return { source: { kind: 'password', principal, isForwardable }, password };
  }
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new SallyportError('cancelled', 'kerberos: cancelled'));
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
