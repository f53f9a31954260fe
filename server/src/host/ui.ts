/** The host of a remote runspace: every call is answered or shown, none is met with silence. psrp.md section 8. */
import { randomUUID } from 'node:crypto';
import { PropertySet, PsObject, PsVersion, withTypes } from '@sallyport/psrp';
import type {
  Credential,
  HostAnswer,
  HostCall,
  HostCallOf,
  HostMethodName,
  PsSecureString,
  PsValue,
} from '@sallyport/psrp';
import type { Answer, NewQuestion } from '@sallyport/shared/wire/questions';
import { printableText, visibleText } from '@sallyport/shared/terminal-output/visible-text';
import { toError } from '../errors.ts';
import type { ProgressBoard } from './progress.ts';
import * as questions from './questions.ts';
import { consoleColours, errorLine, noteLine, terminalText, textLine } from './vt.ts';
import type { VtOutput } from './vt.ts';

const NOT_IMPLEMENTED = 11;
const READ_KEY_NO_ECHO = 2;
const READ_KEY_DOWN = 4;
const MAX_TITLE = 200;
/** The first line of an error as every PowerShell writes it: `Get-Item: Cannot find`, `Get-Item : Cannot find`. */
const ERROR_START = /^[^\s|:]+ ?: /;

/** What the host needs of its terminal. */
export interface HostPort {
  readonly targetName: string;
  readonly output: VtOutput;
  readonly progress: ProgressBoard;
  size(): { cols: number; rows: number };
  respond<M extends HostMethodName>(call: HostCallOf<M>, answer: HostAnswer<M>): void;
  /** Rejects with an AbortError when the call has ended on the target. */
  ask(question: NewQuestion, signal: AbortSignal): Promise<Answer>;
  /** Seals a text; makes the session key first where there is none. */
  seal(text: string, signal: AbortSignal): Promise<PsSecureString>;
  title(text: string): void;
  clear(): void;
  errorShown(): void;
  /** The script leaves: SetShouldExit, PopRunspace. */
  leave(exitCode: number): void;
  /** A question was set aside: stop what asked. */
  stop(pipelineId: string | null): void;
  warn(code: string, text: string): void;
}

/** Answers the host calls of one terminal. */
export class HostUi {
  readonly #port: HostPort;
  readonly #instanceId = randomUUID();
  #title = '';
  /** The pipeline whose error is being written, line by line; null when something else was written since. */
  #errorOf: string | null = null;
  #isLossTold = false;

  constructor(port: HostPort) {
    this.#port = port;
  }

  /** Shows or answers a call. Never rejects. @param signal fires when the pipeline of the call is over */
  async answer(call: HostCall, signal: AbortSignal): Promise<void> {
    if (this.#show(call) || this.#get(call)) return;
    try {
      if (!(await this.#ask(call, signal))) this.#refuse(call, `${call.method} is not possible here`);
    } catch (error) {
      if (!signal.aborted) this.#refuse(call, toError(error).message);
    }
  }

  #refuse(call: HostCall, message: string): void {
    if (!call.expectsAnswer) return;
    const error = { message, category: NOT_IMPLEMENTED, reason: 'NotImplementedException' };
    this.#port.respond<HostMethodName>(call, { error });
  }

  /** Calls that nobody waits for. */
  #show(call: HostCall): boolean {
    if (call.expectsAnswer) return false;
    const { output, progress } = this.#port;
    if ('text' in call.parameters) this.#tellLoss(call.parameters.text);
    const errorOf = this.#errorOf;
    if (call.method !== 'WriteProgress') this.#errorOf = null;
    switch (call.method) {
      case 'Write1':
        output.write(terminalText(call.parameters.text));
        break;
      case 'Write2':
        output.write(consoleColours(call.parameters.foreground, call.parameters.background, call.parameters.text));
        break;
      case 'WriteLine1':
        output.write('\r\n');
        break;
      case 'WriteLine2':
        output.write(textLine(call.parameters.text));
        break;
      case 'WriteLine3': {
        const { foreground, background, text } = call.parameters;
        output.write(`${consoleColours(foreground, background, text)}\r\n`);
        break;
      }
      case 'WriteErrorLine':
        output.write(errorLine(call.parameters.text));
        this.#errorOf = call.pipelineId;
        if (errorOf === null || errorOf !== call.pipelineId || ERROR_START.test(call.parameters.text))
          this.#port.errorShown();
        break;
      case 'WriteDebugLine':
        output.write(noteLine('DEBUG', call.parameters.text));
        break;
      case 'WriteVerboseLine':
        output.write(noteLine('VERBOSE', call.parameters.text));
        break;
      case 'WriteWarningLine':
        output.write(noteLine('WARNING', call.parameters.text));
        break;
      case 'WriteProgress':
        progress.update(call.parameters.sourceId, call.parameters.record);
        break;
      default:
        this.#act(call);
    }
    return true;
  }

  /** U+FFFD stands for bytes that the target could not read in its code page: shown as it came, with one hint. */
  #tellLoss(text: string): void {
    if (this.#isLossTold || !text.includes('\ufffd')) return;
    this.#isLossTold = true;
    this.#port.warn(
      'text_lost',
      'Some characters were lost at the target: a program there writes in another encoding than PowerShell reads ([Console]::OutputEncoding).',
    );
  }

  #act(call: HostCall): void {
    const port = this.#port;
    switch (call.method) {
      case 'SetShouldExit':
        port.leave(call.parameters.exitCode);
        return;
      case 'PopRunspace':
        port.leave(0);
        return;
      case 'SetWindowTitle':
        this.#title = printableText(call.parameters.title, MAX_TITLE);
        port.title(this.#title);
        return;
      case 'SetBufferContents1': {
        const { left, top, right, bottom } = call.parameters.rectangle;
        if ([left, top, right, bottom].every((edge) => edge === -1)) port.clear();
        return;
      }
      case 'EnterNestedPrompt':
      case 'PushRunspace':
        port.warn('not_supported', `${call.method} is not possible in this console.`);
        return;
      default:
        // Cursor, window and colour settings: the page keeps its own.
        return;
    }
  }

  /** Calls with an answer that is known. */
  #get(call: HostCall): boolean {
    const port = this.#port;
    const { cols, rows } = port.size();
    const size = { width: cols, height: rows };
    const origin = { x: 0, y: 0 };
    switch (call.method) {
      case 'GetName':
      case 'GetWindowTitle':
      case 'GetCurrentCulture':
      case 'GetCurrentUICulture': {
        const text = { GetName: 'Sallyport', GetWindowTitle: this.#title };
        const result = call.method in text ? text[call.method as keyof typeof text] : 'en-US';
        port.respond<'GetName' | 'GetWindowTitle' | 'GetCurrentCulture' | 'GetCurrentUICulture'>(call, { result });
        return true;
      }
      case 'GetVersion':
        port.respond<'GetVersion'>(call, { result: new PsVersion(0, 1) });
        return true;
      case 'GetInstanceId':
        port.respond<'GetInstanceId'>(call, { result: this.#instanceId });
        return true;
      case 'GetForegroundColor':
        port.respond<'GetForegroundColor'>(call, { result: 7 });
        return true;
      case 'GetBackgroundColor':
        port.respond<'GetBackgroundColor'>(call, { result: 0 });
        return true;
      case 'GetCursorSize':
        port.respond<'GetCursorSize'>(call, { result: 25 });
        return true;
      case 'GetCursorPosition':
      case 'GetWindowPosition':
        port.respond<'GetCursorPosition' | 'GetWindowPosition'>(call, { result: origin });
        return true;
      case 'GetBufferSize':
      case 'GetWindowSize':
      case 'GetMaxWindowSize':
      case 'GetMaxPhysicalWindowSize':
        port.respond<'GetBufferSize' | 'GetWindowSize'>(call as HostCallOf<'GetBufferSize' | 'GetWindowSize'>, {
          result: size,
        });
        return true;
      case 'GetKeyAvailable':
        port.respond<'GetKeyAvailable'>(call, { result: false });
        return true;
      case 'GetIsRunspacePushed':
        port.respond<'GetIsRunspacePushed'>(call, { result: true });
        return true;
      default:
        return false;
    }
  }

  /** @returns false when the call asks for nothing that a person could give */
  async #ask(call: HostCall, signal: AbortSignal): Promise<boolean> {
    const port = this.#port;
    switch (call.method) {
      case 'ReadLine':
      case 'ReadLineAsSecureString': {
        const secure = call.method === 'ReadLineAsSecureString';
        const answer = await this.#put(call, { ...this.#from, kind: 'line', prompt: '', secure }, signal);
        if (answer === null) return true;
        if (answer.kind !== 'text') return false;
        port.output.write(textLine(secure ? '********' : visibleText(answer.text, 16_000, false)));
        if (call.method === 'ReadLine') port.respond<'ReadLine'>(call, { result: answer.text });
        else port.respond<'ReadLineAsSecureString'>(call, { result: await port.seal(answer.text, signal) });
        return true;
      }
      case 'Prompt':
        return this.#prompt(call, signal);
      case 'PromptForCredential1':
      case 'PromptForCredential2': {
        const answer = await this.#put(call, questions.credentialQuestion(this.#from, call.parameters), signal);
        if (answer === null) return true;
        const result =
          answer.kind === 'credential' ? await this.#credential(answer.user, answer.password, signal) : null;
        port.respond<'PromptForCredential1' | 'PromptForCredential2'>(call, { result });
        return true;
      }
      case 'PromptForChoice':
      case 'PromptForChoiceMultipleSelection':
        return this.#choice(call, signal);
      case 'ReadKey':
        return this.#key(call, signal);
      case 'GetBufferContents':
        port.warn('screen_refused', 'The target asked for the contents of the screen. It was not given.');
        return false;
      default:
        return false;
    }
  }

  get #from(): { from: 'target'; fromName: string } {
    return { from: 'target', fromName: this.#port.targetName };
  }

  /** @returns null when the question was set aside: its pipeline is stopped */
  async #put(call: HostCall, question: NewQuestion, signal: AbortSignal): Promise<Answer | null> {
    const { output } = this.#port;
    output.flush();
    const answer = await this.#port.ask(question, signal);
    signal.throwIfAborted();
    if (answer.kind !== 'cancel') return answer;
    if (question.kind === 'credential') return answer;
    this.#port.stop(call.pipelineId);
    if (call.pipelineId === null) this.#refuse(call, 'the question was set aside');
    return null;
  }

  async #credential(user: string, password: string, signal: AbortSignal): Promise<Credential> {
    return { userName: user, password: await this.#port.seal(password, signal) };
  }

  async #prompt(call: HostCallOf<'Prompt'>, signal: AbortSignal): Promise<boolean> {
    const port = this.#port;
    const answer = await this.#put(call, questions.promptQuestion(this.#from, call.parameters), signal);
    if (answer === null) return true;
    for (const line of questions.promptEcho(call.parameters, answer)) port.output.write(textLine(line));
    const sealed = new Map<string, PsSecureString>();
    if (questions.needsKey(call.parameters)) {
      for (const secret of secretsOf(answer)) sealed.set(secret, await port.seal(secret, signal));
    }
    const seal = (text: string): PsSecureString => {
      const value = sealed.get(text);
      if (value === undefined) throw new Error('a secret was not sealed');
      return value;
    };
    const sealCredential = (user: string, password: string): PsValue => credentialObject(user, seal(password));
    const result = questions.promptResult(call.parameters, answer, seal, sealCredential);
    if (result === null) return false;
    port.respond<'Prompt'>(call, { result });
    return true;
  }

  async #choice(
    call: HostCallOf<'PromptForChoice'> | HostCallOf<'PromptForChoiceMultipleSelection'>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const port = this.#port;
    const multiple = call.method === 'PromptForChoiceMultipleSelection';
    const defaults = multiple ? (call.parameters.defaultChoices ?? []) : [call.parameters.defaultChoice];
    const question = questions.choiceQuestion(this.#from, call.parameters, defaults, multiple);
    const answer = await this.#put(call, question, signal);
    if (answer === null) return true;
    if (answer.kind !== 'choice') return false;
    const { choices } = call.parameters;
    const indexes = answer.indexes.length === 0 ? defaults : answer.indexes;
    const labels = indexes.map((index) => choices[index]?.label.replace('&', ''));
    if (labels.includes(undefined) || (!multiple && indexes.length !== 1)) return false;
    const words = [call.parameters.caption, call.parameters.message].filter((text) => text !== '');
    for (const line of [...words, labels.join(', ')]) port.output.write(textLine(visibleText(line, 4000)));
    if (call.method === 'PromptForChoiceMultipleSelection')
      port.respond<'PromptForChoiceMultipleSelection'>(call, { result: indexes });
    else port.respond<'PromptForChoice'>(call, { result: indexes[0] ?? 0 });
    return true;
  }

  async #key(call: HostCallOf<'ReadKey'>, signal: AbortSignal): Promise<boolean> {
    const noEcho = (call.parameters.options & READ_KEY_NO_ECHO) !== 0;
    const answer = await this.#put(call, { ...this.#from, kind: 'key', noEcho }, signal);
    if (answer === null) return true;
    if (answer.kind !== 'key') return false;
    const character = answer.character === 0 ? '' : String.fromCharCode(answer.character);
    if (!noEcho) this.#port.output.write(terminalText(character));
    const { virtualKeyCode, controlKeyState } = answer;
    const keyDown = (call.parameters.options & READ_KEY_DOWN) !== 0;
    this.#port.respond<'ReadKey'>(call, { result: { virtualKeyCode, character, controlKeyState, keyDown } });
    return true;
  }
}

function credentialObject(user: string, password: PsSecureString): PsObject {
  const type = 'System.Management.Automation.PSCredential';
  const object = withTypes(new PsObject(), [type, 'System.Object'], type);
  object.adapted = PropertySet.of<PsValue>([
    ['UserName', user],
    ['Password', password],
  ]);
  return object;
}

/** Every text of an answer that may have to be sealed; the empty one stands for what was left out. */
function secretsOf(answer: Answer): string[] {
  if (answer.kind === 'text') return [answer.text];
  if (answer.kind !== 'fields') return [''];
  const texts = answer.values.map((value) =>
    typeof value === 'string'
      ? value
      : value !== null && typeof value === 'object' && 'user' in value
        ? value.password
        : '',
  );
  return [...texts, ''];
}
