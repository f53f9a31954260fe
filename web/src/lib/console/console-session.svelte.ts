import type { SessionFacts, CommandMark, ProgressItem, ServerMessage } from '@sallyport/shared/wire/control';
import { SUBPROTOCOL } from '@sallyport/shared/wire/subprotocol';
import type { Answer, Question } from '@sallyport/shared/wire/questions';
import { getTicket, socketUrl } from '../api/sessions.ts';
import type { LinkState } from '../session/link-state.ts';
import { SessionClient, type SocketLike } from '../session/session-client.ts';

/** Where a session's output and prompts go: the terminal of its tab. */
export interface TerminalSink {
  output(bytes: Uint8Array, offset: number, echoOf: number | null, drawn: () => void): void;
  restart(skipped: number): void;
  message(message: ServerMessage): void;
  link(state: LinkState): void;
}

/** One remark of the gateway above the terminal. */
export interface SessionNotice {
  readonly level: 'info' | 'warning';
  readonly code: string;
  readonly text: string;
}
/** Older remarks are in the audit; more than these would push the terminal away. */
const MAX_NOTICES = 3;
/** Commands kept for the gutter; older ones have left the scrollback. */
const MAX_COMMANDS = 2000;

/** Questions that are asked on the terminal's own line, not in a dialog. */
export const isAskedOnTheLine = (question: Question): boolean => question.kind === 'line' || question.kind === 'key';

function openSocket(): SocketLike {
  const socket = new WebSocket(socketUrl(), SUBPROTOCOL);
  socket.binaryType = 'arraybuffer';
  return socket as SocketLike;
}

/** One tab of the console: what is known of its session, and its connection. */
export class ConsoleSession {
  readonly id: string;
  readonly client: SessionClient;
  link = $state.raw<LinkState>({ kind: 'idle' });
  facts = $state.raw<SessionFacts | null>(null);
  phase = $state.raw<'opening' | 'live' | 'ended'>('opening');
  /** It came to a prompt, or to what stood for it: not so when it had been refused before this page was there. */
  wasLive = false;
  /** What opening is doing now, in the gateway's words. */
  step = $state('');
  question = $state.raw<Question | null>(null);
  progress = $state.raw<readonly ProgressItem[]>([]);
  notices = $state.raw<readonly SessionNotice[]>([]);
  watchers = $state(0);
  title = $state('');
  running = $state.raw<CommandMark | null>(null);
  commands = $state.raw<readonly CommandMark[]>([]);
  /** When a key was last typed here: a question does not take the focus from someone who types. */
  lastTypedAt = 0;
  /** The question that was set aside: it waits in its bar, also when the person comes back to this tab. */
  asideId: number | null = null;
  #sink: TerminalSink | null = null;
  #ticket: string | null;

  constructor(id: string, ticket: string | null) {
    this.id = id;
    this.#ticket = ticket;
    this.client = new SessionClient(
      {
        openSocket,
        getTicket: () => getTicket(id),
        startTimer: (run, ms) => {
          const timer = setTimeout(run, ms);
          return () => clearTimeout(timer);
        },
        now: () => Date.now(),
        random: () => Math.random(),
      },
      {
        output: (bytes, offset, echoOf, drawn) => {
          this.wasLive = true;
          this.#sink?.output(bytes, offset, echoOf, drawn);
        },
        restart: (skipped) => this.#sink?.restart(skipped),
        message: (message) => this.#receive(message),
        state: (state) => {
          this.link = state;
          if (state.kind === 'ended') this.#ended();
          this.#sink?.link(state);
        },
      },
    );
  }

  /** Joins the terminal, which knows its size, and opens the socket. */
  start(sink: TerminalSink, cols: number, rows: number): void {
    this.#sink = sink;
    this.client.start(this.#ticket, cols, rows);
    this.#ticket = null;
  }

  get isController(): boolean {
    return this.link.kind === 'attached' && this.link.role === 'controller';
  }
  /** It goes on at its target, and can be picked up. */
  get isLeft(): boolean {
    return this.link.kind === 'ended' && this.link.end.isLeft === true;
  }
  get name(): string {
    return this.facts?.targetName ?? 'Opening';
  }

  answer(question: Question, answer: Answer): void {
    this.client.answer(question.id, answer);
    // Over for this page at once: what is typed from now on is typed ahead, not into a question that is gone.
    this.#receive({ type: 'questionEnded', id: question.id });
  }

  dropNotice(notice: SessionNotice): void {
    this.notices = this.notices.filter((other) => other !== notice);
  }

  /** The tab goes; the session stays unless it was closed. */
  dispose(): void {
    this.client.dispose();
    this.#sink = null;
  }

  #receive(message: ServerMessage): void {
    switch (message.type) {
      case 'attached':
        this.facts = message.facts;
        this.phase = message.phase;
        this.wasLive ||= message.phase === 'live';
        this.question = null;
        this.progress = [];
        this.#setCommands(message.commands);
        break;
      case 'facts':
        this.facts = message.facts;
        break;
      case 'phase':
        this.phase = message.phase;
        this.wasLive ||= message.phase === 'live';
        this.step = message.step;
        break;
      case 'question':
        this.question = message.question;
        break;
      case 'questionEnded':
        if (this.question?.id === message.id) this.question = null;
        break;
      case 'progress':
        this.progress = message.items;
        break;
      case 'command':
        this.#setCommands([
          ...this.commands.filter(({ number }) => number !== message.command.number),
          message.command,
        ]);
        break;
      case 'watchers':
        this.watchers = message.count;
        break;
      case 'title':
        this.title = message.text;
        break;
      case 'notice':
        this.notices = [...this.notices, message].slice(-MAX_NOTICES);
        break;
      case 'resumeToken':
      case 'prompt':
      case 'refused':
      case 'incomplete':
      case 'completion':
      case 'clear':
      case 'resized':
      case 'pong':
      case 'ended':
        break;
    }
    this.#sink?.message(message);
  }

  #setCommands(commands: readonly CommandMark[]): void {
    this.commands = commands.toSorted((a, b) => a.number - b.number).slice(-MAX_COMMANDS);
    this.running = this.commands.findLast(({ state }) => state === 'running' || state === 'stopping') ?? null;
    if (this.running === null) this.progress = [];
  }

  #ended(): void {
    this.phase = 'ended';
    this.question = null;
    this.progress = [];
    this.running = null;
  }
}
