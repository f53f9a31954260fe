/**
 * The gateway's side of the Kerberos process. Native code runs there and nowhere else: when it faults, or a KDC keeps it
 * waiting, the gateway goes on. The process starts when it is first needed and ends when nobody has needed it for a while.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Duplex } from 'node:stream';
import type { Clock } from '../../../../clock.ts';
import { SallyportError } from '../../../../errors.ts';
import { FrameReader, writeFrame } from './frames.ts';
import { KerberosError } from './errors.ts';
import type { Answer, Greeting, Request } from './messages.ts';
import { toConfiguration, type KerberosSettings } from './realms.ts';

/** Requests under way. One connection has one at a time; beyond this the process is not keeping up. */
const MAX_PENDING = 256;
/** Threads for what waits for a KDC; more wait for a thread. */
const NETWORK_THREADS = 16;
const START_DEADLINE_MS = 15_000;
/** A message is sealed in milliseconds: a process that takes this long hangs. */
const MESSAGE_DEADLINE_MS = 10_000;
/** Ends this long after the last sign-in that used it was closed. */
const IDLE_MS = 60_000;
/** So many starts in a minute and it is left alone for the rest of it. */
const MAX_STARTS = 5;
const STARTS_WINDOW_MS = 60_000;

/** What came back for a request that was not refused. */
export interface Reply {
  readonly answer: Answer;
  readonly body: Uint8Array;
}

interface Pending {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: SallyportError) => void;
}

export interface RequestLimits {
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

const unavailable = (reason: string): SallyportError =>
  new SallyportError('kerberos_unavailable', `kerberos is not available: ${reason}`);
const lost = (): SallyportError => new SallyportError('target_lost', 'the kerberos process ended');

/** From source (tests) the process first needs a loader of TypeScript; built, it lies beside this bundle. */
function programme(): string[] {
  if (!import.meta.url.endsWith('.ts')) return [fileURLToPath(new URL('./kerberos.worker.js', import.meta.url))];
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx/esm/api')).href.replace(/cjs$/, 'mjs');
  const loader = `data:text/javascript,import{register}from${JSON.stringify(tsx)};register()`;
  return ['--import', loader, fileURLToPath(new URL('./kerberos.worker.ts', import.meta.url))];
}

/** One run of the process. What belonged to a run that is over is worth nothing. */
export class KerberosRun {
  readonly #clock: Clock;
  readonly #child: ChildProcess;
  readonly #channel: Duplex;
  readonly #pending = new Map<number, Pending>();
  readonly #greeting: Promise<Greeting>;
  #nextId = 1;
  #isOver = false;

  /** @param before arguments of Node before the program, for tests */
  constructor(settings: KerberosSettings, clock: Clock, before: readonly string[] = []) {
    const configuration = settings.configFile === null ? toConfiguration(settings) : '';
    this.#clock = clock;
    this.#child = spawn(process.execPath, ['--no-warnings', ...before, ...programme()], {
      // Nothing of the gateway's environment: it may hold keys, and names of caches that are not ours to use.
      env: {
        LC_ALL: 'C',
        KRB5_CONFIG: settings.configFile ?? '/dev/null',
        KRB5CCNAME: 'MEMORY:none',
        KRB5_KTNAME: 'MEMORY:none',
        KRB5_CLIENT_KTNAME: 'MEMORY:none',
        // No mechanisms beside the library's own.
        GSS_MECH_CONFIG: '/dev/null',
        UV_THREADPOOL_SIZE: String(NETWORK_THREADS),
      },
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    const channel = this.#child.stdio[3];
    if (!(channel instanceof Duplex)) throw new Error('no channel to the kerberos process');
    this.#channel = channel;
    this.#child.unref();
    this.#greeting = this.#listen();
    writeFrame(this.#channel, {}, new TextEncoder().encode(configuration));
    this.#greeting.catch(() => undefined);
  }

  get isOver(): boolean {
    return this.#isOver;
  }
  /** For tests and the log. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @throws SallyportError kerberos_unavailable */
  async ready(): Promise<void> {
    const greeting = await this.#greeting;
    if (!greeting.ready) throw unavailable(greeting.reason);
  }

  /** A number for an identity or a context, never used twice. */
  newHandle(): number {
    return this.#nextId++;
  }

  /**
   * @param body the pieces are written as they are and must not change meanwhile
   * @throws SallyportError what Kerberos refused; target_lost when the process ended; cancelled; kerberos_no_kdc when the
   * deadline of a request that goes over the network has passed
   */
  request(request: Request, body: readonly Uint8Array[], limits: RequestLimits = {}): Promise<Reply> {
    const { signal, deadlineMs } = limits;
    if (this.#isOver) return Promise.reject(lost());
    if (signal?.aborted === true) return Promise.reject(new SallyportError('cancelled', 'kerberos: cancelled'));
    if (this.#pending.size >= MAX_PENDING)
      return Promise.reject(new SallyportError('rate_limited', 'kerberos: too many requests', { retryAfterS: 5 }));
    const id = this.newHandle();
    return new Promise<Reply>((resolve, reject) => {
      const abort = (): void => reject(new SallyportError('cancelled', 'kerberos: cancelled'));
      const disarm = this.#clock.after(deadlineMs ?? MESSAGE_DEADLINE_MS, () => {
        if (deadlineMs === undefined) this.end();
        else reject(new SallyportError('kerberos_no_kdc', 'kerberos: no answer in time'));
      });
      signal?.addEventListener('abort', abort, { once: true });
      const settled = (): void => {
        disarm();
        signal?.removeEventListener('abort', abort);
      };
      this.#pending.set(id, {
        resolve: (reply) => {
          settled();
          resolve(reply);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      writeFrame(this.#channel, { id, ...request }, ...body);
    });
  }

  /** A request whose answer nobody waits for. */
  tell(request: Request): void {
    if (!this.#isOver) writeFrame(this.#channel, { id: 0, ...request });
  }

  /** Ends the process at once; everything under way is refused. Idempotent. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#child.kill('SIGKILL');
    this.#channel.destroy();
    for (const { reject } of this.#pending.values()) reject(lost());
    this.#pending.clear();
  }

  #listen(): Promise<Greeting> {
    return new Promise<Greeting>((resolve, reject) => {
      const disarm = this.#clock.after(START_DEADLINE_MS, () => this.end());
      let isGreeted = false;
      const reader = new FrameReader((head, body) => {
        if (isGreeted) this.#answered(head as Answer, body);
        else {
          isGreeted = true;
          disarm();
          resolve(head as Greeting);
        }
      });
      const over = (): void => {
        disarm();
        this.end();
        reject(unavailable('its process does not start'));
      };
      this.#channel.on('data', (chunk: Uint8Array) => {
        try {
          reader.push(chunk);
        } catch {
          over();
        }
      });
      for (const event of ['close', 'error']) this.#channel.on(event, over);
      for (const event of ['exit', 'error']) this.#child.on(event, over);
    });
  }

  #answered(answer: Answer, body: Uint8Array): void {
    const pending = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (answer.refusal === undefined) pending?.resolve({ answer, body });
    else pending?.reject(new KerberosError(answer.refusal));
  }
}

/** Tickets of one identity in one run of the process. */
export interface Identified {
  readonly run: KerberosRun;
  readonly identity: number;
  /** Monotonic milliseconds. */
  readonly freshUntil: number;
}

/** Starts the process when it is needed, and again when it died. */
export class KerberosProcess {
  readonly #settings: KerberosSettings;
  readonly #clock: Clock;
  readonly #starts: number[] = [];
  #run: KerberosRun | null = null;
  /** Why it cannot be had; asked again after a while, because somebody may have installed it. */
  #missing: { readonly error: unknown; readonly until: number } | null = null;
  #users = 0;
  #stopIdling: () => void = () => undefined;

  constructor(settings: KerberosSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /** @throws SallyportError kerberos_unavailable */
  async run(): Promise<KerberosRun> {
    const now = this.#clock.monotonic();
    this.#checkConfigFile();
    if (this.#missing !== null && now < this.#missing.until) throw this.#missing.error;
    if (this.#run === null || this.#run.isOver) this.#run = this.#start(now);
    const run = this.#run;
    try {
      await run.ready();
    } catch (error) {
      this.#missing = { error, until: now + STARTS_WINDOW_MS };
      throw error;
    }
    return run;
  }

  /** Somebody needs the process. @returns what says that it is not needed any more; idempotent */
  hold(): () => void {
    this.#users += 1;
    this.#stopIdling();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#users -= 1;
      if (this.#users === 0) this.#stopIdling = this.#clock.after(IDLE_MS, () => this.#run?.end());
    };
  }

  /** Idempotent. */
  close(): void {
    this.#stopIdling();
    this.#run?.end();
  }

  /** The library takes a file that it cannot read for an empty one. */
  #checkConfigFile(): void {
    const { configFile } = this.#settings;
    if (configFile === null) return;
    try {
      accessSync(configFile, constants.R_OK);
    } catch (cause) {
      throw new SallyportError('kerberos_unavailable', `cannot read ${configFile}`, { cause });
    }
  }

  #start(now: number): KerberosRun {
    while (this.#starts.length > 0 && now - (this.#starts[0] ?? now) > STARTS_WINDOW_MS) this.#starts.shift();
    if (this.#starts.length >= MAX_STARTS) throw unavailable('its process ends again and again');
    this.#starts.push(now);
    return new KerberosRun(this.#settings, this.#clock);
  }
}
