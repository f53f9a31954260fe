/**
 * Starts the built program the way a person does (`sallyport serve`), with a data directory of its own, and signs people
 * in over its API. `const gateway = await startGateway(); const ann = await gateway.setUp();
 * await ann.post('/api/targets', {...}); await gateway.stop()`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..', '..');
/** The program that `npm run build` made; `npm test` builds it first. */
export const PROGRAM = path.join(ROOT, 'dist', 'server', 'main.js');
const START_MS = 60_000;
const LOG_MS = 60_000;
export const LAB_PASSWORD = 'correct horse battery staple 7';

export interface GatewayOptions {
  /** An existing data directory, to start where another process ended; it is kept at `stop`. */
  readonly dataDir?: string;
  /** Environment, over `SALLYPORT_*` defaults of the lab. */
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments after `node dist/server/main.js`. Default: `serve`. */
  readonly args?: readonly string[];
  /** Command before `node`, for example to become another user. */
  readonly prefix?: readonly string[];
}
export interface LabGateway {
  /** Without a slash at the end. */
  readonly url: string;
  readonly dataDir: string;
  readonly pid: number;
  /** Fragment of the set-up link; null when there is an administrator. */
  readonly setupToken: string | null;
  /** What was printed so far. */
  stdout(): string;
  /** Log lines so far. */
  stderr(): string;
  /** Resolves when the log has it; rejects with the log when it does not come in time. */
  logged(part: string | RegExp): Promise<void>;
  /** Creates the first administrator. */
  setUp(name?: string): Promise<Person>;
  signIn(name: string, password?: string): Promise<Person>;
  /** Somebody who is not signed in. */
  nobody(): Person;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  terminate(): Promise<number | null>;
  /** Ends it and removes what it made. Idempotent. */
  stop(): Promise<void>;
}

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  /** The parsed JSON, or null when there was none. */
  readonly body: T;
}

/** A browser's worth of HTTP: keeps the login cookie, sends the Origin that a page would. */
export class Person {
  readonly url: string;
  cookie: string | null = null;
  /** Sent as `Authorization: Bearer` instead of the cookie. */
  token: string | null = null;
  constructor(url: string) {
    this.url = url;
  }
  headers(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
    return {
      origin: new URL(this.url).origin,
      'x-sallyport': '1',
      ...(this.cookie === null || this.token !== null ? {} : { cookie: this.cookie }),
      ...(this.token === null ? {} : { authorization: `Bearer ${this.token}` }),
      ...extra,
    };
  }
  /** Any request; never throws for a status. */
  async request<T = unknown>(method: string, route: string, body?: unknown): Promise<Answer<T>> {
    const response = await fetch(`${this.url}${route}`, {
      method,
      headers: this.headers(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'manual',
    });
    for (const cookie of response.headers.getSetCookie()) this.cookie = cookie.split(';')[0] ?? null;
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '') && !text.includes('\n{');
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as T };
  }
  /** A request that must succeed. @throws Error with the answer when it does not */
  async must<T>(method: string, route: string, body?: unknown): Promise<T> {
    const answer = await this.request<T>(method, route, body);
    if (answer.status >= 300)
      throw new Error(`${method} ${route}: ${String(answer.status)} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }
  get = <T>(route: string): Promise<T> => this.must<T>('GET', route);
  post = <T = null>(route: string, body?: unknown): Promise<T> => this.must<T>('POST', route, body);
  put = <T>(route: string, body: unknown): Promise<T> => this.must<T>('PUT', route, body);
  patch = <T = null>(route: string, body: unknown): Promise<T> => this.must<T>('PATCH', route, body);
  delete = (route: string): Promise<unknown> => this.must('DELETE', route);
}

function untilListening(child: ChildProcess, seen: () => { out: string; err: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void =>
      reject(new Error(`the gateway ${why}:\n${seen().out}\n${seen().err.slice(-4000)}`));
    const timer = setTimeout(() => fail(`did not start in ${String(START_MS)} ms`), START_MS);
    const look = (): void => {
      const match = /Sallyport listens at (\S+?)\/\n[^\n]+\n/.exec(seen().out);
      if (match?.[1] === undefined) return;
      clearTimeout(timer);
      resolve(match[1]);
    };
    child.stdout?.on('data', look);
    child.once('exit', (code) => {
      clearTimeout(timer);
      fail(`ended with ${String(code)}`);
    });
  });
}

function untilLogged(child: ChildProcess, log: () => string, part: string | RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      clearTimeout(timer);
      child.stderr?.off('data', look);
    };
    const look = (): void => {
      if (typeof part === 'string' ? !log().includes(part) : !part.test(log())) return;
      finish();
      resolve();
    };
    const timer = setTimeout(() => {
      finish();
      reject(new Error(`the gateway did not log ${String(part)}:\n${log().slice(-4000)}`));
    }, LOG_MS);
    child.stderr?.on('data', look);
    look();
  });
}

/** Starts the program. @throws Error with what it printed when it does not come up */
export async function startGateway(options: GatewayOptions = {}): Promise<LabGateway> {
  if (!existsSync(PROGRAM)) throw new Error('no built program: npm run build');
  const dataDir = options.dataDir ?? mkdtempSync(path.join(tmpdir(), 'sallyport-gateway-'));
  const command = [...(options.prefix ?? []), process.execPath, PROGRAM, ...(options.args ?? ['serve'])];
  const child = spawn(command[0] ?? '', command.slice(1), {
    cwd: tmpdir(),
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      SALLYPORT_DATA: dataDir,
      SALLYPORT_LISTEN: '127.0.0.1:0',
      SALLYPORT_TARGET_RANGES: '127.0.0.0/8,::1/128',
      ...options.env,
    },
  });
  const seen = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (seen.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (seen.err += text));
  // Not `exit`: what it wrote last may still be in the pipe then.
  const ended = once(child, 'close') as Promise<[number | null]>;
  const url = await untilListening(child, () => seen);
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return (await ended)[0];
  };
  const setupToken = /\/setup#(\S+)/.exec(seen.out)?.[1] ?? null;
  const signIn = async (name: string, password = LAB_PASSWORD): Promise<Person> => {
    const person = new Person(url);
    await person.post('/api/login', { name, password });
    return person;
  };
  return {
    url,
    dataDir,
    pid: child.pid ?? 0,
    setupToken,
    stdout: () => seen.out,
    stderr: () => seen.err,
    logged: (part) => untilLogged(child, () => seen.err, part),
    async setUp(name = 'ann') {
      const person = new Person(url);
      await person.post('/api/setup', { token: setupToken, name, password: LAB_PASSWORD });
      return person;
    },
    signIn,
    nobody: () => new Person(url),
    async kill() {
      await end('SIGKILL');
    },
    terminate: () => end('SIGTERM'),
    async stop() {
      await end('SIGTERM');
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
