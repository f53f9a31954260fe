/** What every gateway under test looks like to the measures: a byte channel to a fresh shell. */
import { deadline } from './stats.ts';

/** The sshd behind all of them, and the key that opens it. */
export interface ShellHost {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Text of an unencrypted private key. */
  readonly privateKey: string;
  /** The host's key as `known_hosts` spells it: type and base64. */
  readonly hostKey: { readonly type: string; readonly key: string };
  /** The jump host in front, for the floor of the measure of hops. */
  readonly hop?: Omit<ShellHost, 'hop'>;
}

export interface Channel {
  write(text: string): void;
  /** One sink at a time; bytes that come before the first are kept for it. */
  onData(sink: (bytes: Buffer) => void): void;
  onClose(closed: (why: string) => void): void;
  /** Stops reading the socket itself. */
  pause(): void;
  resume(): void;
  /** Where the protocol acknowledges: true reads on and says nothing about it. */
  holdAcks?(isHeld: boolean): void;
  close(): void;
}

/** A started gateway. `state` is JSON: a loader process opens sessions with it too. */
export interface Server {
  /** Of the gateway's process tree; null where there is none (`direct`). */
  readonly pid: number | null;
  readonly state: unknown;
  readonly stop: () => Promise<void>;
}

export interface StartOptions {
  readonly shell: ShellHost;
  /** Directory for logs and data, removed by the harness. */
  readonly directory: string;
  /** How many people share the sessions, for gateways that know people (20 live sessions each). */
  readonly users: number;
}

export interface Adapter {
  readonly name: string;
  start(options: StartOptions): Promise<Server>;
  /** A fresh SSH session with an 80x24 PTY. */
  open(state: unknown, shell: ShellHost): Promise<Channel>;
}

export interface Shell extends Channel {
  /** From the request until the shell answered. */
  readonly openMs: number;
  readonly isClosed: boolean;
}

/** Split, so that the echo of the command line does not match. */
const READY = 'BENCHREADY';
const prepare = (then: string): string => `stty raw -echo; printf 'BENCH''READY'; ${then}\r`;

/** Opens a shell, makes its PTY raw and runs `then`. */
export async function openShell(
  adapter: Adapter,
  state: unknown,
  shell: ShellHost,
  then = '',
  timeoutMs = 30_000,
): Promise<Shell> {
  const startedAt = performance.now();
  const channel = await deadline(adapter.open(state, shell), timeoutMs, `${adapter.name}: open`);
  let isClosed = false;
  let sink: ((bytes: Buffer) => void) | null = null;
  const ready = new Promise<void>((resolve, reject) => {
    let text = '';
    channel.onClose((why) => {
      isClosed = true;
      reject(new Error(`${adapter.name}: closed (${why})`));
    });
    channel.onData((bytes) => {
      if (sink !== null) {
        sink(bytes);
        return;
      }
      text += bytes.toString('latin1');
      if (!text.includes(READY)) return;
      sink = () => undefined;
      resolve();
    });
  });
  ready.catch(() => undefined); // Closing later is told by `isClosed`.
  channel.write(prepare(then));
  try {
    await deadline(ready, timeoutMs, `${adapter.name}: shell`);
  } catch (error) {
    channel.close();
    throw error;
  }
  return {
    openMs: performance.now() - startedAt,
    get isClosed() {
      return isClosed;
    },
    write: (text) => {
      channel.write(text);
    },
    onData: (next) => {
      sink = next;
    },
    onClose: () => undefined,
    pause: () => {
      channel.pause();
    },
    resume: () => {
      channel.resume();
    },
    holdAcks: (isHeld) => channel.holdAcks?.(isHeld),
    close: () => {
      channel.close();
    },
  };
}
