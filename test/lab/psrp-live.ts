/** Plays the client's part of a recorded session to a real pwsh, with our client role, and keeps what came back. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  generateKeyPairSync,
  privateDecrypt,
} from 'node:crypto';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import {
  decodeHostResult,
  EMPTY_GUID,
  MESSAGES,
  PIPELINE_STATE_NUMBERS,
  OutOfProcClient,
  PsDictionary,
  PsList,
  PsObject,
  PsSecureString,
  unpadSessionKey,
} from '@sallyport/psrp';
import type { ClientEvent, HostCall, ProtocolVersion, PsValue, SessionCipher } from '@sallyport/psrp';
import { readCapture } from './captures.ts';
import type { Decoded, Row } from './captures.ts';

const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ZERO_IV = Buffer.alloc(16);
const aes = (key: Uint8Array): SessionCipher => {
  const own = Buffer.from(key);
  return {
    encrypt: (plain) => {
      const cipher = createCipheriv('aes-256-cbc', own, ZERO_IV);
      return new Uint8Array(Buffer.concat([cipher.update(plain), cipher.final()]));
    },
    decrypt: (text) => {
      const cipher = createDecipheriv('aes-256-cbc', own, ZERO_IV);
      return new Uint8Array(Buffer.concat([cipher.update(text), cipher.final()]));
    },
  };
};
const privateKey = createPrivateKey(pair.privateKey.export({ type: 'pkcs1', format: 'pem' }));

/** One step of a recorded session, either way. */
export type Step =
  | { readonly dir: 'c2s' | 's2c'; readonly kind: 'message'; readonly message: Decoded }
  | { readonly dir: 'c2s'; readonly kind: 'signal' | 'close'; readonly pipelineId: string | null };

/** A recording as steps, in order of time. */
export function stepsOf(rows: readonly Row[]): Step[] {
  const { messages } = readCapture(rows);
  return rows.flatMap((row, index): Step[] => {
    const element = row.dir === 'c2s' ? /^<(Signal|Close) PSGuid='([^']*)'/.exec(row.line) : null;
    if (element !== null) {
      const pipelineId = element[2] === EMPTY_GUID ? null : (element[2] ?? null);
      return [{ dir: 'c2s', kind: element[1] === 'Signal' ? 'signal' : 'close', pipelineId }];
    }
    return messages
      .filter((message) => message.row === index)
      .map((message) => ({ dir: message.dir, kind: 'message', message }));
  });
}

/** What a live session told, by pipeline; the pool's own under ''. */
export type Told = ReadonlyMap<string, readonly string[]>;

/** How long one step may take; a cold start of pwsh under load takes long. */
const STEP_MS = 100_000;

/** One live session. */
export class LiveReplay {
  readonly #client: OutOfProcClient;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #told = new Map<string, string[]>();
  readonly #calls = new Map<string, HostCall>();
  readonly failures: string[] = [];
  #waits: { readonly isTrue: () => boolean; readonly resolve: () => void }[] = [];
  #isGone = false;

  constructor(pwsh: string, poolId: string, version: ProtocolVersion) {
    this.#client = new OutOfProcClient({ poolId, newId: () => '', protocolVersion: version, cipher: aes });
    // As behind a subsystem: no terminal, so no TERM.
    const env = { ...process.env, POWERSHELL_TELEMETRY_OPTOUT: '1', TERM: undefined };
    this.#child = spawn(pwsh, ['-sshs', '-NoLogo', '-NoProfile'], { stdio: ['pipe', 'pipe', 'ignore'], env });
    this.#child.stdin.on('error', () => undefined);
    this.#child.stdout.on('data', (bytes: Buffer) => {
      this.#take(this.#client.receive(new Uint8Array(bytes)));
    });
    this.#child.on('close', (exitStatus) => {
      this.#isGone = true;
      this.#take(this.#client.channelEnded({ exitStatus }));
    });
  }

  get told(): Told {
    return this.#told;
  }
  get state(): string {
    return this.#client.state;
  }

  /** Plays all steps of the client; each waits for what had come before it in the recording. */
  async play(steps: readonly Step[]): Promise<void> {
    const before = new Map<string, number>();
    for (const [index, step] of steps.entries()) {
      if (step.dir === 's2c') {
        if (isMilestone(step.message, before)) count(before, milestone(step.message));
        continue;
      }
      await this.#until(`step ${index}`, () => [...before].every(([key, n]) => this.#seen(key) >= n));
      await this.#do(step);
    }
    await this.#until('the end', () => [...before].every(([key, n]) => this.#seen(key) >= n));
    if (this.state === 'Closing') await this.#until('the close', () => this.state === 'Closed');
  }

  async end(): Promise<void> {
    this.#child.stdin.end();
    if (!this.#isGone) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'close');
    }
  }

  /** Kills the process, as a link that breaks. */
  vanish(): void {
    this.#child.kill('SIGKILL');
  }

  #seen(key: string): number {
    const [pipelineId = '', type = ''] = key.split('/');
    return this.#told.get(pipelineId)?.filter((each) => each.split(' ')[0] === type).length ?? 0;
  }

  async #until(what: string, isTrue: () => boolean): Promise<void> {
    if (isTrue()) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`${what} did not come; told: ${JSON.stringify([...this.#told])}`));
      }, STEP_MS);
    });
    const true_ = new Promise<void>((resolve) => this.#waits.push({ isTrue: () => isTrue() || this.#isGone, resolve }));
    await Promise.race([true_, late]);
    clearTimeout(timer);
  }

  async #do(step: Step): Promise<void> {
    if (step.kind === 'message') await this.#send(step.message);
    else if (step.kind === 'signal' && step.pipelineId !== null) this.#client.stop(step.pipelineId);
    else if (step.pipelineId !== null) this.#client.closePipeline(step.pipelineId);
    else this.#take(this.#client.close());
    this.#flush();
  }

  async #send({ name, value, message }: Decoded): Promise<void> {
    const pid = message.pipelineId ?? '';
    switch (name) {
      case 'INIT_RUNSPACEPOOL':
        this.#client.open(MESSAGES[name].decode(value));
        return;
      case 'CREATE_PIPELINE': {
        const request = MESSAGES[name].decode(value);
        if (holdsSecret(value ?? null)) await this.#key();
        const commands = request.commands.map((command) => ({
          ...command,
          parameters: (command.parameters ?? []).map((each) => ({ ...each, value: this.#resealed(each.value) })),
        }));
        this.#client.createPipeline({ ...request, commands, pipelineId: pid });
        return;
      }
      case 'GET_COMMAND_METADATA':
        this.#client.getCommandMetadata({ ...MESSAGES[name].decode(value), pipelineId: pid });
        return;
      case 'PIPELINE_INPUT':
        if (this.#client.pipelineState(pid) === 'Running') this.#client.sendInput(pid, this.#resealed(value ?? null));
        return;
      case 'END_OF_PIPELINE_INPUT':
        if (this.#client.pipelineState(pid) === 'Running') this.#client.endInput(pid);
        return;
      case 'PIPELINE_HOST_RESPONSE':
        await this.#answer(pid, MESSAGES[name].decode(value));
        return;
      case 'PUBLIC_KEY':
        await this.#key();
        return;
      case 'SET_MAX_RUNSPACES':
        this.#client.setMaxRunspaces(MESSAGES[name].decode(value).count);
        return;
      case 'SET_MIN_RUNSPACES':
        this.#client.setMinRunspaces(MESSAGES[name].decode(value).count);
        return;
      case 'GET_AVAILABLE_RUNSPACES':
        this.#client.getAvailableRunspaces();
        return;
      case 'RESET_RUNSPACE_STATE':
        this.#client.resetRunspaceState();
        return;
      default:
    }
  }

  async #answer(pid: string, body: ReturnType<typeof MESSAGES.PIPELINE_HOST_RESPONSE.decode>): Promise<void> {
    const key = `${pid} ${body.callId.toString()}`;
    await this.#until(`host call ${key}`, () => this.#calls.has(key));
    const call = this.#calls.get(key);
    this.#calls.delete(key);
    if (call === undefined) return;
    if (body.error !== undefined) {
      this.#client.respondHostCall(call, { error: { message: body.error.text ?? 'refused' } });
      return;
    }
    if (holdsSecret(body.result ?? null)) await this.#key();
    const result = decodeHostResult(call.method, this.#resealed(body.result ?? null));
    this.#client.respondHostCall(call, { result: result as never });
  }

  async #key(): Promise<void> {
    this.#take(this.#client.requestSessionKey());
    this.#flush();
    await this.#until('the session key', () => this.#client.sessionKeyState === 'ready');
  }

  /** Secrets of a recording are under a key of its own: others go in their place. */
  #resealed(value: PsValue, depth = 0): PsValue {
    if (value instanceof PsSecureString) return this.#client.seal('Secret-1');
    if (!(value instanceof PsObject) || depth > 8) return value;
    const { base } = value;
    const inside = base instanceof PsList ? base.items : base instanceof PsDictionary ? base.values : [];
    for (const values of [inside, value.adapted?.values ?? [], value.extended?.values ?? []]) {
      for (const [index, each] of values.entries()) values[index] = this.#resealed(each, depth + 1);
    }
    if (base instanceof PsSecureString) value.base = this.#resealed(base);
    return value;
  }

  #flush(): void {
    const bytes = this.#client.takeOutgoing();
    if (bytes.length > 0) this.#child.stdin.write(bytes);
  }

  #take(events: readonly ClientEvent[]): void {
    for (const event of events) this.#event(event);
    this.#flush();
    this.#waits = this.#waits.filter(({ isTrue, resolve }) => {
      if (!isTrue()) return true;
      resolve();
      return false;
    });
  }

  #event(event: ClientEvent): void {
    if (event.type === 'needsKeyPair') {
      const { n = '', e = '' } = pair.publicKey.export({ format: 'jwk' });
      this.#client.supplyPublicKey({ modulus: Buffer.from(n, 'base64url'), exponent: Buffer.from(e, 'base64url') });
    } else if (event.type === 'unwrapSessionKey') {
      const block = privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, event.wrapped);
      for (const each of this.#client.supplySessionKey(unpadSessionKey(new Uint8Array(block)))) this.#event(each);
    } else if (event.type === 'hostCall') {
      this.#calls.set(`${event.pipelineId ?? ''} ${event.call.callId.toString()}`, event.call);
    } else if (event.type === 'failed' || event.type === 'unanswerableHostCall') {
      this.failures.push(`${event.type}: ${event.error.code} ${event.error.message}`);
    }
    const key = 'pipelineId' in event ? (event.pipelineId ?? '') : '';
    const state = event.type === 'pipelineState' || event.type === 'poolState' ? ` ${event.state}` : '';
    const method = event.type === 'hostCall' ? ` ${event.call.method}` : '';
    const list = this.#told.get(key) ?? [];
    this.#told.set(key, list);
    list.push(`${event.type}${state}${method}`);
  }
}

const holdsSecret = (value: PsValue, depth = 0): boolean => {
  if (value instanceof PsSecureString) return true;
  if (!(value instanceof PsObject) || depth > 8) return false;
  const { base } = value;
  const inside = base instanceof PsList ? base.items : base instanceof PsDictionary ? base.values : [];
  if (base instanceof PsSecureString || inside.some((each) => holdsSecret(each, depth + 1))) return true;
  return [...value.properties()].some(([, each]) => holdsSecret(each, depth + 1));
};

const EVENTS: Readonly<Partial<Record<string, string>>> = {
  PIPELINE_STATE: 'pipelineState',
  RUNSPACEPOOL_STATE: 'poolState',
  RUNSPACE_AVAILABILITY: 'runspaceAvailability',
  USER_EVENT: 'userEvent',
  PIPELINE_OUTPUT: 'output',
  PIPELINE_HOST_CALL: 'hostCall',
};
/** What the recording has for each pipeline and the pool, in the words of a live session; runs count once. */
export function recorded(rows: readonly Row[]): Told {
  const told = new Map<string, string[]>();
  for (const { dir, name, value, message } of readCapture(rows).messages) {
    const event = KINDS[name ?? ''];
    if (dir !== 's2c' || event === undefined) continue;
    const list = told.get(message.pipelineId ?? '') ?? [];
    told.set(message.pipelineId ?? '', list);
    list.push(`${event}${detailOf(name, value)}`);
  }
  return told;
}

function detailOf(name: string | null, value: PsValue | undefined): string {
  if (name === 'PIPELINE_STATE') {
    const { state } = MESSAGES.PIPELINE_STATE.decode(value);
    return ` ${Object.entries(PIPELINE_STATE_NUMBERS).find(([, number]) => number === state)?.[0] ?? ''}`;
  }
  return name === 'PIPELINE_HOST_CALL' ? ` ${MESSAGES.PIPELINE_HOST_CALL.decode(value).methodName}` : '';
}

/** Runs of one event count once; progress comes as the clock has it. */
export function shape(events: readonly string[]): string[] {
  const kept = events.filter((each) => Object.values(KINDS).includes(each.split(' ')[0] ?? ''));
  return kept.filter((each, index) => each !== kept[index - 1]);
}

const KINDS: Readonly<Record<string, string>> = {
  PIPELINE_OUTPUT: 'output',
  ERROR_RECORD: 'error',
  WARNING_RECORD: 'warning',
  VERBOSE_RECORD: 'verbose',
  DEBUG_RECORD: 'debug',
  INFORMATION_RECORD: 'information',
  PIPELINE_HOST_CALL: 'hostCall',
  PIPELINE_STATE: 'pipelineState',
  RUNSPACE_AVAILABILITY: 'runspaceAvailability',
  USER_EVENT: 'userEvent',
};

const milestone = ({ name, message }: Decoded): string => `${message.pipelineId ?? ''}/${EVENTS[name ?? ''] ?? ''}`;
/** What a later step of the client may depend on. Of many outputs only the first: how fast they come is chance. */
function isMilestone(message: Decoded, before: ReadonlyMap<string, number>): boolean {
  const event = EVENTS[message.name ?? ''];
  if (event === undefined) return false;
  if (event === 'output' || event === 'hostCall') return (before.get(milestone(message)) ?? 0) === 0;
  // The server's Closing is not told.
  if (event === 'poolState') return MESSAGES.RUNSPACEPOOL_STATE.decode(message.value).state === 2;
  return true;
}
const count = (counts: Map<string, number>, key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);
