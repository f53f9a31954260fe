import { CloseCode } from '@sallyport/shared/wire/close-codes';
import type { ClientMessage, ServerMessage } from '@sallyport/shared/wire/control';
import { MAX_FRAME_BYTES } from '@sallyport/shared/wire/credit';
import { encodeInput, parseServerFrame } from '@sallyport/shared/wire/frames';
import type { Answer } from '@sallyport/shared/wire/questions';
import { waitMs } from './backoff.ts';
import { Credit, type StartTimer } from './credit.ts';
import type { EndFacts, LinkState } from './link-state.ts';
import { submitParts } from './submit-parts.ts';

/** Part of WebSocket that is used here; a test hands in its own. */
export interface SocketLike {
  /** As in the DOM: 1 = open. */
  readonly readyState: number;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
}

/** What the client needs of the world. */
export interface SessionPorts {
  openSocket(): SocketLike;
  /** A new ticket for this session. Rejects with an error that has a `code` when the gateway refuses or does not answer. */
  getTicket(): Promise<string>;
  startTimer: StartTimer;
  now(): number;
  /** In [0, 1). */
  random(): number;
}

/** What the client tells the page. */
export interface SessionEvents {
  /** Output, in order. `echoOf`: the accepted line whose echo it is. `drawn` must be called once it is on the screen. */
  output(bytes: Uint8Array, offset: number, echoOf: number | null, drawn: () => void): void;
  /** The bytes that follow do not continue what was shown: clear the screen. `skipped`: bytes that this page never gets. */
  restart(skipped: number): void;
  message(message: ServerMessage): void;
  state(state: LinkState): void;
}

/** How often the page asks whether the socket still carries, and how long it waits for the answer. */
export const PING_EVERY_MS = 20_000;
export const PONG_WITHIN_MS = 15_000;
const OPEN = 1;
/** A socket that never opened although HTTP works is a proxy in the way; said after this many attempts. */
const UPGRADE_ATTEMPTS = 2;

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'internal';

/** One session seen from one page: socket, resume, credit, ordered control messages. No DOM. docs/wire.md. */
export class SessionClient {
  readonly #ports: SessionPorts;
  readonly #events: SessionEvents;
  readonly #credit: Credit;
  #socket: SocketLike | null = null;
  #state: LinkState = { kind: 'idle' };
  #size = { cols: 80, rows: 24 };
  /** Absolute offset of the next byte that this page expects; null = nothing was received yet. */
  #received: number | null = null;
  #resumeToken: string | null = null;
  #attempt = 0;
  #neverOpened = 0;
  #takeOver = false;
  #end: EndFacts | null = null;
  /** Grows with every socket, so that a late callback of an old one is not heard. */
  #generation = 0;
  #stopTimers: (() => void)[] = [];

  constructor(ports: SessionPorts, events: SessionEvents) {
    this.#ports = ports;
    this.#events = events;
    this.#credit = new Credit((offset) => this.#send({ type: 'ack', offset }), ports.startTimer);
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Opens the first socket, for an empty screen. @param ticket as given by `POST /api/sessions`; null = ask for one */
  start(ticket: string | null, cols: number, rows: number): void {
    this.#drop();
    this.#received = null;
    this.#resumeToken = null;
    this.#size = { cols, rows };
    this.#attempt = 0;
    this.#neverOpened = 0;
    void this.#connect(ticket);
  }

  /** Becomes the controller although another page is, or tries again after a failure. */
  takeOver(): void {
    this.#takeOver = true;
    this.#resumeToken = null;
    this.retry();
  }

  /** Tries again at once. */
  retry(): void {
    // Picked up: tokens of before are good for nothing.
    if (this.#end !== null) this.#end = this.#resumeToken = null;
    this.#attempt = 0;
    this.#neverOpened = 0;
    this.#drop();
    void this.#connect(null);
  }

  /** @returns false when the line could not be handed to the gateway; it was not run */
  submit(lineId: number, text: string): boolean {
    if (!this.#isController) return false;
    for (const part of submitParts(lineId, text)) this.#send(part);
    return true;
  }

  /** Sends PTY input, in frames of at most 64 KiB. @returns false when there is no connection; nothing was sent */
  input(bytes: Uint8Array): boolean {
    if (!this.#isController || this.#socket?.readyState !== OPEN) return false;
    for (let at = 0; at < bytes.length; at += MAX_FRAME_BYTES - 1) {
      const frame = encodeInput(bytes.subarray(at, at + MAX_FRAME_BYTES - 1));
      this.#socket.send(new Uint8Array(frame));
    }
    return true;
  }

  /** The size that this page has room for; sent when it has the keyboard, else kept for when it has. */
  resize(cols: number, rows: number): void {
    if (cols === this.#size.cols && rows === this.#size.rows) return;
    this.#size = { cols, rows };
    if (this.#isController) this.#send({ type: 'resize', cols, rows });
  }

  stop(): void {
    if (this.#isController) this.#send({ type: 'stop' });
  }

  answer(id: number, answer: Answer): void {
    if (this.#isController) this.#send({ type: 'answer', id, answer });
  }

  complete(reqId: number, text: string, cursor: number): void {
    if (this.#isController) this.#send({ type: 'complete', reqId, text, cursor });
  }

  /** Leaves the session running without this page. */
  detach(): void {
    this.#send({ type: 'detach' });
    this.#settle({ kind: 'detached' });
  }

  /** Ends the session; the gateway answers with `ended`. */
  close(): void {
    this.#send({ type: 'close' });
  }

  /** The page goes away: no more events, no more timers. */
  dispose(): void {
    this.#drop();
    this.#state = { kind: 'idle' };
  }

  /** A socket that is closing takes no more; what is to be said is said by the next one. */
  #send(message: ClientMessage): void {
    if (this.#socket?.readyState === OPEN) this.#socket.send(JSON.stringify(message));
  }
  /** A watching page must not steer: the gateway ends its socket if it does. */
  get #isController(): boolean {
    return this.#state.kind === 'attached' && this.#state.role === 'controller';
  }

  #set(state: LinkState): void {
    this.#state = state;
    this.#events.state(state);
  }

  /** A state from which nothing happens by itself. */
  #settle(state: LinkState): void {
    this.#drop();
    this.#set(state);
  }

  #drop(): void {
    this.#generation += 1;
    this.#credit.stop();
    for (const stop of this.#stopTimers.splice(0)) stop();
    const socket = this.#socket;
    this.#socket = null;
    if (socket === null) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close(CloseCode.normal);
  }

  async #connect(ticket: string | null): Promise<void> {
    this.#set({ kind: 'connecting', attempt: this.#attempt });
    const generation = ++this.#generation;
    const resumeToken = this.#resumeToken;
    this.#resumeToken = null; // Single use: whatever comes of it, it is not sent twice.
    let entry: ClientMessage;
    try {
      entry = await this.#entry(ticket, resumeToken);
    } catch (error) {
      if (generation === this.#generation) this.#refused(codeOf(error), error);
      return;
    }
    if (generation !== this.#generation) return;
    this.#open(entry);
  }

  async #entry(ticket: string | null, resumeToken: string | null): Promise<ClientMessage> {
    if (resumeToken !== null && this.#received !== null && !this.#takeOver)
      return { type: 'resume', token: resumeToken, offset: this.#received, ...this.#size };
    const fresh = ticket ?? (await this.#ports.getTicket());
    return { type: 'attach', ticket: fresh, ...this.#size, offset: this.#received, takeOver: this.#takeOver };
  }

  /** No ticket was given. Only a gateway that does not answer is tried again. */
  #refused(code: string, error: unknown): void {
    if (code === 'gateway_unreachable' || code === 'dependency_unavailable' || code === 'rate_limited')
      this.#wait(code);
    else this.#settle({ kind: 'failed', code, message: error instanceof Error ? error.message : '' });
  }

  #open(entry: ClientMessage): void {
    const socket = this.#ports.openSocket();
    this.#socket = socket;
    let isOpen = false;
    socket.onopen = () => {
      isOpen = true;
      this.#neverOpened = 0;
      socket.send(JSON.stringify(entry));
      this.#ping();
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => {
      this.#socket = null;
      this.#drop();
      if (!isOpen) this.#neverOpened += 1;
      this.#closed(code, reason);
    };
  }

  #receive(data: unknown): void {
    if (typeof data === 'string') {
      const message = parseMessage(data);
      if (message !== null) this.#control(message);
      return;
    }
    if (!(data instanceof ArrayBuffer)) return;
    const frame = parseServerFrame(new Uint8Array(data));
    if (frame === null) return;
    const offset = this.#received ?? 0;
    const { bytes } = frame;
    this.#received = offset + bytes.length;
    const generation = this.#generation;
    this.#events.output(bytes, offset, frame.kind === 'echo' ? frame.lineId : null, () => {
      if (generation === this.#generation) this.#credit.drew(bytes.length);
    });
  }

  #control(message: ServerMessage): void {
    if (message.type === 'attached') this.#attached(message);
    else if (message.type === 'resumeToken') this.#resumeToken = message.token;
    else if (message.type === 'ended') this.#end = message;
    else if (message.type === 'pong') this.#ping();
    this.#events.message(message);
  }

  #attached(message: Extract<ServerMessage, { type: 'attached' }>): void {
    if (this.#received !== message.offset) this.#events.restart(message.skipped);
    this.#received = message.offset;
    this.#resumeToken = message.resumeToken;
    this.#credit.restart(message.offset);
    this.#attempt = 0;
    this.#takeOver = false;
    this.#set({ kind: 'attached', role: message.role });
  }

  /** Asks again whether the socket carries; a silent one is given up. */
  #ping(): void {
    for (const stop of this.#stopTimers.splice(0)) stop();
    const ask = (): void => {
      this.#send({ type: 'ping', t: this.#ports.now() });
      this.#stopTimers.push(this.#ports.startTimer(() => this.#silent(), PONG_WITHIN_MS));
    };
    this.#stopTimers.push(this.#ports.startTimer(ask, PING_EVERY_MS));
  }

  #silent(): void {
    this.#drop();
    this.#wait('connection_lost');
  }

  #closed(code: number, reason: string): void {
    const end = this.#end;
    if (end !== null) this.#settle({ kind: 'ended', end });
    else if (code === CloseCode.takenOver) this.#settle({ kind: 'takenOver' });
    else if (isEnd(code)) this.#settle({ kind: 'ended', end: endOf(reason) });
    else if (isRefusal(code, reason)) this.#settle({ kind: 'failed', code: reason, message: '' });
    else if (this.#neverOpened >= UPGRADE_ATTEMPTS) void this.#askWhy();
    else this.#wait(reason === '' ? 'connection_lost' : reason);
  }

  /** The socket does not open: is it the socket alone, or the gateway? */
  async #askWhy(): Promise<void> {
    const generation = this.#generation;
    try {
      await this.#ports.getTicket();
    } catch (error) {
      if (generation === this.#generation) this.#refused(codeOf(error), error);
      return;
    }
    if (generation !== this.#generation) return;
    this.#settle({ kind: 'failed', code: 'upgrade_failed', message: '' });
  }

  #wait(code: string): void {
    const ms = waitMs(this.#attempt, this.#ports.random());
    this.#set({ kind: 'waiting', attempt: this.#attempt, retryAt: this.#ports.now() + ms, code });
    const again = (): void => {
      this.#attempt += 1;
      void this.#connect(null);
    };
    this.#stopTimers.push(this.#ports.startTimer(again, ms));
  }
}

/** Closes after which the session is over for everybody. */
const isEnd = (code: number): boolean =>
  code === CloseCode.ended ||
  code === CloseCode.recordingUnavailable ||
  code === CloseCode.targetTimeout ||
  code === CloseCode.detachedTooLong;

/** Closes that another try would meet again. A used ticket or resume token is not one: the next try has a new ticket. */
const isRefusal = (code: number, reason: string): boolean =>
  code === CloseCode.forbidden ||
  code === CloseCode.notFound ||
  code === CloseCode.badMessage ||
  (code === CloseCode.unauthenticated && reason !== 'ticket_invalid' && reason !== 'resume_invalid');

const endOf = (reason: string): EndFacts => ({
  reason,
  message: '',
  detail: '',
  at: '',
  exitCode: null,
  requestId: '',
});

/**
 * The gateway checks what it sends; here only the shape that is relied on is looked at.
 * @returns null for what is no message of this protocol
 */
function parseMessage(text: string): ServerMessage | null {
  try {
    const value: unknown = JSON.parse(text);
    const isMessage = typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
    return isMessage ? (value as ServerMessage) : null;
  } catch {
    return null;
  }
}
