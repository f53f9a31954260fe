/**
 * The life of one console socket: first message within 10 s, ticket or resume token, then messages, each authorised by
 * itself. security.md sections 3 "Browser and WebSocket" and 4; docs/wire.md.
 */
import { SessionId } from '@sallyport/shared/ids';
import type { ClientMessage, ClientMessageType } from '@sallyport/shared/wire/control';
import { ACK_EVERY_BYTES } from '@sallyport/shared/wire/credit';
import type { Broker, Page, PageMessage, Requester } from '../broker/contract.ts';
import type { Clock } from '../clock.ts';
import { SallyportError, codeOf } from '../errors.ts';
import type { Identity, Principal } from '../identity/contract.ts';
import type { Log } from '../log/log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { ACTIONS, decide, type Action } from '../policy.ts';
import { MESSAGE_ACTIONS, MessageRate, TYPED, parseControl, parseInputFrame } from './message.ts';
import type { WireSocket } from './wire-socket.ts';

/** Time for the first message. */
const FIRST_MESSAGE_MS = 10_000;
/** Login, role and token are read anew at least this often. security.md T13. */
const RECHECK_MS = 30_000;
/** Typing keeps the login alive; telling storage once in this time is enough. */
const TOUCH_MS = 10_000;
/** Messages between two entries in the metrics. */
const COUNT_EVERY = 100;
/** What a page may say before it is attached: its window's size, some acknowledgements. */
const MAX_QUEUED = 64;

/** Of a page's window. */
interface Size {
  readonly cols: number;
  readonly rows: number;
}
/** Who attaches. */
interface Caller extends Pick<Requester, 'subject' | 'actor'> {
  readonly principal: Principal;
}

export interface SocketJoin {
  readonly identity: Pick<Identity, 'redeemTicket' | 'refresh' | 'touch'>;
  readonly broker: Pick<Broker, 'attach' | 'resume'>;
  /** Before a page attaches: a session that was left at its target is gone on with. Policy is asked anew. */
  readonly pickUp: (caller: Caller, sessionId: string, size: Size) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

type State =
  | { readonly name: 'waiting' }
  | { readonly name: 'attaching'; readonly queue: { data: Uint8Array; isBinary: boolean }[] }
  | { readonly name: 'attached'; readonly page: Page }
  | { readonly name: 'closed' };

const isAction = (text: string): text is Action => (ACTIONS as readonly string[]).includes(text);
const requesterOf = (principal: Principal): Requester => ({
  subject: {
    userId: principal.user.id,
    role: principal.user.role,
    tokenScopes: principal.scopes === null ? null : principal.scopes.filter(isAction),
  },
  userName: principal.user.name,
  loginHash: principal.loginHash,
  actor: principal.actor,
});

/** Made at the upgrade with the login that the upgrade came with. */
export class ConsoleSocket {
  readonly #join: SocketJoin;
  readonly #socket: WireSocket;
  readonly #rate: MessageRate;
  #principal: Principal;
  /** Of #principal, made once: each message is authorised with it. */
  #requester: Requester;
  #state: State = { name: 'waiting' };
  #touchedAt = Number.NEGATIVE_INFINITY;
  #ackedAt = 0;
  #uncounted = 0;
  #cancelFirst: () => void;
  #cancelRecheck: () => void = () => undefined;

  constructor(join: SocketJoin, socket: WireSocket, principal: Principal) {
    this.#join = join;
    this.#socket = socket;
    this.#principal = principal;
    this.#requester = requesterOf(principal);
    this.#rate = new MessageRate(join.clock);
    this.#cancelFirst = join.clock.after(FIRST_MESSAGE_MS, () => {
      this.fail(new SallyportError('bad_message', 'no first message in time'));
    });
    this.#scheduleRecheck();
  }

  get loginHash(): string {
    return this.#principal.loginHash;
  }

  /** One message of the page. Never throws. */
  receive(data: Uint8Array, isBinary: boolean): void {
    if (this.#state.name === 'closed' || this.#socket.isClosed) return;
    this.#count();
    try {
      this.#rate.take();
      if (this.#state.name === 'attaching') {
        if (this.#state.queue.length >= MAX_QUEUED) throw new SallyportError('bad_state', 'not attached yet');
        this.#state.queue.push({ data, isBinary });
      } else this.#handle(data, isBinary);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Told in hundreds: the counter's labels cost as much as the rest of a key's way in. */
  #count(): void {
    this.#uncounted += 1;
    if (this.#uncounted === COUNT_EVERY) this.#tellCount();
  }
  #tellCount(): void {
    this.#join.metrics.socketMessages.inc({ direction: 'in' }, this.#uncounted);
    this.#uncounted = 0;
  }

  /** A frame that says nothing counts against the same limit. Never throws. */
  countFrame(): void {
    if (this.#state.name === 'closed' || this.#socket.isClosed) return;
    try {
      this.#rate.take();
    } catch (error) {
      this.fail(error);
    }
  }

  /** The login ended: nothing more is taken from this page. */
  revoke(): void {
    this.fail(new SallyportError('revoked', 'the login ended'));
  }

  /** Closes with the code of the error. */
  fail(error: unknown): void {
    if (this.#state.name === 'closed') return;
    const code = codeOf(error);
    if (code === 'internal') this.#join.log.error({ err: error }, 'Socket failed');
    else this.#join.log.debug({ code }, 'Socket refused');
    this.#join.metrics.refusals.inc({ code });
    this.#socket.closeFor(code);
    this.gone();
  }

  /** The socket is closed, by whichever side. Idempotent. */
  gone(): void {
    const state = this.#state;
    this.#state = { name: 'closed' };
    this.#tellCount();
    this.#cancelFirst();
    this.#cancelRecheck();
    if (state.name === 'attached') state.page.gone();
  }

  #handle(data: Uint8Array, isBinary: boolean): void {
    const state = this.#state;
    if (isBinary) {
      const bytes = parseInputFrame(data);
      if (state.name !== 'attached') throw new SallyportError('bad_state', 'input before attach');
      this.#authorize('input', state.page.ownerId);
      state.page.input(bytes);
      return;
    }
    const message = parseControl(data);
    if (message.type === 'ping') this.#socket.sendControl({ type: 'pong', t: message.t });
    else if (message.type === 'attach' || message.type === 'resume') this.#begin(message);
    else if (state.name === 'attached') {
      this.#authorize(message.type, state.page.ownerId);
      state.page.handle(message satisfies PageMessage);
      if (message.type === 'ack') this.#acked(message.offset);
    } else throw new SallyportError('bad_state', `${message.type} before attach`);
  }

  #authorize(type: ClientMessageType | 'input', ownerId: string): void {
    const action = MESSAGE_ACTIONS[type];
    if (action === null) return;
    const decision = decide(this.#requester.subject, action, { ownerId });
    if (!decision.allowed) throw new SallyportError('forbidden', `${type} refused: ${decision.why}`);
    if (TYPED.has(type)) this.#touch();
  }

  /**
   * Acknowledgements come as fast as output does, and output is what we sent: one that stands for ACK_EVERY_BYTES does not
   * count against the rate, or a fast page would be cut off for keeping up. The page has checked the offset.
   */
  #acked(offset: number): void {
    if (offset - this.#ackedAt < ACK_EVERY_BYTES) return;
    this.#ackedAt = offset;
    this.#rate.giveBack();
  }

  #touch(): void {
    const now = this.#join.clock.monotonic();
    if (now - this.#touchedAt < TOUCH_MS) return;
    this.#touchedAt = now;
    this.#join.identity.touch(this.#principal).catch((error: unknown) => {
      this.#join.log.warn({ err: error }, 'Login not touched');
    });
  }

  #begin(message: Extract<ClientMessage, { type: 'attach' | 'resume' }>): void {
    if (this.#state.name !== 'waiting') throw new SallyportError('bad_state', 'attached already');
    this.#cancelFirst();
    this.#state = { name: 'attaching', queue: [] };
    this.#attach(message).catch((error: unknown) => {
      this.fail(error);
    });
  }

  async #attach(message: Extract<ClientMessage, { type: 'attach' | 'resume' }>): Promise<void> {
    const page = await this.#openPage(message);
    if (this.#state.name !== 'attaching' || this.#socket.isClosed) {
      page.gone(); // The page left, or its login ended, while we attached.
      this.gone();
      return;
    }
    const { queue } = this.#state;
    this.#state = { name: 'attached', page };
    for (const { data, isBinary } of queue) this.#replay(data, isBinary);
  }

  /** What the page said while it was being attached; the first refusal ends it. */
  #replay(data: Uint8Array, isBinary: boolean): void {
    if (!this.#socket.isClosed) this.#handle(data, isBinary);
  }

  /** The broker asks policy again, with the session's owner. */
  async #openPage(message: Extract<ClientMessage, { type: 'attach' | 'resume' }>): Promise<Page> {
    const { broker } = this.#join;
    this.#authorize(message.type, this.#principal.user.id);
    if (message.type === 'resume') return broker.resume(this.#requester, message, this.#socket);
    const sessionId = await this.#sessionOfTicket(message.ticket);
    const { subject, actor } = this.#requester;
    await this.#join.pickUp({ principal: this.#principal, subject, actor }, sessionId, message);
    return broker.attach(this.#requester, sessionId, message, this.#socket);
  }

  /** A ticket is good once, for the login that asked for it. @throws SallyportError ticket_invalid */
  async #sessionOfTicket(ticket: string): Promise<SessionId> {
    const redeemed = await this.#join.identity.redeemTicket(ticket);
    if (redeemed?.principal.loginHash !== this.#principal.loginHash)
      throw new SallyportError('ticket_invalid', 'ticket is unknown, used, expired or of another login');
    const parsed = SessionId.safeParse(redeemed.purpose.slice('session:'.length));
    if (!parsed.success) throw new SallyportError('ticket_invalid', 'ticket is for something else');
    return parsed.data;
  }

  #scheduleRecheck(): void {
    this.#cancelRecheck = this.#join.clock.after(RECHECK_MS, () => {
      this.#recheck().catch((error: unknown) => {
        this.fail(error);
      });
    });
  }

  async #recheck(): Promise<void> {
    const fresh = await this.#join.identity.refresh(this.#principal);
    if (this.#state.name === 'closed') return;
    if (fresh === null) {
      this.revoke();
      return;
    }
    this.#principal = fresh;
    this.#requester = requesterOf(fresh);
    this.#scheduleRecheck();
  }
}
