/**
 * A PowerShell console at a target: one runspace, one pipeline at a time, our side is its host. interactive.md.
 */
import type { ErrorCode } from '@sallyport/shared/error-codes';
import { plainEcho } from '@sallyport/shared/editor/plain-echo';
import { visibleText } from '@sallyport/shared/terminal-output/visible-text';
import { consoleHostInfo, displayText, RUNSPACE_HOST, typedLineCommands } from '@sallyport/psrp';
import type { ClientEvent, CommandParameter, PipelineCommand } from '@sallyport/psrp';
import { randomUUID } from 'node:crypto';
import { codeOf, SallyportError } from '../../errors.ts';
import { ProgressBoard } from '../../host/progress.ts';
import { HostUi } from '../../host/ui.ts';
import { errorLine, textLine, VtOutput } from '../../host/vt.ts';
import type { CommandEnd, LeftTerminal, RunningCommand, Terminal, TerminalEvents } from '../contract.ts';
import { completeFrom, NO_MATCHES, tabExpansion } from './completion.ts';
import type { Completion } from './completion.ts';
import { Ending } from './ending.ts';
import { parseSimpleCommands } from './simple-commands.ts';
import type { CommandTable } from './simple-commands.ts';
import { closeOthers, leftTerminal, lostLine } from './left-terminal.ts';
import { PoolLink } from './pool-link.ts';
import { BUSY_MS, BUSY_TRIES, FALLBACK_PROMPT, promptText, startPrompt } from './prompt-job.ts';
import type { PowerShellTerminalOptions } from './terminal-options.ts';
import { CONTINUE, DEBUGGER_NOTICE, isDebuggerStop } from './debugger.ts';
import { examineEndpoint } from './endpoint.ts';
import { ENTERS, NOT_ENTERED } from './entering.ts';
import { hostPort } from './host-port.ts';
import { Jobs } from './jobs.ts';
import type { PipelineEvent } from './jobs.ts';
import { cancelLimit, RunningLine, UNTOLD } from './running-line.ts';
import { refusalText, VaultValues, withParameter } from './using.ts';
import { warnings } from './warnings.ts';

const OPEN_MS = 30_000;
/** Longer: a target may take a while to notice that its former client is gone. */
const REJOIN_MS = 120_000;
const CLOSE_MS = 2_000;
const MAX_LINE = 1024 * 1024;

/** `starting`: the ledger writes the start row. */
type State = 'prompting' | 'idle' | 'starting' | 'running' | 'ended';

class PowerShellTerminal implements Terminal {
  readonly kind = 'powershell';
  readonly #options: PowerShellTerminalOptions;
  readonly #events: TerminalEvents;
  readonly #link: PoolLink;
  readonly #output: VtOutput;
  readonly #progress: ProgressBoard;
  readonly #host: HostUi;
  readonly #jobs: Jobs;
  readonly #vault: VaultValues;
  readonly #warn: (code: string, text: string) => void;
  #size: { cols: number; rows: number };
  #isResized = false;
  #isExamined = false;
  /** The commands of an endpoint that takes no script; null elsewhere. */
  #commands: CommandTable | null = null;
  #lineId = 0;
  #prompt: string | null = null;
  /** The text that the target wants more of; told after the next prompt. */
  #incomplete: string | null = null;
  #state: State = 'prompting';
  #isStopWanted = false;
  #running: RunningLine | null = null;
  /** The ledger writes the row of a line. */
  #starting: Promise<unknown> = Promise.resolve();
  #isLeaving = false;
  #remote = '';
  #promptId: string | null = null;
  #cancelCompletion: (() => void) | null = null;
  readonly #ending: Ending;

  constructor(options: PowerShellTerminalOptions) {
    this.#options = options;
    this.#events = options.events;
    this.#warn = warnings(options.events);
    this.#size = { cols: options.cols, rows: options.rows };
    this.#output = new VtOutput((bytes) => this.#events.output(bytes));
    this.#progress = new ProgressBoard(options.clock, (items) => this.#events.progress(items));
    this.#link = new PoolLink({
      openPool: options.openPool,
      title: options.targetName,
      ...(options.rejoin === undefined ? {} : { rejoin: options.rejoin }),
      leftChanged: () => this.#tellLeavable(),
      version: (version) => this.#isVersion(version),
      event: (event) => this.#event(event),
      batchDone: () => this.#output.flush(),
      lost: (end) => this.#ending.now(end),
    });
    this.#vault = new VaultValues(this.#link, options.lend);
    this.#jobs = new Jobs(this.#link, () =>
      this.#isResized ? consoleHostInfo({ ...this.#size, title: options.targetName }) : RUNSPACE_HOST,
    );
    this.#host = new HostUi(
      hostPort({
        ...{ targetName: options.targetName, output: this.#output, progress: this.#progress, link: this.#link },
        ...{ jobs: this.#jobs, events: this.#events, warn: this.#warn },
        size: () => this.#size,
        running: () => this.#running,
        stopLine: () => this.stop(),
      }),
    );
    this.#ending = new Ending({
      link: this.#link,
      clock: options.clock,
      closeConnection: options.closeConnection,
      cleanUp: (what) => this.#cleanUp(what),
      ended: (end) => this.#events.ended(end),
    });
  }

  async open(): Promise<void> {
    const { signal, clock, closeConnection, rejoin, openMs = OPEN_MS } = this.#options;
    try {
      if (rejoin === undefined) this.#isVersion(await this.#link.open(this.#size, { clock, ms: openMs, signal }));
      else {
        const pipelines = await this.#link.rejoin(rejoin, { clock, ms: REJOIN_MS, signal });
        this.#remote = rejoin.remote;
        if (this.#remote !== '') this.#events.remote(this.#remote);
        this.#goOn(rejoin, pipelines);
      }
    } catch (error) {
      this.#state = 'ended';
      await this.#link.closeChannel();
      await closeConnection();
      throw error;
    }
    if (rejoin !== undefined) return;
    this.#tellLeavable();
    this.#askPrompt();
  }
  #isVersion(version: string | null): void {
    const remote = version === null ? 'PowerShell' : `PowerShell ${visibleText(version, 40, false)}`;
    if (remote === this.#remote) return;
    this.#remote = remote;
    this.#events.remote(remote);
  }

  // ---- Terminal

  input(): void {
    // Bytes have no meaning here: lines come through `submit`.
  }
  submit(lineId: number, text: string): void {
    if (this.#state !== 'idle' || this.#isLeaving) {
      this.#events.refused(lineId, 'session_busy', 'a command is running, the line was not run');
      return;
    }
    if (lineId !== this.#lineId || this.#prompt === null) {
      this.#events.refused(lineId, 'bad_state', 'the line belongs to another prompt');
      return;
    }
    if (text.length > MAX_LINE) {
      this.#events.refused(lineId, 'line_too_long', 'the line is over 1 MiB');
      return;
    }
    this.#cancelCompletion?.();
    const line = text.trim();
    const isClear = /^(?:clear|cls|clear-host)$/i.test(line);
    if (line === '' || isClear) {
      this.#echo(lineId, text);
      if (isClear) this.#events.clear();
      this.#askPrompt();
      return;
    }
    if (ENTERS.test(line)) {
      this.#echo(lineId, text);
      this.#output.write(errorLine(NOT_ENTERED));
      this.#askPrompt();
      return;
    }
    const script = /^exit$/i.test(line) ? 'Exit-PSSession' : text;
    const statements =
      this.#commands === null ? [typedLineCommands(script)] : parseSimpleCommands(script, this.#commands);
    if (statements !== null) {
      void this.#run(lineId, text, script, statements);
      return;
    }
    this.#echo(lineId, text);
    this.#output.write(errorLine('This endpoint allows only simple commands. The line was not run.'));
    this.#askPrompt();
  }
  complete(text: string, cursor: number, signal: AbortSignal): Promise<Completion> {
    if (this.#state !== 'idle' || signal.aborted || text === '') return Promise.resolve(NO_MATCHES);
    this.#cancelCompletion?.();
    if (this.#commands !== null) return Promise.resolve(completeFrom(this.#commands, text, cursor));
    const { found, cancel } = tabExpansion(this.#jobs, this.#options.clock, text, cursor, signal);
    this.#cancelCompletion = cancel;
    this.#link.send();
    return found;
  }
  stop(): void {
    if (this.#state === 'starting') {
      this.#isStopWanted = true;
      this.#vault.cancel();
    } else if (this.#state === 'prompting' && this.#promptId !== null) this.#jobs.stop(this.#promptId);
    const running = this.#running;
    if (running === null || !running.stop(() => this.#jobs.stop(running.pipelineId))) return;
    this.#output.write('^C');
    this.#output.settle();
    this.#output.flush();
  }
  resize(cols: number, rows: number): void {
    this.#size = { cols, rows };
    this.#isResized = true;
  }
  pause(): void {
    this.#link.pause();
  }
  resume(): void {
    this.#link.resume();
  }
  readonly hold = (isHeld: boolean): void => this.#link.hold(isHeld && !this.#ending.isOver);
  async leave(idleMs: number | null): Promise<LeftTerminal> {
    if (this.#isOver() || this.#isLeaving) throw new SallyportError('bad_state', 'the session is ending');
    this.#isLeaving = true;
    try {
      this.#vault.cancel();
      await this.#starting;
      this.#cancelCompletion?.();
      await this.#link.leave(idleMs);
    } catch (error) {
      this.#isLeaving = false;
      if (this.#state === 'prompting' && this.#promptId === null) this.#askPrompt();
      throw error;
    }
    const left = this.#leavable();
    this.#ending.now({ reason: 'session_left', exitCode: null, detail: '' });
    await this.#ending.finished;
    if (left === null) throw new SallyportError('bad_state', 'the session ended while it was being left');
    return left;
  }
  async close(reason: ErrorCode, deadlineMs: number): Promise<void> {
    this.#finish({ reason, exitCode: null }, deadlineMs);
    await this.#ending.finished;
  }

  // ---- prompt

  /** @param tries how often it is asked again when the runspace is busy */
  #askPrompt(tries = 0): void {
    if (this.#isOver() || !this.#link.isOpen) return;
    this.#state = 'prompting';
    // Who picks it up asks.
    if (this.#isLeaving) return;
    if (this.#commands !== null) {
      this.#showPrompt(FALLBACK_PROMPT);
      return;
    }
    this.#promptId = startPrompt(this.#jobs, this.#options.clock, tries > 0, (answer) => {
      this.#promptId = null;
      if (answer === 'busy') {
        this.#options.clock.after(BUSY_MS, () => this.#askPrompt(tries - 1));
        return;
      }
      // The pool may be on its way out: it takes no questions any more.
      if (this.#isOver() || !this.#link.isOpen) return;
      const { text, isBare } = answer;
      const show = (): void => this.#showPrompt(text === null || text === '' ? FALLBACK_PROMPT : text);
      // Without a prompt function it may be no console at all: that is found out before the person types.
      if (!isBare || this.#isExamined) show();
      if (!this.#isExamined) void this.#examine(isBare).then(() => (isBare ? show() : undefined));
    });
    this.#link.send();
  }

  async #examine(isBare: boolean): Promise<void> {
    this.#isExamined = true;
    const endpoint = await examineEndpoint(this.#jobs, isBare, this.#options.clock, () => this.#link.send());
    if (endpoint.kind === 'restricted') this.#commands = endpoint.commands;
    if (endpoint.kind === 'not_interactive')
      this.#finish({ reason: 'endpoint_not_interactive', exitCode: null }, CLOSE_MS);
  }

  #showPrompt(text: string): void {
    if (this.#isOver()) return;
    this.#output.settle();
    this.#output.flush();
    this.#prompt = promptText(this.#options.targetName, text);
    this.#lineId += 1;
    this.#state = 'idle';
    this.#events.prompt(this.#lineId, this.#prompt);
    const incomplete = this.#incomplete;
    this.#incomplete = null;
    if (incomplete !== null) this.#events.incomplete(this.#lineId, incomplete);
  }

  #echo(lineId: number, text: string): void {
    this.#output.flush();
    this.#events.echo(lineId, new TextEncoder().encode(plainEcho(this.#prompt ?? '', text)));
    this.#prompt = null;
  }

  // ---- a typed line

  async #run(
    lineId: number,
    typed: string,
    script: string,
    [first = [], ...moreStatements]: readonly (readonly PipelineCommand[])[],
  ): Promise<void> {
    this.#state = 'starting';
    this.#isStopWanted = false;
    const pipelineId = randomUUID();
    let command: RunningCommand;
    let values: CommandParameter | null;
    try {
      values = this.#commands === null ? await this.#vault.parameterOf(script, pipelineId) : null;
      const starting = this.#events.commandStarting({ text: script, pipelineId, ...this.#link.ids });
      this.#starting = starting.catch(() => undefined);
      command = await starting;
    } catch (error) {
      if (this.#isOver()) return;
      this.#state = 'idle';
      this.#events.refused(lineId, codeOf(error), refusalText(error));
      return;
    }
    const none = { errorCount: 0, outputBytes: 0 };
    if (this.#isOver()) {
      command.ended({ state: 'lost', ...none });
      return;
    }
    this.#echo(lineId, typed);
    if (this.#takeStop()) {
      command.ended({ state: 'stopped', ...none });
      this.#output.write('^C');
      this.#askPrompt();
      return;
    }
    this.#isRunning(typed, pipelineId, command);
    const options = { pipelineId, addToHistory: true, history: script, moreStatements };
    this.#jobs.start(withParameter(first, values), options, (event) => this.#lineEvent(event));
    this.#link.send();
  }

  #isRunning(text: string, pipelineId: string, command: RunningCommand): void {
    this.#state = 'running';
    this.#running = new RunningLine({
      ...{ text, pipelineId, command },
      startBytes: this.#output.byteCount,
      clock: this.#options.clock,
      notice: (...words) => this.#events.notice(...words),
      ...cancelLimit(this.#options.cancelMs, (end) => this.#ending.now(end)),
    });
    this.#tellLeavable();
  }

  #isOver = (): boolean => this.#ending.isOver;
  #takeStop = (): boolean => this.#isStopWanted;

  #lineEvent(event: PipelineEvent): void {
    const running = this.#running;
    if (running === null) return;
    if (event.type === 'output') this.#output.write(textLine(displayText(event.value)));
    else if (event.type === 'error') {
      running.errorCount += 1;
      this.#output.write(errorLine(event.record.message));
    } else if (event.type === 'pipelineState') this.#lineDone(running, event);
  }

  #lineDone(running: RunningLine, { state, error }: Extract<ClientEvent, { type: 'pipelineState' }>): void {
    if (this.#link.isBroken && error?.reason === 'PSRemotingTransportException') return;
    this.#progress.clear();
    if (state === 'Failed' && error?.reason === 'IncompleteParseException' && running.text !== '')
      this.#incomplete = running.text;
    else if (state === 'Failed') {
      running.errorCount += 1;
      this.#output.write(errorLine(error?.message ?? 'The command failed.'));
    }
    const end = running.endOf({ state, error }, this.#isOver());
    if (end === 'lost') this.#output.write(errorLine(UNTOLD));
    this.#commandEnded(end);
    if (running.exitCode !== null) this.#finish({ reason: 'exited', exitCode: running.exitCode }, CLOSE_MS);
    else this.#askPrompt(state === 'Stopped' ? BUSY_TRIES : 0);
  }

  #commandEnded(state: CommandEnd['state']): void {
    const running = this.#running;
    if (running === null) return;
    this.#running = null;
    this.#output.settle();
    this.#output.flush();
    running.ended(state, this.#output.byteCount);
    if (!this.#isOver()) this.#tellLeavable();
  }

  // ---- left and picked up

  #leavable = (): LeftTerminal | null => leftTerminal(this.#link, this.#running?.pipelineId ?? null, this.#remote);
  #tellLeavable(): void {
    const left = this.#leavable();
    if (left !== null) this.#events.leavable(left);
  }

  /** The line that ran goes on. @param pipelines those that are there; null = not known */
  #goOn(rejoin: LeftTerminal, pipelines: readonly string[] | null): void {
    // What stands on the screen was made for another size.
    this.#isResized = true;
    const { line, isThere } = closeOthers(rejoin, pipelines, this.#jobs, this.#link);
    if (line !== null) {
      const command = this.#events.commandContinuing({ runspacePoolId: this.#link.poolId, pipelineId: line });
      if (isThere) this.#isRunning('', line, command);
      else lostLine(command, this.#output);
    }
    if (line !== null && isThere) {
      this.#jobs.adopt(line, (event) => this.#lineEvent(event));
      this.#link.takeUp(line, rejoin.calls);
    } else {
      this.#tellLeavable();
      this.#askPrompt(BUSY_TRIES);
    }
  }

  // ---- pipelines and events

  #event(event: ClientEvent): void {
    if (event.type === 'poolState') {
      if (event.state === 'Closed') this.#ending.now({ reason: 'target_closed', exitCode: null, detail: '' });
      else if (event.state === 'Broken')
        this.#ending.now({
          reason: 'target_lost',
          exitCode: null,
          detail: visibleText(event.error?.message ?? '', 4000),
        });
      return;
    }
    if (event.type === 'hostCall') {
      const signal = event.pipelineId === null ? undefined : this.#jobs.signalOf(event.pipelineId);
      void this.#host.answer(event.call, signal ?? this.#link.signal).then(() => this.#output.flush());
      return;
    }
    if (event.type === 'unanswerableHostCall') {
      const what = event.methodName ?? `number ${event.methodId.toString()}`;
      this.#warn('host_call', `The target made a host call that is not understood: ${what}.`);
      return;
    }
    if (isDebuggerStop(event) && this.#link.isOpen) {
      this.#jobs.start(CONTINUE, { isNested: true }, () => undefined);
      this.#warn('debugger', DEBUGGER_NOTICE);
    }
    if ('pipelineId' in event && event.pipelineId !== null) this.#jobs.tell({ ...event, pipelineId: event.pipelineId });
  }

  // ---- the end

  #finish(closing: { reason: ErrorCode; exitCode: number | null }, deadlineMs: number): void {
    if (this.#isOver()) return;
    this.#jobs.abortAll();
    this.#ending.leave(closing, deadlineMs);
  }

  #cleanUp(what: 'stopped' | 'left' | 'lost'): void {
    this.#state = 'ended';
    this.#cancelCompletion?.();
    this.#jobs.clear();
    this.#progress.clear();
    if (what === 'left') {
      this.#running?.left();
      this.#running = null;
      this.#output.flush();
    } else this.#commandEnded(what);
  }
}

/**
 * Opens a console; resolves when the runspace is open. The terminal owns the connection from now on.
 * @throws SallyportError powershell_missing, powershell_open_failed, cancelled, and the codes of a broken peer
 */
export async function openPowerShellTerminal(options: PowerShellTerminalOptions): Promise<Terminal> {
  if (options.signal.aborted) throw new SallyportError('cancelled', 'opening was cancelled');
  const terminal = new PowerShellTerminal(options);
  await terminal.open();
  return terminal;
}
