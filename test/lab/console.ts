import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type {
  Answer,
  CommandEnd,
  CommandStart,
  LeftTerminal,
  NewQuestion,
  RunningCommand,
  Terminal,
  TerminalEnd,
  TerminalEvents,
} from '../../server/src/terminals/contract.ts';
import { SallyportError } from '../../server/src/errors.ts';
import { Secret } from '../../server/src/secret.ts';
import type { LendCredentials, Lending } from '../../server/src/terminals/powershell/using.ts';
import type { ProgressItem } from '@sallyport/shared/wire/control';

/** How long a test waits before it says what it saw instead. */
const WAIT_MS = 60_000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
/** Bytes of buffers that somebody still holds: what is only not collected yet does not count. */
export function memoryInUse(): number {
  collectGarbage();
  collectGarbage(); // What the first one found is given back by the second.
  return process.memoryUsage().external;
}

/** A person at a console, and the broker behind it: keeps what the terminal tells, answers from a list, lets a test wait. */
export class LabConsole implements TerminalEvents {
  /** Everything shown; the echo of an accepted line is marked `<echo>`. */
  text = '';
  bytes = 0;
  lineId = 0;
  promptText = '';
  remoteText = '';
  clears = 0;
  readonly titles: string[] = [];
  readonly incompletes: string[] = [];
  readonly refusals: string[] = [];
  readonly notices: string[] = [];
  readonly started: CommandStart[] = [];
  /** Pipelines that went on after the terminal was picked up. */
  readonly continued: string[] = [];
  readonly ends: CommandEnd[] = [];
  /** What there is to go on with; undefined = not told. */
  left: LeftTerminal | null | undefined = undefined;
  readonly questions: NewQuestion[] = [];
  /** Taken in turn; without one a question waits until its pipeline is over. */
  answers: Answer[] = [];
  progressSeen: (readonly ProgressItem[])[] = [];
  end: TerminalEnd | null = null;
  terminal: Terminal | null = null;
  /** What commands may have of the vault: names in lower case, with user and password. */
  vault = new Map<string, readonly [string, string]>();
  readonly lent: Lending[] = [];
  #watchers = new Set<() => void>();

  /** Resolves when `check` holds; rejects with what was seen when the session ended before, or after a minute. */
  until(check: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
      };
      const fail = (why: string): void => {
        finish();
        const { end, questions, notices } = this;
        reject(new Error(`${why}: ${JSON.stringify({ text: this.text.slice(-1500), end, questions, notices })}`));
      };
      const look = (): void => {
        if (check()) {
          finish();
          resolve();
        } else if (this.end !== null) fail('the session ended first');
      };
      const timer = setTimeout(() => fail('not seen in time'), WAIT_MS);
      this.#watchers.add(look);
      look();
    });
  }

  /** Begins anew with the same terminal, at its prompt: all that was seen and given is forgotten. */
  forget(): void {
    const { lineId, promptText, remoteText, terminal } = this;
    Object.assign(this, new LabConsole(), { lineId, promptText, remoteText, terminal });
  }

  /** Runs a line up to the next prompt. @returns what it showed after its echo */
  async run(line: string): Promise<string> {
    const { lineId } = this;
    const from = this.text.length;
    this.submit(line);
    await this.until(() => this.lineId > lineId);
    return this.text.slice(from).replace(/^<echo>[^\n]*\n/, '');
  }
  submit(line: string): void {
    this.terminal?.submit(this.lineId, line);
  }

  output(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.text += Buffer.from(bytes).toString();
    this.#changed();
  }
  echo(_lineId: number, bytes: Uint8Array): void {
    this.text += `<echo>${Buffer.from(bytes).toString()}`;
    this.#changed();
  }
  prompt(lineId: number, text: string): void {
    this.lineId = lineId;
    this.promptText = text;
    this.#changed();
  }
  refused(_lineId: number, code: string): void {
    this.refusals.push(code);
    this.#changed();
  }
  incomplete(_lineId: number, text: string): void {
    this.incompletes.push(text);
    this.#changed();
  }
  commandStarting(start: CommandStart): Promise<RunningCommand> {
    this.started.push(start);
    return Promise.resolve(this.#row());
  }
  commandContinuing({ pipelineId }: Pick<CommandStart, 'pipelineId'>): RunningCommand {
    this.continued.push(pipelineId);
    return this.#row();
  }
  #row(): RunningCommand {
    return {
      ended: (end) => {
        this.ends.push(end);
        this.#changed();
      },
      stopping: () => undefined,
    };
  }
  leavable(left: LeftTerminal | null): void {
    this.left = left;
    this.#changed();
  }
  readonly lend: LendCredentials = (names, line) => {
    const found = names.map((name) => this.vault.get(name));
    if (found.includes(undefined)) return Promise.reject(new SallyportError('using_unknown', names.join()));
    this.lent.push(line);
    return Promise.resolve(found.map(([userName, secret] = ['', '']) => ({ userName, password: new Secret(secret) })));
  };
  ask(question: NewQuestion, signal: AbortSignal): Promise<Answer> {
    this.questions.push(question);
    const answer = this.answers.shift();
    this.#changed();
    if (answer !== undefined) return Promise.resolve(answer);
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new DOMException('over', 'AbortError')), { once: true });
    });
  }
  progress(items: readonly ProgressItem[]): void {
    this.progressSeen.push(items);
    this.#changed();
  }
  title(text: string): void {
    this.titles.push(text);
    this.#changed();
  }
  clear(): void {
    this.clears += 1;
    this.text += '<clear>';
    this.#changed();
  }
  notice(_level: 'info' | 'warning', code: string, text: string): void {
    this.notices.push(`${code}: ${text}`);
    this.#changed();
  }
  remote(text: string): void {
    this.remoteText = text;
  }
  ended(end: TerminalEnd): void {
    if (this.end !== null) throw new Error('ended twice');
    this.end = end;
    this.#changed();
  }
  #changed(): void {
    for (const look of [...this.#watchers]) look();
  }
}
