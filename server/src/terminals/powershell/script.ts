/**
 * One script at a target, for a program and not for a person: nobody answers questions, streams stay apart, the session
 * ends with the script. Everything told is terminal output as well, so it is recorded like a console. interactive.md 2.2, 16.
 */
import type { InvokeEvent } from '@sallyport/shared/api/invoke';
import { plainEcho } from '@sallyport/shared/editor/plain-echo';
import { colouredText, visibleText } from '@sallyport/shared/terminal-output/visible-text';
import { consoleHostInfo, displayText, RUNSPACE_HOST, typedLineCommands } from '@sallyport/psrp';
import type { ClientEvent, CommandParameter, HostCall, PsValue } from '@sallyport/psrp';
import { randomUUID } from 'node:crypto';
import { codeOf, SallyportError } from '../../errors.ts';
import { ProgressBoard } from '../../host/progress.ts';
import { HostUi } from '../../host/ui.ts';
import { consoleColours, errorLine, textLine, VtOutput } from '../../host/vt.ts';
import type { CommandEnd, LeftTerminal, Terminal } from '../contract.ts';
import { NO_MATCHES } from './completion.ts';
import type { Completion } from './completion.ts';
import { CONTINUE, isDebuggerStop } from './debugger.ts';
import { Ending } from './ending.ts';
import { PoolLink } from './pool-link.ts';
import { plainValue } from './plain-value.ts';
import { RunningLine } from './running-line.ts';
import type { PowerShellTerminalOptions } from './terminal-options.ts';
import { refusalDetail, VaultValues, withParameter } from './using.ts';

const OPEN_MS = 30_000;
const CLOSE_MS = 2_000;
/** For a script beyond its time to stop. */
const STOP_MS = 5_000;

/** What a script gives besides its end. */
export type ScriptEvent = Exclude<InvokeEvent, { type: 'started' | 'ended' }>;
/** How a script ended. */
export interface ScriptEnd {
  readonly state: CommandEnd['state'];
  readonly exitCode: number;
  readonly isTimedOut: boolean;
}
export interface ScriptOptions extends PowerShellTerminalOptions {
  readonly script: string;
  readonly output: 'text' | 'json';
  readonly timeoutMs: number;
  /** In order. @param until bytes of terminal output up to the end of this event: not to be shown before those are recorded */
  told(event: ScriptEvent, until: number): void;
  /** Called before `events.ended`, once the script was started. */
  scriptEnded(end: ScriptEnd): void;
}

const plainText = (text: string): string => colouredText(text).replace(/\x1b\[[0-9;:]*m/g, '');

/** What a script writes through its host, with its stream; null for what shows no text. */
function written(call: HostCall): { stream: 'host' | 'error' | 'debug' | 'verbose' | 'warning'; text: string } | null {
  switch (call.method) {
    case 'Write1':
      return { stream: 'host', text: colouredText(call.parameters.text) };
    case 'WriteLine1':
      return { stream: 'host', text: '\n' };
    case 'WriteLine2':
      return { stream: 'host', text: `${colouredText(call.parameters.text)}\n` };
    case 'Write2':
    case 'WriteLine3': {
      const { foreground, background, text } = call.parameters;
      const shown = consoleColours(foreground, background, text).replaceAll('\r\n', '\n');
      return { stream: 'host', text: call.method === 'Write2' ? shown : `${shown}\n` };
    }
    case 'WriteErrorLine':
      return { stream: 'error', text: plainText(call.parameters.text) };
    case 'WriteDebugLine':
      return { stream: 'debug', text: plainText(call.parameters.text) };
    case 'WriteVerboseLine':
      return { stream: 'verbose', text: plainText(call.parameters.text) };
    case 'WriteWarningLine':
      return { stream: 'warning', text: plainText(call.parameters.text) };
    default:
      return null;
  }
}

class ScriptTerminal implements Terminal {
  readonly kind = 'powershell';
  readonly #options: ScriptOptions;
  readonly #link: PoolLink;
  readonly #output: VtOutput;
  readonly #progress: ProgressBoard;
  readonly #host: HostUi;
  readonly #ending: Ending;
  readonly #vault: VaultValues;
  readonly #calls = new AbortController();
  #running: RunningLine | null = null;
  #pending: ScriptEvent[] = [];
  #echoBytes = 0;
  #hostLine = '';
  #progressText = '';
  #isTimedOut = false;
  #cancelTimers: (() => void)[] = [];

  constructor(options: ScriptOptions) {
    this.#options = options;
    const { events, clock } = options;
    this.#output = new VtOutput((bytes) => events.output(bytes));
    this.#progress = new ProgressBoard(clock, (items) => {
      events.progress(items);
      const [item] = items;
      if (item !== undefined) this.#tellProgress(`${item.activity}: ${item.status}`.trim());
    });
    this.#link = new PoolLink({
      openPool: options.openPool,
      title: options.targetName,
      event: (event) => this.#event(event),
      batchDone: () => this.#flush(),
      // Nobody comes back for a script.
      lost: (end) => {
        this.#ending.now(end.reason === 'session_left' ? { ...end, reason: 'target_lost', explanation: '' } : end);
      },
    });
    this.#vault = new VaultValues(this.#link, options.lend);
    this.#ending = new Ending({
      link: this.#link,
      clock,
      closeConnection: options.closeConnection,
      cleanUp: (what) => this.#done(what === 'stopped' ? 'stopped' : 'lost'),
      ended: (end) => events.ended(end),
    });
    this.#host = new HostUi(this.#hostPort());
  }

  async open(): Promise<void> {
    const { signal, clock, closeConnection, cols, rows, events } = this.#options;
    try {
      const version = await this.#link.open({ cols, rows }, { clock, ms: OPEN_MS, signal });
      events.remote(version === null ? 'PowerShell' : `PowerShell ${visibleText(version, 40, false)}`);
    } catch (error) {
      await this.#link.closeChannel();
      await closeConnection();
      throw error;
    }
    void this.#run();
  }

  // ---- Terminal

  input(): void {
    // Nobody types here.
  }
  submit(lineId: number): void {
    this.#options.events.refused(lineId, 'session_busy', 'this session runs one script and takes no lines');
  }
  complete(): Promise<Completion> {
    return Promise.resolve(NO_MATCHES);
  }
  stop(): void {
    const running = this.#running;
    running?.stop(() => {
      this.#calls.abort();
      this.#link.stop(running.pipelineId);
    });
  }
  resize(): void {
    // The script was started with its width.
  }
  pause(): void {
    this.#link.pause();
  }
  resume(): void {
    this.#link.resume();
  }
  leave(): Promise<LeftTerminal> {
    return Promise.reject(new SallyportError('session_not_leavable', 'a script is not left, it ends'));
  }
  async close(reason: Parameters<Terminal['close']>[0], deadlineMs: number): Promise<void> {
    this.#calls.abort();
    this.#ending.leave({ reason, exitCode: null }, deadlineMs);
    await this.#ending.finished;
  }

  // ---- the script

  async #run(): Promise<void> {
    const { script, events, output, targetName, clock, timeoutMs, cols, rows } = this.#options;
    const pipelineId = randomUUID();
    let values: CommandParameter | null;
    try {
      values = await this.#vault.parameterOf(script, pipelineId);
      const command = await events.commandStarting({ text: script, pipelineId, ...this.#link.ids });
      if (this.#ending.isOver) {
        command.ended({ state: 'lost', errorCount: 0, outputBytes: 0 });
        return;
      }
      const echo = new TextEncoder().encode(plainEcho(`[${targetName}]: PS> `, script));
      this.#echoBytes = echo.length;
      events.echo(1, echo);
      const notice = (...words: Parameters<typeof events.notice>): void => events.notice(...words);
      this.#running = new RunningLine({ text: script, pipelineId, command, startBytes: 0, clock, notice });
    } catch (error) {
      this.#ending.now({ reason: codeOf(error), exitCode: null, detail: refusalDetail(error) });
      return;
    }
    const isText = output === 'text';
    this.#link.createPipeline({
      commands: withParameter(isText ? typedLineCommands(script) : [{ command: script, isScript: true }], values),
      redirectErrors: !isText,
      pipelineId,
      addToHistory: true,
      history: script,
      hostInfo: isText ? consoleHostInfo({ cols, rows, title: targetName }) : RUNSPACE_HOST,
    });
    this.#cancelTimers = [clock.after(timeoutMs, () => this.#late())];
    this.#link.send();
  }

  #late(): void {
    this.#isTimedOut = true;
    this.stop();
    const cut = (): void => this.#ending.leave({ reason: 'target_timeout', exitCode: 1 }, CLOSE_MS);
    this.#cancelTimers.push(this.#options.clock.after(STOP_MS, cut));
  }

  #event(event: ClientEvent): void {
    if (event.type === 'poolState') {
      if (event.state === 'Closed') this.#ending.now({ reason: 'target_closed', exitCode: null, detail: '' });
      return;
    }
    if (event.type === 'hostCall') {
      this.#shown(event.call);
      void this.#host.answer(event.call, this.#calls.signal).then(() => this.#flush());
      return;
    }
    if (isDebuggerStop(event) && this.#link.isOpen) this.#link.createPipeline({ commands: CONTINUE, isNested: true });
    const running = this.#running;
    if (running === null || !('pipelineId' in event) || event.pipelineId !== running.pipelineId) return;
    if (event.type === 'output') this.#object(event.value);
    else if (event.type === 'error') {
      running.errorCount += 1;
      const { activity, message } = event.record;
      this.#error(activity === '' ? message : `${activity}: ${message}`);
    } else if (event.type === 'pipelineState') this.#state(running, event);
  }

  #state(running: RunningLine, { state, error }: Extract<ClientEvent, { type: 'pipelineState' }>): void {
    if (!['Completed', 'Failed', 'Stopped'].includes(state)) return;
    if (this.#link.isBroken) return;
    this.#link.closePipeline(running.pipelineId);
    if (state === 'Failed') {
      running.errorCount += 1;
      this.#error(error?.message ?? 'The script failed.');
    }
    const isFailed = state !== 'Completed' || running.errorCount > 0;
    const exitCode = running.exitCode ?? (isFailed ? 1 : 0);
    this.#done(state === 'Completed' ? 'completed' : state === 'Stopped' ? 'stopped' : 'failed', exitCode);
    this.#ending.leave({ reason: this.#isTimedOut ? 'target_timeout' : 'exited', exitCode }, CLOSE_MS);
  }

  /** Told once, whatever comes first. */
  #done(state: CommandEnd['state'], exitCode = 1): void {
    this.#calls.abort();
    for (const cancel of this.#cancelTimers) cancel();
    const running = this.#running;
    if (running === null) return;
    this.#running = null;
    this.#progress.clear();
    if (this.#hostLine !== '') this.#tellHostText('\n');
    this.#output.settle();
    this.#flush();
    running.ended(state, this.#output.byteCount);
    this.#options.scriptEnded({ state, exitCode, isTimedOut: this.#isTimedOut });
  }

  // ---- what it shows

  #object(value: PsValue): void {
    if (this.#options.output === 'json') {
      const event: ScriptEvent = { type: 'object', value: plainValue(value) };
      this.#pending.push(event);
      this.#output.write(textLine(JSON.stringify(event.value)));
      return;
    }
    // Out-Default leaves nothing over, unless the endpoint has one of its own.
    const text = colouredText(displayText(value));
    this.#pending.push({ type: 'text', text: `${text}\n` });
    this.#output.write(textLine(text));
  }
  #error(text: string): void {
    this.#pending.push({ type: 'stream', stream: 'error', text: plainText(text) });
    this.#output.write(errorLine(text));
  }
  #shown(call: HostCall): void {
    const shown = written(call);
    if (shown === null) return;
    if (shown.stream !== 'host') this.#pending.push({ type: 'stream', stream: shown.stream, text: shown.text });
    else if (this.#options.output === 'text') this.#pending.push({ type: 'text', text: shown.text });
    else this.#tellHostText(shown.text);
  }
  /** Beside objects the host's text is a stream of lines. */
  #tellHostText(text: string): void {
    const lines = `${this.#hostLine}${plainText(text)}`.split('\n');
    this.#hostLine = lines.pop() ?? '';
    for (const line of lines) this.#pending.push({ type: 'stream', stream: 'information', text: line });
  }
  #tellProgress(text: string): void {
    if (text === this.#progressText) return;
    this.#progressText = text;
    this.#pending.push({ type: 'stream', stream: 'progress', text });
    this.#flush();
  }
  #flush(): void {
    this.#output.flush();
    const until = this.#echoBytes + this.#output.byteCount;
    for (const event of this.#pending.splice(0)) this.#options.told(event, until);
  }

  #hostPort(): ConstructorParameters<typeof HostUi>[0] {
    const { targetName, events, cols, rows } = this.#options;
    return {
      targetName,
      output: this.#output,
      progress: this.#progress,
      size: () => ({ cols, rows }),
      respond: (call, answer) => this.#link.respond(call, answer),
      ask: () => Promise.reject(new SallyportError('bad_state', 'the host is not interactive')),
      seal: (text, signal) => this.#link.seal(text, signal),
      title: (text) => events.title(text),
      clear: () => undefined,
      errorShown: () => {
        if (this.#running !== null) this.#running.errorCount += 1;
      },
      leave: (exitCode) => {
        if (this.#running !== null) this.#running.exitCode ??= exitCode;
      },
      stop: () => this.stop(),
      warn: (code, text) => events.notice('warning', code, text),
    };
  }
}

/**
 * Opens a runspace and starts the script; resolves when the runspace is open. The terminal owns the connection.
 * @throws SallyportError as `openPowerShellTerminal`
 */
export async function openScriptTerminal(options: ScriptOptions): Promise<Terminal> {
  if (options.signal.aborted) throw new SallyportError('cancelled', 'opening was cancelled');
  const terminal = new ScriptTerminal(options);
  await terminal.open();
  return terminal;
}
