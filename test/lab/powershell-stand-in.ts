/**
 * A peer that speaks the server's role of PSRP and replays what the captures show for a handful of lines, for machines
 * without pwsh. A test tool, not a PowerShell. As a program it serves its standard input and output, as sshd's
 * subsystem does it.
 */
import { constants, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import {
  bag,
  displayText,
  encodeError,
  encodeInformational,
  enumValue,
  list,
  OutOfProcServer,
  primitiveDictionary,
  PsVersion,
  withTypes,
} from '@sallyport/psrp';
import type {
  HostMethodName,
  HostParameters,
  HostResult,
  NewError,
  OutOfProcServerEvent,
  PipelineCommand,
  PublicKey,
} from '@sallyport/psrp';
import { sessionCipher } from '../../server/src/terminals/powershell/session-key.ts';

/** What its prompt function gives. */
export const STAND_IN_PROMPT = 'PS /home/alice> ';

/** One pipeline that runs. */
class Run {
  readonly id: string;
  readonly #standIn: StandIn;
  isOver = false;
  constructor(standIn: StandIn, id: string) {
    this.#standIn = standIn;
    this.id = id;
  }
  get pool() {
    return this.#standIn.server.pool;
  }
  call<M extends HostMethodName>(method: M, parameters: HostParameters<M>): bigint | null {
    return this.pool.callHost(this.id, method, parameters);
  }
  /** Resolves with the answer; rejects with the words of a refusal; never when the pipeline is stopped first. */
  ask<M extends HostMethodName>(method: M, parameters: HostParameters<M>): Promise<HostResult<M> | null> {
    const callId = this.call(method, parameters);
    this.#standIn.flush();
    return new Promise((resolve, reject) => {
      this.#standIn.answers.set(`${this.id}/${String(callId)}`, (result, refusal) =>
        refusal === null ? resolve(result as HostResult<M> | null) : reject(new Error(refusal)),
      );
    });
  }
  line(text: string): void {
    this.call('WriteLine2', { text });
  }
  flush(): void {
    this.#standIn.flush();
  }
  end(state: 'Completed' | 'Failed' | 'Stopped', error: NewError | null = null): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#standIn.finish(this.id, state, error);
  }
}

const field = (name: string, type: string) => ({
  name,
  label: name,
  parameterTypeName: type.replace(/.*\./, ''),
  parameterTypeFullName: type,
  parameterAssemblyFullName: '',
  helpMessage: '',
  isMandatory: true,
  defaultValue: null,
  metadata: [],
  modifiedByRemotingProtocol: false,
  isFromRemoteHost: false,
});
const prompt = (name: string, type: string) => ({ caption: '', message: '', fields: [field(name, type)] });
const SECURE = 'System.Security.SecureString';
const STOPPED: NewError = {
  message: 'The pipeline has been stopped.',
  fullyQualifiedErrorId: 'PipelineStopped',
  category: 14,
  reason: 'PipelineStoppedException',
};

/** A line that it knows. Unless it ended itself it is completed when the promise resolves; with `runs` it goes on until stopped. */
type Answer = (run: Run, match: RegExpExecArray) => Promise<unknown>;
const LINES: readonly (readonly [RegExp, Answer])[] = [
  [/^1\+1$/, async (run) => run.line('2')],
  [/^(["'])([^"']*)\1$/, async (run, [, , text = '']) => run.line(text)],
  [
    /^Write-Host -ForegroundColor Green (\w+)$/,
    async (run, [, text = '']) => void run.call('WriteLine3', { foreground: 10, background: 0, text }),
  ],
  [
    /^Write-Warning (\w+)$/,
    async (run, [, text = '']) => {
      run.pool.sendRecord('WARNING_RECORD', run.id, encodeInformational('warning', text));
      run.call('WriteWarningLine', { text });
    },
  ],
  [
    /^Get-Item (\S+)$/,
    async (run, [, path = '']) =>
      void run.call('WriteErrorLine', { text: `Get-Item: Cannot find path '${path}' because it does not exist.` }),
  ],
  [/^throw "(\w+)"$/, async (run, [, message = '']) => run.end('Failed', { message })],
  [
    /^(?:if \(\$true\) )?\{[^}]*$/,
    async (run) =>
      run.end('Failed', { message: 'Missing closing }', category: 17, reason: 'IncompleteParseException' }),
  ],
  [
    /^Read-Host (\w+)$/,
    async (run, [, name = '']) => {
      const answer = await run.ask('Prompt', prompt(name, 'System.String'));
      run.line(displayText(answer?.get(name) ?? null));
    },
  ],
  [
    /^\(Read-Host -AsSecureString (\w+)\)\.Length$/,
    async (run, [, name = '']) => {
      const answer = await run.ask('Prompt', prompt(name, SECURE));
      const value = answer?.get(name);
      run.line(String(run.pool.unseal(value as Parameters<typeof run.pool.unseal>[0]).length));
    },
  ],
  [
    /^Get-Credential$/,
    async (run) => {
      const words = { caption: 'PowerShell credential request', message: 'Enter your credentials.' };
      const parameters = { ...words, userName: null, targetName: '', allowedTypes: 3, options: 1 };
      const answer = await run.ask('PromptForCredential2', parameters);
      run.line(answer === null ? 'none' : `${answer.userName} ${String(run.pool.unseal(answer.password).length)}`);
    },
  ],
  [
    /^Remove-Item \S+ -Confirm$/,
    async (run) => {
      const choices = ['&Yes', '&No'].map((label) => ({ label, helpMessage: '' }));
      const parameters = { caption: 'Confirm', message: 'Sure?', choices, defaultChoice: 0 };
      run.line(`choice ${String(await run.ask('PromptForChoice', parameters))}`);
    },
  ],
  [
    /^\$Host\.UI\.RawUI\.ReadKey\(\)$/,
    async (run) => {
      const key = await run.ask('ReadKey', { options: 4 });
      run.line(`key ${String(key?.virtualKeyCode)}`);
    },
  ],
  [
    /^Write-Progress (\w+)$/,
    async (run, [, activity = '']) => {
      const bar = { activity, activityId: 0, statusDescription: 'S', currentOperation: null, parentActivityId: -1 };
      const record = { ...bar, percentComplete: 50, secondsRemaining: -1, isCompleted: false };
      run.pool.sendProgress(run.id, record);
      run.call('WriteProgress', { sourceId: 0n, record });
      return 'runs';
    },
  ],
  [/^Start-Sleep \d+$/, async () => 'runs'],
  [
    /^1\.\.(\d+)$/,
    async (run, [, count = '']) => {
      for (let i = 1; i <= Number(count); i++) run.line(String(i));
    },
  ],
  [
    /^1\.\.(\d+); while \(!\(Test-Path (\S+)\)\) \{ \}; (\d+)\.\.(\d+)$/,
    async (run, [, count = '', file = '', from = '', to = '']) => {
      for (let i = 1; i <= Number(count); i++) run.line(String(i));
      run.flush();
      while (!existsSync(file)) await wait(10);
      for (let i = Number(from); i <= Number(to); i++) run.line(String(i));
    },
  ],
  [/^exit (\d+)$/, async (run, [, code = '']) => void run.call('SetShouldExit', { exitCode: Number(code) })],
  [/^Exit-PSSession$/, async (run) => void run.call('PopRunspace', {})],
];

/** Of one channel. */
export class StandIn {
  readonly server = new OutOfProcServer();
  readonly answers = new Map<string, (result: unknown, refusal: string | null) => void>();
  readonly #write: (bytes: Uint8Array) => void;
  readonly #exit: (status: number) => void;
  readonly #runs = new Map<string, Run>();
  /** Called for a typed line before the table; true when it was taken. */
  onLine: (run: Run, text: string) => boolean = () => false;
  /** Called for every pipeline with its first command; true when it was taken. */
  onCommand: (run: Run, command: PipelineCommand) => boolean = () => false;

  constructor(write: (bytes: Uint8Array) => void, exit: (status: number) => void) {
    this.#write = write;
    this.#exit = exit;
  }

  receive(bytes: Uint8Array): void {
    for (const event of this.server.receive(bytes)) this.#event(event);
    this.flush();
  }
  end(): void {
    for (const event of this.server.end()) this.#event(event);
    this.flush();
  }
  /** Bytes that no server would send. */
  inject(bytes: Uint8Array | string): void {
    this.flush();
    this.#write(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
  }
  flush(): void {
    for (const line of this.server.takeOutgoing()) this.#write(line);
  }
  finish(id: string, state: 'Completed' | 'Failed' | 'Stopped', error: NewError | null): void {
    this.#runs.delete(id);
    const record = error === null ? null : encodeError(error);
    for (const event of this.server.finish(id, state, record)) this.#event(event);
    this.flush();
  }

  #event(event: OutOfProcServerEvent): void {
    const { pool } = this.server;
    switch (event.type) {
      case 'open':
        pool.opened(
          primitiveDictionary([['PSVersionTable', primitiveDictionary([['PSVersion', new PsVersion(7, 4, 0)]])]]),
        );
        return;
      case 'publicKey':
        this.#sendKey(event.key);
        return;
      case 'createPipeline': {
        const [first] = event.request.commands;
        const run = new Run(this, event.pipelineId);
        this.#runs.set(event.pipelineId, run);
        if (first === undefined || !this.onCommand(run, first)) this.#command(run, first?.command ?? '');
        return;
      }
      case 'commandMetadata':
        this.#metadata(event.pipelineId);
        return;
      case 'hostResponse': {
        const key = `${event.pipelineId ?? ''}/${event.callId.toString()}`;
        this.answers.get(key)?.(event.result, event.error?.message ?? null);
        this.answers.delete(key);
        return;
      }
      case 'stop':
        this.#runs.get(event.pipelineId)?.end('Stopped', STOPPED);
        return;
      case 'exit':
        this.flush();
        this.#exit(event.status);
        return;
      default:
    }
  }

  #command(run: Run, text: string): void {
    if (text === 'prompt') {
      run.pool.sendOutput(run.id, STAND_IN_PROMPT);
      run.end('Completed');
      return;
    }
    if (text === 'TabExpansion2') {
      run.pool.sendOutput(run.id, completion('Get-ChildItem', 11));
      run.end('Completed');
      return;
    }
    if (this.onLine(run, text)) return;
    for (const [pattern, answer] of LINES) {
      const match = pattern.exec(text);
      if (match === null) continue;
      answer(run, match).then(
        (kept) => (kept === 'runs' ? this.flush() : run.end('Completed')),
        (error: unknown) => run.end('Failed', { message: String(error) }),
      );
      return;
    }
    const words = `The term '${text}' is not recognized as a name of a cmdlet, function, script file, or executable program.`;
    run.call('WriteErrorLine', { text: `${text}: ${words}` });
    run.end('Completed');
  }

  #metadata(id: string): void {
    const { pool } = this.server;
    pool.sendOutput(id, bag({ Count: 2 }));
    for (const Name of ['Out-Default', 'Exit-PSSession'])
      pool.sendOutput(id, bag({ Name, Namespace: null, Parameters: primitiveDictionary([]) }));
    this.finish(id, 'Completed', null);
  }

  #sendKey(to: PublicKey): void {
    const key = randomBytes(32);
    const n = Buffer.from(to.modulus).toString('base64url');
    const e = Buffer.from(to.exponent).toString('base64url');
    const publicKey = createPublicKey({ key: { kty: 'RSA', n, e }, format: 'jwk' });
    const wrapped = publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, key);
    this.server.pool.supplySessionKey(sessionCipher(key), wrapped);
  }
}

function completion(text: string, length: number) {
  const match = bag({
    CompletionText: text,
    ListItemText: text,
    ResultType: enumValue('System.Management.Automation.CompletionResultType', 'Command', 2),
    ToolTip: text,
  });
  const result = bag({
    CurrentMatchIndex: -1,
    ReplacementIndex: 0,
    ReplacementLength: length,
    CompletionMatches: list([match]),
  });
  return withTypes(result, ['System.Management.Automation.CommandCompletion', 'System.Object']);
}

/**
 * From reading, not seen: what may come before the first element where the login shell of Windows' OpenSSH wraps the
 * subsystem (a banner, the output of a profile), in its code page, and a byte order mark right before the element.
 */
const WINDOWS_NOISE = Buffer.concat([
  Buffer.from('Microsoft Windows [Version 10.0.20348.2322]\r\n(c) Microsoft Corporation.\r\n\r\n'),
  Buffer.from('Profil geladen f\x81r Ann\r\n', 'latin1'),
  Buffer.from([0xef, 0xbb, 0xbf]),
]);

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename) {
  const isWindows = process.argv.includes('--windows');
  if (isWindows) process.stdout.write(WINDOWS_NOISE);
  const standIn = new StandIn(
    (bytes) =>
      void process.stdout.write(
        isWindows ? Buffer.from(bytes).toString('latin1').replaceAll('\n', '\r\n') : bytes,
        isWindows ? 'latin1' : 'utf8',
      ),
    (status) => (process.exitCode = status),
  );
  process.stdin.on('data', (bytes: Buffer) => standIn.receive(bytes));
  process.stdin.on('end', () => standIn.end());
}
