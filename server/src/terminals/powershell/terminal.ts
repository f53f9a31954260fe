/**
 * A PowerShell console at a target: one runspace, one pipeline at a time, our side is its host. interactive.md.
 */
import type { ErrorCode } from '@sallyport/shared/error-codes';
import { plainEcho } from '@sallyport/shared/editor/plain-echo';
import { colouredText, visibleText } from '@sallyport/shared/terminal-output/visible-text';
import { consoleHostInfo, displayText, RUNSPACE_HOST, typedLineCommands } from '@sallyport/psrp';
import type { ClientEvent, CommandParameter, PipelineCommand } from '@sallyport/psrp';
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.ts';
import { codeOf, SallyportError } from '../../errors.ts';
import { ProgressBoard } from '../../host/progress.ts';
import { HostUi } from '../../host/ui.ts';
import { errorLine, textLine, VtOutput } from '../../host/vt.ts';
import type { OpenPool } from '../../transports/contract.ts';
import type { CommandEnd, LeftTerminal, RunningCommand, Terminal, TerminalEvents } from '../contract.ts';
import { completeFrom, NO_MATCHES, tabExpansion } from './completion.ts';
import type { Completion } from './completion.ts';
import { Ending } from './ending.ts';
import { parseSimpleCommands } from './simple-commands.ts';
import type { CommandTable } from './simple-commands.ts';
import { PoolLink } from './pool-link.ts';
import { CONTINUE, DEBUGGER_NOTICE, isDebuggerStop } from './debugger.ts';
import { examineEndpoint } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { Jobs } from './jobs.ts';
import type { PipelineEvent } from './jobs.ts';
import { RunningLine } from './running-line.ts';
import { type LendCredentials, refusalText, VaultValues, withParameter } from './using.ts';

const OPEN_MS = 30_000;
const PROMPT_MS = 5_000;
/** A stopped line may hold its runspace for a moment after the target has said that it stopped. */
const BUSY_MS = 50;
const BUSY_TRIES = 20;
const CLOSE_MS = 2_000;
const MAX_LINE = 1024 * 1024;
const FALLBACK_PROMPT = 'PS>';
const MAX_PROMPT = 4096;
/** Of one kind. */
const MAX_WARNINGS = 2;

/** A session is not entered from within another one: PowerShell refuses it in words that lead nowhere. */
const ENTERS = /^(?:Enter-PSSession|etsn)(?=\s|$)/i;
const NOT_ENTERED =
  'No other machine can be entered from this session; the line was not run. Open that machine through the gateway ("Where to?" takes this very line), or run commands there from here: Invoke-Command -ComputerName NAME -Credential $using:vault:NAME { ... }, or with a credential of Get-Credential.';

/** What a PowerShell terminal needs. */
export interface PowerShellTerminalOptions {
  /** Makes the pool and what carries it. */
  readonly openPool: OpenPool;
  /** Called once, when the terminal has ended or did not open. */
  readonly closeConnection: () => Promise<void>;
  /** For `$using:vault:NAME` in a line. */
  readonly lend: LendCredentials;
  readonly targetName: string;
  readonly cols: number;
  readonly rows: number;
  readonly events: TerminalEvents;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Goes on with what was left, in place of opening anew. */
  readonly rejoin?: LeftTerminal;
}

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
  readonly #warnings = new Map<string, number>();
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
  #promptId: string | null = null;
  #cancelCompletion: (() => void) | null = null;
  readonly #ending: Ending;

  constructor(options: PowerShellTerminalOptions) {
    this.#options = options;
    this.#events = options.events;
    this.#size = { cols: options.cols, rows: options.rows };
    this.#output = new VtOutput((bytes) => this.#events.output(bytes));
    this.#progress = new ProgressBoard(options.clock, (items) => this.#events.progress(items));
    this.#link = new PoolLink({
      openPool: options.openPool,
      title: options.targetName,
      event: (event) => this.#event(event),
      batchDone: () => this.#output.flush(),
      lost: (code, detail, hop = '') => this.#ending.now({ reason: code, exitCode: null, detail, hop }),
    });
    this.#vault = new VaultValues(this.#link, options.lend);
    this.#jobs = new Jobs(this.#link, () =>
      this.#isResized ? consoleHostInfo({ ...this.#size, title: options.targetName }) : RUNSPACE_HOST,
    );
    this.#host = new HostUi(this.#hostPort());
    this.#ending = new Ending({
      link: this.#link,
      clock: options.clock,
      closeConnection: options.closeConnection,
      cleanUp: (isClean) => this.#cleanUp(isClean),
      ended: (end) => this.#events.ended(end),
    });
  }

  async open(): Promise<void> {
    const { signal, clock, closeConnection } = this.#options;
    try {
      const version = await this.#link.open(this.#size, { clock, ms: OPEN_MS, signal });
      this.#events.remote(version === null ? 'PowerShell' : `PowerShell ${visibleText(version, 40, false)}`);
    } catch (error) {
      this.#state = 'ended';
      await this.#link.closeChannel();
      await closeConnection();
      throw error;
    }
    this.#askPrompt();
  }

  // ---- Terminal

  input(): void {
    // Bytes have no meaning here: lines come through `submit`.
  }
  submit(lineId: number, text: string): void {
    if (this.#state !== 'idle') {
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
    if (line === '') {
      this.#echo(lineId, text);
      this.#askPrompt();
      return;
    }
    if (/^(?:clear|cls|clear-host)$/i.test(line)) {
      this.#echo(lineId, text);
      this.#events.clear();
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
  leave(): Promise<LeftTerminal> {
    return Promise.reject(new SallyportError('session_not_leavable', 'nothing to leave'));
  }
  async close(reason: ErrorCode, deadlineMs: number): Promise<void> {
    this.#leave({ reason, exitCode: null }, deadlineMs);
    await this.#ending.finished;
  }

  // ---- prompt

  /** @param tries how often it is asked again when the runspace is busy */
  #askPrompt(tries = 0): void {
    if (this.#isOver() || !this.#link.isOpen) return;
    this.#state = 'prompting';
    if (this.#commands !== null) {
      this.#showPrompt(FALLBACK_PROMPT);
      return;
    }
    let text: string | null = null;
    let isDone = false;
    const done = (prompt: string | null, isBare = false): void => {
      if (isDone) return;
      isDone = true;
      cancel();
      this.#promptId = null;
      // The pool may be on its way out: it takes no questions any more.
      if (this.#isOver() || !this.#link.isOpen) return;
      const show = (): void => this.#showPrompt(prompt === null || prompt === '' ? FALLBACK_PROMPT : prompt);
      // Without a prompt function it may be no console at all: that is found out before the person types.
      if (!isBare || this.#isExamined) show();
      if (!this.#isExamined) void this.#examine(isBare).then(() => (isBare ? show() : undefined));
    };
    const job = this.#jobs.start([{ command: 'prompt' }], {}, (event) => {
      if (event.type === 'output') text ??= displayText(event.value);
      else if (event.type !== 'pipelineState' || isDone) return;
      else if (tries > 0 && event.error?.reason === 'PSInvalidOperationException') {
        isDone = true;
        cancel();
        this.#promptId = null;
        this.#options.clock.after(BUSY_MS, () => this.#askPrompt(tries - 1));
      } else done(event.state === 'Completed' ? text : null, event.error?.reason === 'CommandNotFoundException');
    });
    const cancel = this.#options.clock.after(PROMPT_MS, () => {
      this.#jobs.stop(job);
      done(null);
    });
    this.#promptId = job;
    this.#link.send();
  }

  async #examine(isBare: boolean): Promise<void> {
    this.#isExamined = true;
    let cancel = (): void => undefined;
    const late = new Promise<Endpoint>((resolve) => {
      cancel = this.#options.clock.after(PROMPT_MS, () => resolve({ kind: 'full' }));
    });
    // The pool may go between two questions; then there is nothing to find out.
    const seen = examineEndpoint(this.#jobs, isBare, () => this.#link.send()).catch((): Endpoint => ({ kind: 'full' }));
    const endpoint = await Promise.race([seen, late]);
    cancel();
    if (endpoint.kind === 'restricted') this.#commands = endpoint.commands;
    if (endpoint.kind === 'not_interactive')
      this.#leave({ reason: 'endpoint_not_interactive', exitCode: null }, CLOSE_MS);
  }

  #showPrompt(text: string): void {
    if (this.#isOver()) return;
    this.#output.settle();
    this.#output.flush();
    this.#prompt = colouredText(`[${this.#options.targetName}]: ${text.slice(0, MAX_PROMPT)}`);
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
      command = await this.#events.commandStarting({ text: script, pipelineId, ...this.#link.ids });
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
    this.#state = 'running';
    this.#running = new RunningLine({
      text: typed,
      pipelineId,
      command,
      startBytes: this.#output.byteCount,
      clock: this.#options.clock,
      notice: (...words) => this.#events.notice(...words),
    });
    const options = { pipelineId, addToHistory: true, history: script, moreStatements };
    this.#jobs.start(withParameter(first, values), options, (event) => this.#lineEvent(event));
    this.#link.send();
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
    const isLost = this.#link.isBroken && error?.reason === 'PSRemotingTransportException';
    if (isLost) return;
    this.#progress.clear();
    if (state === 'Failed' && error?.reason === 'IncompleteParseException') this.#incomplete = running.text;
    else if (state === 'Failed') {
      running.errorCount += 1;
      this.#output.write(errorLine(error?.message ?? 'The command failed.'));
    }
    this.#commandEnded(state === 'Completed' ? 'completed' : state === 'Stopped' ? 'stopped' : 'failed');
    if (running.exitCode !== null) this.#leave({ reason: 'exited', exitCode: running.exitCode }, CLOSE_MS);
    else this.#askPrompt(state === 'Stopped' ? BUSY_TRIES : 0);
  }

  #commandEnded(state: CommandEnd['state']): void {
    const running = this.#running;
    if (running === null) return;
    this.#running = null;
    this.#output.settle();
    this.#output.flush();
    running.ended(state, this.#output.byteCount);
  }

  // ---- pipelines and events

  #event(event: ClientEvent): void {
    if (event.type === 'poolState') {
      this.#poolState(event.state, event.error?.message ?? '');
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

  #poolState(state: string, detail: string): void {
    if (state === 'Closed') this.#ending.now({ reason: 'target_closed', exitCode: null, detail: '' });
    else if (state === 'Broken')
      this.#ending.now({ reason: 'target_lost', exitCode: null, detail: visibleText(detail, 4000) });
  }

  // ---- the host

  #hostPort(): ConstructorParameters<typeof HostUi>[0] {
    return {
      targetName: this.#options.targetName,
      output: this.#output,
      progress: this.#progress,
      size: () => this.#size,
      respond: (call, answer) => this.#link.respond(call, answer),
      ask: (question, signal) => this.#events.ask(question, signal),
      seal: (text, signal) => this.#link.seal(text, signal),
      title: (text) => this.#events.title(text),
      clear: () => {
        this.#output.flush();
        this.#events.clear();
      },
      errorShown: () => {
        if (this.#running !== null) this.#running.errorCount += 1;
      },
      leave: (exitCode) => {
        // PopRunspace after SetShouldExit does not take its code back.
        if (this.#running !== null) this.#running.exitCode ??= exitCode;
      },
      stop: (pipelineId) => {
        if (pipelineId !== null && pipelineId === this.#running?.pipelineId) this.stop();
        else if (pipelineId !== null) this.#jobs.stop(pipelineId);
      },
      warn: (code, text) => this.#warn(code, text),
    };
  }
  /** A target may provoke a warning as often as it likes; twice is enough. */
  #warn(code: string, text: string): void {
    const count = (this.#warnings.get(code) ?? 0) + 1;
    this.#warnings.set(code, count);
    if (count <= MAX_WARNINGS) this.#events.notice('warning', code, text);
  }

  // ---- the end

  #leave(closing: { reason: ErrorCode; exitCode: number | null }, deadlineMs: number): void {
    if (this.#isOver()) return;
    this.#jobs.abortAll();
    this.#ending.leave(closing, deadlineMs);
  }

  #cleanUp(isClean: boolean): void {
    this.#state = 'ended';
    this.#cancelCompletion?.();
    this.#jobs.clear();
    this.#progress.clear();
    this.#commandEnded(isClean ? 'stopped' : 'lost');
    this.#output.flush();
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
