/** The page's side of `sallyport.v1` without a browser: attaches, acknowledges, keeps every byte and message. docs/wire.md */
import { once } from 'node:events';
import type { OpenedSession } from '@sallyport/shared/api/sessions';
import {
  type ClientMessage,
  SUBPROTOCOL,
  type ServerMessage,
  encodeClientMessage,
} from '@sallyport/shared/wire/control';
import { encodeInput, parseServerFrame } from '@sallyport/shared/wire/frames';
import type { Answer } from '@sallyport/shared/wire/questions';
import { WebSocket } from 'ws';
import { Credit, type StartTimer } from '../../web/src/lib/session/credit.ts';
import type { Person } from './gateway.ts';

type MessageOf<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>;
const WAIT_MS = 60_000;

/** What `POST /api/sessions` opens, shortest form. */
export const openBody = (targetId: string, kind: 'pty' | 'powershell', size = { cols: 80, rows: 24 }) => ({
  to: { by: 'target', targetId },
  kind,
  credential: { by: 'default' },
  ...size,
});

export interface AttachOptions {
  readonly takeOver?: boolean;
  readonly offset?: number | null;
  /** False: never acknowledges. */
  readonly acks?: boolean;
  readonly cols?: number;
  readonly rows?: number;
  /** First message instead of `attach`. */
  readonly resume?: { readonly token: string; readonly offset: number };
}

const after: StartTimer = (run, ms) => {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
};

export class ConsolePage {
  readonly sessionId: string;
  readonly messages: ServerMessage[] = [];
  /** Output and echo bytes in their order, from `attached.offset` on. */
  readonly chunks: Buffer[] = [];
  bytes = 0;
  /** Absolute offset of the next byte. */
  offset = 0;
  close: { readonly code: number; readonly reason: string } | null = null;
  readonly socket: WebSocket;
  readonly #watchers = new Set<() => void>();
  /** As the page has it: who acknowledges every frame is told that it talks too much. null = never acknowledges. */
  readonly #credit: Credit | null;

  private constructor(sessionId: string, socket: WebSocket, acks: boolean) {
    this.sessionId = sessionId;
    this.socket = socket;
    this.#credit = acks ? new Credit(() => this.ack(), after) : null;
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#frame(data);
      else this.#message(JSON.parse(data.toString('utf8')) as ServerMessage);
      this.#changed();
    });
    socket.on('close', (code: number, reason: Buffer) => {
      this.close = { code, reason: reason.toString('utf8') };
      this.#credit?.stop();
      this.#changed();
    });
    socket.on('error', () => undefined);
  }

  /** Opens a session and attaches to it. */
  static async open(person: Person, body: unknown, options: AttachOptions = {}): Promise<ConsolePage> {
    const { sessionId, ticket } = await person.post<OpenedSession>('/api/sessions', body);
    return ConsolePage.attach(person, sessionId, options, ticket);
  }

  /** Attaches to a live session, with a fresh ticket when none is given. */
  static async attach(
    person: Person,
    sessionId: string,
    options: AttachOptions = {},
    ticket?: string,
  ): Promise<ConsolePage> {
    const way = ticket ?? (await person.post<{ ticket: string }>(`/api/sessions/${sessionId}/tickets`)).ticket;
    const socket = ConsolePage.socket(person);
    const page = new ConsolePage(sessionId, socket, options.acks ?? true);
    await once(socket, 'open');
    const size = { cols: options.cols ?? 80, rows: options.rows ?? 24 };
    if (options.resume === undefined)
      page.send({
        type: 'attach',
        ticket: way,
        offset: options.offset ?? null,
        takeOver: options.takeOver ?? false,
        ...size,
      });
    else page.send({ type: 'resume', ...options.resume, ...size });
    await page.until(() => page.last('attached') !== null || page.close !== null, 'attached');
    return page;
  }

  /** A socket as the page opens it, before its first message. */
  static socket(person: Person, headers: Readonly<Record<string, string>> = {}): WebSocket {
    return new WebSocket(`${person.url.replace(/^http/, 'ws')}/api/sessions/socket`, [SUBPROTOCOL], {
      headers: person.headers(headers),
      perMessageDeflate: false,
    });
  }

  send(message: ClientMessage): void {
    this.socket.send(encodeClientMessage(message));
  }
  /** Types into a PTY. */
  type(text: string): void {
    this.socket.send(encodeInput(Buffer.from(text, 'utf8')));
  }
  answer(question: MessageOf<'question'>, answer: Answer): void {
    this.send({ type: 'answer', id: question.question.id, answer });
  }
  ack(): void {
    if (this.socket.readyState === WebSocket.OPEN) this.send({ type: 'ack', offset: this.offset });
  }
  buffer = (): Buffer => Buffer.concat(this.chunks);
  text = (): string => this.buffer().toString('utf8');
  all = <T extends ServerMessage['type']>(type: T): MessageOf<T>[] =>
    this.messages.filter((message): message is MessageOf<T> => message.type === type);
  last = <T extends ServerMessage['type']>(type: T): MessageOf<T> | null => this.all(type).at(-1) ?? null;

  /** Resolves when `check` holds; rejects with what was seen when it does not in time. */
  until(check: () => boolean, what: string, ms = WAIT_MS): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!check()) return;
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(look);
        const messages = JSON.stringify(this.messages.slice(-6));
        reject(
          new Error(
            `${what}: not seen; close ${JSON.stringify(this.close)}; text ${JSON.stringify(this.text().slice(-1500))}; messages ${messages}`,
          ),
        );
      }, ms);
      this.#watchers.add(look);
      look();
    });
  }
  untilText = (part: string | RegExp, ms?: number): Promise<void> =>
    this.until(
      () => (typeof part === 'string' ? this.text().includes(part) : part.test(this.text())),
      String(part),
      ms,
    );
  /** The `n`th message of a type (from 1). */
  async untilMessage<T extends ServerMessage['type']>(type: T, n = 1, ms?: number): Promise<MessageOf<T>> {
    await this.until(() => this.all(type).length >= n, `message ${type} ${String(n)}`, ms);
    const found = this.all(type)[n - 1];
    if (found === undefined) throw new Error('not there');
    return found;
  }
  /** What the bar shows now: told at attaching, and again at each change. */
  get facts(): MessageOf<'facts'>['facts'] | undefined {
    return (this.last('facts') ?? this.last('attached'))?.facts;
  }
  untilLive = (ms?: number): Promise<void> =>
    this.until(() => this.last('attached')?.phase === 'live' || this.last('phase')?.phase === 'live', 'live', ms);
  untilClosed = async (ms?: number): Promise<{ code: number; reason: string }> => {
    await this.until(() => this.close !== null, 'close', ms);
    if (this.close === null) throw new Error('not closed');
    return this.close;
  };
  /** Runs a PowerShell line at the newest prompt and waits for the next prompt. @returns the output between */
  async run(line: string, ms?: number): Promise<string> {
    await this.until(() => this.last('prompt') !== null, 'a prompt', ms);
    const prompts = this.all('prompt').length;
    const from = this.bytes;
    this.submit(line);
    await this.until(() => this.all('prompt').length > prompts || this.close !== null, `prompt after ${line}`, ms);
    return this.buffer().subarray(from).toString('utf8');
  }
  submit(line: string): void {
    const lineId = this.last('prompt')?.lineId ?? 0;
    this.send({ type: 'submit', lineId, part: 0, last: true, text: line });
  }
  /** Cuts the connection without a good-bye. */
  cut(): void {
    this.socket.terminate();
  }
  async detach(): Promise<void> {
    this.send({ type: 'detach' });
    await this.untilClosed();
  }

  #frame(data: Buffer): void {
    const frame = parseServerFrame(data);
    if (frame === null) throw new Error(`not a frame of the gateway: ${data.subarray(0, 8).toString('hex')}`);
    this.chunks.push(Buffer.from(frame.bytes));
    this.bytes += frame.bytes.length;
    this.offset += frame.bytes.length;
    this.#credit?.drew(frame.bytes.length);
  }
  #message(message: ServerMessage): void {
    if (message.type === 'attached') {
      this.offset = message.offset;
      this.#credit?.restart(message.offset);
    }
    this.messages.push(message);
  }
  #changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}
