/** One session: its terminal's events are recorded, then delivered to its pages; it ends once, for one reason. */
import type { ErrorCode } from '@sallyport/shared/error-codes';
import type { SessionId } from '@sallyport/shared/ids';
import type { ServerMessage, SessionFacts } from '@sallyport/shared/wire/control';
import { LOW_WATER_BYTES } from '@sallyport/shared/wire/credit';
import type { Clock } from '../clock.ts';
import { SallyportError, codeOf, toldOf } from '../errors.ts';
import type { RecordingWriter } from '../recording/contract.ts';
import type { LeftTerminal, Terminal, TerminalEnd } from '../terminals/contract.ts';
import { Commands } from './commands.ts';
import type { AttachRequest, OpenRequest, OpenTerminal, Requester, SessionSocket } from './contract.ts';
import { Delivery } from './delivery.ts';
import type { BrokerDeps, LeftRow, StoredSession } from './deps.ts';
import { Detached } from './detached.ts';
import { AT_ONCE, endMessage, EndSteps, staysLeft } from './ending.ts';
import { Flow, type PauseReason } from './flow.ts';
import type { Before } from './left.ts';
import { Leaving } from './leaving.ts';
import { OutputWindow } from './output-window.ts';
import { AttachedPage, type PageHost } from './page.ts';
import { openingPort, type Shown } from './port.ts';
import { Questions } from './questions.ts';

/** How much a page gets that asks for the tail. */
const TAIL_BYTES = LOW_WATER_BYTES;
/** For the terminal to close cleanly; then it is cut, and a while later it is not waited for. */
const CLOSE_MS = 2000;
const CLOSE_GRACE_MS = 3000;
/** Commands that a joining page is told: what fits into one frame of 64 KiB. */
const MAX_MARKS = 400;
const LEFT: TerminalEnd = { reason: 'session_left', exitCode: null, detail: '' };

/** What the registry does for its sessions. */
export interface SessionEvents {
  /** A token for the page to come back with. */
  issueToken(page: AttachedPage): string;
  pageLeft(page: AttachedPage, resumable: boolean): void;
  /** Its end is written down. `isLeft`: it goes on at its target. */
  ended(isLeft: boolean): void;
  closeAsked(page: AttachedPage): void;
}
export interface SessionOptions {
  readonly sessionId: SessionId;
  readonly who: Requester;
  readonly request: OpenRequest;
  readonly facts: SessionFacts;
  readonly recording: RecordingWriter;
  readonly deps: BrokerDeps;
  readonly events: SessionEvents;
  /** Of one that is picked up. */
  readonly before?: Before;
}

export class Session implements PageHost {
  readonly sessionId: SessionId;
  readonly who: Requester;
  readonly request: OpenRequest;
  readonly window: OutputWindow;
  readonly questions: Questions;
  readonly commands: Commands;
  readonly clock: Clock;
  /** Resolves when the end is written down. */
  readonly finished: Promise<void>;
  readonly pages = new Set<AttachedPage>();
  readonly shown: Shown;
  readonly delivery: Delivery;
  readonly recording: RecordingWriter;
  readonly #deps: BrokerDeps;
  readonly #events: SessionEvents;
  readonly #abort = new AbortController();
  #resolveFinished: () => void = () => undefined;
  #phase: 'opening' | 'live' | 'ended' = 'opening';
  #terminal: Terminal | null = null;
  #controller: AttachedPage | null = null;
  readonly #flow: Flow;
  /** Questions that were put to the controller there was; others are on their way. */
  readonly #toldQuestions = new Set<number>();
  #cols: number;
  #rows: number;
  #endAsked: ErrorCode | null = null;
  #end: (TerminalEnd & { readonly at: number }) | null = null;
  readonly #detached: Detached;
  readonly #steps: EndSteps;
  readonly #before: Before | null;
  readonly #leaving: Leaving;

  constructor(options: SessionOptions) {
    const { deps, who, request, sessionId, recording, before = null } = options;
    this.sessionId = sessionId;
    this.who = who;
    this.request = request;
    this.clock = deps.clock;
    this.recording = recording;
    this.window = new OutputWindow(before?.tail.from ?? 0);
    if (before !== null) this.window.push(before.tail.bytes, null);
    this.#before = before;
    this.#flow = new Flow(recording, () => this.#controller?.stream.acked ?? null);
    this.#steps = new EndSteps(deps, sessionId);
    this.#leaving = new Leaving(
      before?.left ?? null,
      request.shell ?? null,
      (left, shellId) => deps.sessions.update(sessionId, { left, shellId }),
      (error) => deps.log.error({ err: error, sessionId }, 'Place at the target not kept'),
    );
    this.delivery = new Delivery(recording, (error) => {
      deps.log.error({ err: error, sessionId }, 'Delivery failed');
      this.end('internal');
    });
    this.shown = { facts: options.facts, step: 'resolving', prompt: null, title: null, progress: [] };
    this.#deps = deps;
    this.#events = options.events;
    this.#cols = request.cols;
    this.#rows = request.rows;
    this.finished = new Promise((resolve) => (this.#resolveFinished = resolve));
    this.questions = new Questions(deps.clock, {
      asked: (question) => {
        recording.append({ type: 'note', text: `question ${question.kind}` });
        this.delivery.ordered(() => {
          this.#toldQuestions.add(question.id);
          this.#controller?.stream.control({ type: 'question', question });
        });
      },
      ended: (id) => {
        this.delivery.ordered(() => {
          this.#toldQuestions.delete(id);
          this.#controller?.stream.control({ type: 'questionEnded', id });
        });
      },
      tooMany: () => {
        this.end('too_many_questions');
      },
    });
    this.commands = new Commands({
      who: { sessionId, userId: who.subject.userId },
      ledger: deps.ledger,
      clock: deps.clock,
      earlier: before?.commands ?? [],
      changed: (command) => {
        const { number, state, offset } = command;
        this.delivery.recorded({ type: 'command', number, state, offset }, () => {
          this.broadcast({ type: 'command', command });
        });
      },
      failed: (error) => {
        deps.log.error({ err: error, sessionId }, 'Ledger not told the end of a command');
      },
    });
    this.#detached = new Detached(deps.clock, deps.detachedHours, () => this.end('detached_too_long'));
  }

  get ownerId(): string {
    return this.who.subject.userId;
  }
  get phase(): 'opening' | 'live' | 'ended' {
    return this.#phase;
  }
  get terminal(): Terminal | null {
    return this.#phase === 'live' && this.#endAsked === null ? this.#terminal : null;
  }
  get detachedAt(): number | null {
    return this.#detached.at;
  }
  get keptMs(): number | null {
    return this.request.keptMs;
  }
  get isEnding(): boolean {
    return this.#endAsked !== null || this.#end !== null;
  }

  readOutput(from: number, to: number): AsyncIterable<Uint8Array> {
    return this.#deps.recordings.readOutput(this.sessionId, from, to);
  }

  /** Connects. Never rejects. */
  async start(openTerminal: OpenTerminal): Promise<void> {
    try {
      const size = { cols: this.#cols, rows: this.#rows };
      const terminal = await openTerminal(openingPort(this), size, this.#abort.signal);
      if (this.isEnding) {
        await terminal.close(this.#endAsked ?? 'exited', CLOSE_MS);
        return;
      }
      this.#terminal = terminal;
      this.#phase = 'live';
      this.#flow.begin(terminal);
      if (size.cols !== this.#cols || size.rows !== this.#rows) terminal.resize(this.#cols, this.#rows);
      this.delivery.ordered(() => {
        this.broadcast({ type: 'phase', phase: 'live', step: '' });
      });
      this.commands.settleEarlier();
      const { loginHash } = this.who;
      await this.#deps.sessions.update(this.sessionId, {
        ...{ facts: JSON.stringify(this.shown.facts), leftAt: null, loginHash },
      });
    } catch (error) {
      if (this.#phase === 'live') this.#deps.log.error({ err: error, sessionId: this.sessionId }, 'Row not updated');
      else if (!this.isEnding) {
        const { peerText: detail, explanation, at: hop } = toldOf(error);
        if (codeOf(error) === 'internal')
          this.#deps.log.error({ err: error, sessionId: this.sessionId }, 'Opening failed');
        this.finish({ reason: codeOf(error), exitCode: null, detail, explanation, hop });
      }
    }
  }

  /** @throws SallyportError bad_state for an offset that no page can have */
  requireOffset(offset: number | null): void {
    if (offset !== null && offset > this.window.end)
      throw new SallyportError('bad_state', 'the page claims output that was never sent');
  }

  /** Joins a page, whose offset was checked: `attached`, the missing output, then what is going on. Resolves when what credit allows has gone out. */
  async join(
    who: Requester,
    request: Omit<AttachRequest, 'takeOver'>,
    role: 'controller' | 'viewer',
    socket: SessionSocket,
  ): Promise<AttachedPage> {
    const offset = request.offset ?? this.window.tailStart(TAIL_BYTES);
    const page = new AttachedPage(this, who, role, socket, offset);
    this.pages.add(page);
    if (role === 'controller') {
      this.#controller = page;
      this.#detached.end();
    }
    if (role === 'controller' && this.#phase !== 'ended') this.resize(request.cols, request.rows);
    socket.sendControl({
      type: 'attached',
      sessionId: this.sessionId,
      role,
      offset,
      skipped: request.offset === null ? offset : 0,
      resumeToken: this.#events.issueToken(page),
      cols: this.#cols,
      rows: this.#rows,
      phase: this.#phase,
      facts: this.shown.facts,
      commands: this.commands.marks.slice(-MAX_MARKS),
    });
    this.#showState(page);
    this.#tellWatchers();
    this.creditChanged();
    await page.stream.settled();
    return page;
  }

  get controller(): AttachedPage | null {
    return this.#controller;
  }

  left(page: AttachedPage, resumable: boolean): void {
    this.pages.delete(page);
    this.#events.pageLeft(page, resumable && this.#end === null);
    if (page === this.#controller) {
      this.#controller = null;
      this.creditChanged();
      if (this.#phase !== 'ended') {
        this.recording.append({ type: 'note', text: 'detached' });
        this.#detached.begin();
      }
    } else this.#tellWatchers();
  }

  submit(lineId: number, text: string): boolean {
    if (this.shown.prompt?.lineId !== lineId || this.terminal === null) return false;
    this.shown.prompt = null;
    this.terminal.submit(lineId, text);
    return true;
  }

  resize(cols: number, rows: number): void {
    if (this.isEnding || (cols === this.#cols && rows === this.#rows)) return;
    this.#cols = cols;
    this.#rows = rows;
    this.#terminal?.resize(cols, rows);
    this.delivery.recorded({ type: 'resize', cols, rows }, () => {
      this.broadcast({ type: 'resized', cols, rows });
    });
  }

  closeAsked(page: AttachedPage): void {
    this.#events.closeAsked(page);
  }

  broadcast(message: ServerMessage): void {
    for (const page of [...this.pages]) page.stream.control(message);
  }

  /** Recorded, then shown: the one way of terminal bytes. */
  output(bytes: Uint8Array, lineId: number | null): void {
    if (this.#end !== null || bytes.length === 0) return;
    this.#flow.told();
    this.delivery.recorded({ type: 'output', bytes }, () => {
      this.window.push(bytes, lineId);
      for (const page of [...this.pages]) page.stream.pump();
      this.#flow.written();
    });
    this.creditChanged();
  }

  creditChanged(): void {
    this.#flow.creditChanged();
  }
  pause(reason: PauseReason): void {
    this.#flow.pause(reason);
  }
  resume(reason: PauseReason): void {
    this.#flow.resume(reason);
  }

  /** Ends it from our side. The first reason counts. */
  end(reason: ErrorCode, deadlineMs = CLOSE_MS): void {
    if (this.isEnding) return;
    this.#endAsked = this.#phase === 'opening' && reason === 'closed_by_user' ? 'cancelled' : reason;
    this.questions.close();
    this.#abort.abort();
    const end: TerminalEnd = { reason: this.#endAsked, exitCode: null, detail: '' };
    if (reason === 'recording_unavailable') this.delivery.stop();
    if (AT_ONCE.has(reason)) this.#dismissPages(end, true);
    if (this.#terminal === null) {
      this.finish(end);
      return;
    }
    const done = () => {
      cancel();
      this.finish(end);
    };
    const cancel = this.clock.after(deadlineMs + CLOSE_GRACE_MS, done);
    this.#terminal.close(this.#endAsked, deadlineMs).then(done, done);
  }

  /** What there is to go on with at the target; what could not be reached just now is there all the same. */
  leavable(left: LeftTerminal | null): void {
    if (this.isEnding || this.request.reopen === null || (left === null && this.#terminal === null)) return;
    this.#leaving.offer(left);
  }
  /** Its files have a shell of their own at the target. */
  filesShell(shellId: string): void {
    if (!this.isEnding) this.#leaving.filesShell(shellId);
  }

  /** Leaves it running at its target. @throws SallyportError session_not_leavable, and why it could not; it goes on then */
  async leave(): Promise<void> {
    await this.#leaving.ask(this.terminal);
    this.finish(LEFT);
    await this.finished;
  }

  /** The gateway stops: what can be left is left, the rest ends. */
  drain(deadlineMs: number): void {
    const { terminal } = this;
    if (terminal === null || this.#leaving.left === null) this.end('draining', deadlineMs);
    else
      void this.#leaving.drain(terminal, this.clock, deadlineMs).then((isLeft) => {
        if (isLeft) this.finish(LEFT);
        else this.end('draining', deadlineMs);
      });
  }

  /** The terminal has ended, or never started. */
  finish(end: TerminalEnd): void {
    if (this.#end !== null) return;
    this.#end = { ...end, reason: this.#endAsked ?? end.reason, at: this.clock.now() };
    this.#detached.stop();
    this.questions.close();
    this.#abort.abort();
    void this.#writeEnd(this.#end);
  }

  /** It goes on at its target: it was left, or could not be picked up now. */
  get #isLeft(): boolean {
    if (this.#end === null || this.#leaving.left === null) return false;
    const { reason } = this.#end;
    return reason === LEFT.reason || (this.#terminal === null && this.#before !== null && staysLeft(reason));
  }

  /** What was to be picked up and never was, when it has ended: its shell is at the target still. */
  get leftBehind(): { readonly row: LeftRow; readonly left: LeftTerminal; readonly reason: ErrorCode } | null {
    if (this.#end === null || this.#isLeft || this.#terminal !== null || this.#before === null) return null;
    const { reopen } = this.request;
    if (reopen === null) return null;
    return { row: { ...this.row(), reopen }, left: this.#before.left, reason: this.#end.reason };
  }

  /** As the table and lists tell it. */
  row(): StoredSession {
    const isLeft = this.#isLeft;
    const { left } = this.#leaving;
    const end = isLeft ? null : this.#end;
    const isOver = this.#end !== null && !isLeft;
    return {
      id: this.sessionId,
      userId: this.ownerId,
      userName: this.who.userName,
      targetId: this.request.targetId,
      facts: JSON.stringify(this.shown.facts),
      startedAt: this.shown.facts.startedAt,
      endedAt: end?.at ?? null,
      endReason: end?.reason ?? null,
      exitCode: end?.exitCode ?? null,
      commandCount: this.commands.count,
      errorCount: this.commands.errorCount,
      outputBytes: this.recording.outputBytes,
      reopen: this.request.reopen,
      left: left === null || isOver ? null : JSON.stringify(left),
      leftAt: isLeft ? (this.#end?.at ?? null) : null,
      shellId: this.#leaving.shellId,
      loginHash: this.who.loginHash,
    };
  }

  async #writeEnd(end: TerminalEnd & { readonly at: number }): Promise<void> {
    const isLeft = this.#isLeft;
    await this.#steps.attempt('Place at the target not kept', this.#leaving.settled());
    if (isLeft) await this.#putAside(end);
    else await this.#closeBooks(end);
    this.delivery.stop();
    const { facts, endedAt, endReason, exitCode, commandCount, errorCount, outputBytes, left, leftAt } = this.row();
    const change = { facts, endedAt, endReason, exitCode, commandCount, errorCount, outputBytes, left, leftAt };
    const update = () =>
      this.#steps.attempt('Session row not updated', this.#deps.sessions.update(this.sessionId, change));
    // Who comes back from now on picks it up.
    if (isLeft) await update();
    this.#phase = 'ended';
    this.#dismissPages(end, AT_ONCE.has(end.reason));
    if (!isLeft) await update();
    this.#events.ended(isLeft);
    this.#resolveFinished();
  }

  async #closeBooks({ reason, exitCode, hop = '' }: TerminalEnd): Promise<void> {
    await this.#steps.attempt('Commands not ended', this.commands.close());
    await this.#steps.audit('session.end', {
      ...{ reason, exitCode, userId: this.ownerId, target: this.shown.facts.address },
      ...(hop === '' ? {} : { at: hop }),
    });
    await this.#steps.attempt('Recording not closed', this.recording.close(reason));
  }

  async #putAside({ reason }: TerminalEnd): Promise<void> {
    await this.#steps.attempt('Commands not told', this.commands.rest());
    const why = this.#leaving.isDraining ? 'draining' : reason;
    const rested = await this.#steps.attempt('Recording not put aside', this.recording.rest());
    await this.#steps.audit('session.left', {
      ...{ why, userId: this.ownerId, target: this.shown.facts.address },
      ...(rested === null ? {} : { head: rested.head }),
    });
  }

  /** While the gateway stops, pages of a session that was left are to come back by themselves. */
  #dismissPages(end: TerminalEnd, now: boolean): void {
    for (const { stream } of [...this.pages])
      if (this.#leaving.isDraining) stream.finish(null, 'draining', true);
      else stream.finish(endMessage(end, this.sessionId, this.#isLeft), end.reason, now);
  }

  /** What a page that comes late must know, behind the output it is sent first. */
  #showState(page: AttachedPage): void {
    const { prompt, title, progress, step } = this.shown;
    const { stream } = page;
    if (title !== null) stream.control({ type: 'title', text: title });
    if (this.#phase === 'opening') stream.control({ type: 'phase', phase: 'opening', step });
    if (progress.length > 0) stream.control({ type: 'progress', items: [...progress] });
    if (prompt !== null) stream.control({ type: 'prompt', ...prompt });
    if (page.role === 'controller')
      for (const question of this.questions.pending)
        if (this.#toldQuestions.has(question.id)) stream.control({ type: 'question', question });
    stream.pump();
    if (this.#phase === 'ended' && this.#end !== null) this.#dismissPages(this.#end, false);
  }

  #tellWatchers(): void {
    const count = [...this.pages].filter(({ role }) => role === 'viewer').length;
    this.#controller?.stream.control({ type: 'watchers', count });
  }
}
