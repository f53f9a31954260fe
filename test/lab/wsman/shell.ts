/** One shell of the lab's WinRM: the requests of WS-Management on one side, the lines of `pwsh -s` on the other. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import {
  decodePacket,
  encodeBody,
  encodeMessage,
  encodePacket,
  fragmentsOf,
  LineReader,
  MESSAGES,
} from '@sallyport/psrp';
import type { Packet, Priority } from '@sallyport/psrp';
import type { Clock } from '../../../server/src/clock.ts';
import type { BufferMode, CommandInfo, ReceiveResponse, ShellInfo } from '@sallyport/wsman';

/** Output that waits for a Receive; beyond it the process is not read. Windows blocks the pipeline then, too. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** Of an answer, for the element around each fragment, before base64. */
const STREAM_BYTES = 100;
const POOL = '';
const CAPABILITY = 0x00010002;
const PRIVATE_DATA = 0x00021009;
const FINAL = /<I32 N="PipelineState">[345]<\/I32>/;

interface Output {
  chunks: Uint8Array[];
  size: number;
  /** The final state went by. */
  isDone: boolean;
  /** Told when there is something, or the shell is gone. */
  wake: () => void;
}
type Ack = 'DataAck' | 'CommandAck' | 'SignalAck' | 'CloseAck';

/** Why a request is refused; the server knows the number. */
export class ShellGone extends Error {}
/** A poll ends because its client left the shell. */
export class ShellLeft extends Error {}

export interface LabShellOptions {
  readonly shellId: string;
  readonly command: readonly [string, ...string[]];
  readonly idleTimeoutMs: number;
  readonly owner: string;
  readonly bufferMode: BufferMode;
  readonly clock: Clock;
  /** There is more output than before. */
  wrote(): void;
  ended(): void;
}

export class LabShell {
  readonly id: string;
  readonly owner: string;
  /** Commands in the order of their start, closed ones not. */
  readonly commands = new Map<string, { readonly line: string }>();
  state: 'Connected' | 'Disconnected' = 'Connected';
  /** Output that nobody fetched in time, where it is not to be blocked. */
  droppedBytes = 0;
  /** The WS-Management session that holds it. */
  sessionId = '';
  readonly #options: LabShellOptions;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines = new LineReader(4 * 1024 * 1024);
  readonly #outputs = new Map<string, Output>();
  readonly #acks = new Map<string, (() => void)[]>();
  /** One Data at a time for each destination. */
  readonly #turns = new Map<string, Promise<void>>();
  /** What every client is told first, as the process said it. */
  #capability: Uint8Array = new Uint8Array();
  #privateData: Uint8Array = new Uint8Array();
  /** The last thing that was told of the pool. */
  #lastTold: Uint8Array | null = null;
  #bufferMode: BufferMode;
  #idleMs: number;
  #lastUse = Date.now();
  #stopIdle: () => void = () => undefined;
  /** Polls that are held: it is in use as long as there is one. */
  #polls = 0;
  #isGone = false;

  constructor(options: LabShellOptions) {
    this.id = options.shellId.toUpperCase();
    this.owner = options.owner;
    this.#options = options;
    this.#bufferMode = options.bufferMode;
    this.#idleMs = options.idleTimeoutMs;
    const [program, ...args] = options.command;
    this.#child = spawn(program, args, { env: { ...process.env, POWERSHELL_TELEMETRY_OPTOUT: '1' } });
    this.#child.stderr.resume();
    this.#child.stdin.on('error', () => undefined);
    this.#child.stdout.on('data', (bytes: Buffer) => {
      this.#lines.push(bytes, (line) => this.#line(line));
      this.#throttle();
    });
    this.#child.once('close', () => this.#end());
    this.#output(POOL);
    this.touch();
  }

  get isGone(): boolean {
    return this.#isGone;
  }
  get pid(): number {
    return this.#child.pid ?? 0;
  }
  info(resourceUri: string): ShellInfo {
    const { id, owner, state, pid } = this;
    const streams = { inputStreams: 'stdin pr', outputStreams: 'stdout', locale: 'en-US', dataLocale: 'en-US' };
    return {
      ...{ shellId: id, name: 'Runspace', resourceUri, owner, clientIp: '127.0.0.1', processId: pid, ...streams },
      ...{ idleTimeoutMs: this.#idleMs, maxIdleTimeoutMs: 2_147_483_647, bufferMode: this.#bufferMode, state },
      ...{ compressionMode: 'NoCompression', profileLoaded: 'Yes', encoding: null, runTimeMs: 0 },
      inactivityMs: Date.now() - this.#lastUse,
      ...{ memoryUsed: null, childProcesses: null },
    };
  }

  /** Something was asked of it: its time starts anew. */
  touch(): void {
    this.#lastUse = Date.now();
    this.#stopIdle();
    if (!this.#isGone && this.#polls === 0) this.#stopIdle = this.#options.clock.after(this.#idleMs, () => this.kill());
  }
  list(): CommandInfo[] {
    return [...this.commands.keys()].map((id) => ({ commandId: id.toUpperCase(), label: '', state: 'Running' }));
  }

  /** Its client goes; what comes meanwhile is kept. Polls that are held end. */
  disconnect(idleMs: number | null, bufferMode: BufferMode | null): void {
    this.state = 'Disconnected';
    this.#idleMs = idleMs ?? this.#idleMs;
    this.#bufferMode = bufferMode ?? this.#bufferMode;
    this.touch();
    for (const output of this.#outputs.values()) output.wake();
    this.#throttle();
  }
  reconnect(): void {
    this.state = 'Connected';
    this.#throttle();
  }
  /**
   * Another client comes; `pwsh -s` knows nothing of it, so its part is played here: what the process said to the first
   * client is said again. @returns SESSION_CAPABILITY and RUNSPACEPOOL_INIT_DATA
   */
  connect(sessionId: string): Uint8Array {
    this.sessionId = sessionId;
    this.reconnect();
    const pool = this.#outputs.get(POOL);
    // Windows has been seen to repeat what it told last.
    for (const bytes of [this.#lastTold, this.#privateData]) {
      if (bytes === null || pool === undefined) continue;
      pool.chunks.push(bytes);
      pool.size += bytes.length;
    }
    const initData = MESSAGES.RUNSPACEPOOL_INIT_DATA;
    const header = { destination: 1, messageType: initData.type, poolId: this.id.toLowerCase(), pipelineId: null };
    const body = encodeBody(initData.encode({ minRunspaces: 1, maxRunspaces: 1 }));
    return new Uint8Array(Buffer.concat([this.#capability, ...fragmentsOf(1n << 40n, encodeMessage(header, body))]));
  }

  /** Resolves when the process has taken it. */
  async data(commandId: string | null, priority: Priority, bytes: Uint8Array): Promise<void> {
    const key = commandId?.toLowerCase() ?? POOL;
    const before = this.#turns.get(key) ?? Promise.resolve();
    const mine = before.then(() =>
      this.#ask('DataAck', { element: 'Data', pipelineId: key === POOL ? null : key, priority, data: bytes }),
    );
    this.#turns.set(
      key,
      mine.catch(() => undefined),
    );
    await mine;
  }
  async command(commandId: string, line: string): Promise<void> {
    const pipelineId = commandId.toLowerCase();
    this.commands.set(pipelineId, { line });
    this.#output(pipelineId);
    await this.#ask('CommandAck', { element: 'Command', pipelineId });
  }
  has(commandId: string): boolean {
    return this.commands.has(commandId.toLowerCase());
  }
  /** It has said its last, fetched or not. */
  isDone(commandId: string): boolean {
    return this.#outputs.get(commandId.toLowerCase())?.isDone === true;
  }
  stop(commandId: string): Promise<void> {
    return this.#ask('SignalAck', { element: 'Signal', pipelineId: commandId.toLowerCase() });
  }
  terminate(commandId: string): void {
    const pipelineId = commandId.toLowerCase();
    // Nobody fetches its output any more: it must not hold up the process.
    this.#outputs.get(pipelineId)?.wake();
    this.#outputs.delete(pipelineId);
    this.#throttle();
    this.commands.delete(pipelineId);
    // Not waited for: the process may be held up by the output of another one, which its client does not fetch now.
    this.#ask('CloseAck', { element: 'Close', pipelineId }).catch(() => undefined);
  }
  async delete(): Promise<void> {
    if (this.#isGone) return;
    const closed = new Promise<void>((resolve) => this.#child.once('close', () => resolve()));
    this.#write({ element: 'Close', pipelineId: null });
    // Nothing comes after it. Without this a process that answers Close and stays would be waited for until its time is over.
    this.#child.stdin.end();
    const hard = setTimeout(() => this.#child.kill('SIGKILL'), 2000);
    await closed;
    clearTimeout(hard);
  }
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /**
   * The output there is now, or null when the time passed first. What is not taken waits; who was cut off asks again.
   * @param maxBytes of one answer, before base64
   * @throws ShellGone
   */
  async receive(
    commandId: string | null,
    timeoutMs: number,
    gone: AbortSignal,
    maxBytes: number,
  ): Promise<ReceiveResponse | null> {
    const key = commandId?.toLowerCase() ?? POOL;
    const output = this.#outputs.get(key);
    if (output === undefined || this.#isGone) throw new ShellGone();
    const isEmpty = (): boolean => output.chunks.length === 0 && !output.isDone;
    if (isEmpty()) await this.#hold(() => waitFor(output, this.#options.clock, timeoutMs, gone));
    if (this.#outputs.get(key) !== output) throw new ShellGone();
    if (this.state === 'Disconnected') throw new ShellLeft();
    if (isEmpty() || gone.aborted) return null;
    const streams: ReceiveResponse['streams'][number][] = [];
    for (let size = 0; ;) {
      const [bytes] = output.chunks;
      if (bytes === undefined || (size > 0 && size + bytes.length > maxBytes)) break;
      output.chunks.shift();
      // A fragment that fits into no answer goes in pieces.
      if (bytes.length > maxBytes) output.chunks.unshift(bytes.subarray(maxBytes));
      const piece = bytes.subarray(0, maxBytes);
      size += piece.length + STREAM_BYTES;
      output.size -= piece.length;
      if (key === POOL) this.#lastTold = bytes;
      streams.push({ name: 'stdout', commandId: commandId?.toUpperCase() ?? null, bytes: piece });
    }
    this.#throttle();
    const isOver = output.isDone && output.chunks.length === 0;
    const commandState = { commandId: key.toUpperCase(), state: 'Done', exitCode: 0 } as const;
    return { streams, commandState: key !== POOL && isOver ? commandState : null };
  }

  async #hold(poll: () => Promise<void>): Promise<void> {
    this.#polls += 1;
    this.#stopIdle();
    await poll();
    this.#polls -= 1;
    this.touch();
  }

  /** What waits to be fetched. */
  get waitingBytes(): number {
    return [...this.#outputs.values()].reduce((sum, { size }) => sum + size, 0);
  }

  #output(key: string): Output {
    const output = { chunks: [], size: 0, isDone: false, wake: () => undefined };
    this.#outputs.set(key, output);
    return output;
  }

  #throttle(): void {
    let waiting = 0;
    for (const output of this.#outputs.values()) {
      while (this.#bufferMode === 'Drop' && output.size > MAX_WAITING_BYTES) {
        const dropped = output.chunks.shift()?.length ?? 0;
        output.size -= dropped;
        this.droppedBytes += dropped;
      }
      waiting += output.size;
    }
    if (waiting > MAX_WAITING_BYTES) this.#child.stdout.pause();
    else this.#child.stdout.resume();
  }

  #line(line: Uint8Array): void {
    if (line[0] !== 0x3c) return;
    const packet = decodePacket(line);
    if (packet.element === 'Data') {
      const output = this.#outputs.get(packet.pipelineId ?? POOL);
      if (output === undefined) return;
      if (packet.pipelineId === null) this.#keep(packet.data);
      output.chunks.push(packet.data);
      output.size += packet.data.length;
      if (packet.pipelineId !== null && isFinal(packet.data)) output.isDone = true;
      output.wake();
      this.#options.wrote();
      return;
    }
    this.#acks.get(`${packet.element}/${packet.pipelineId ?? POOL}`)?.shift()?.();
  }

  #keep(data: Uint8Array): void {
    const type = data.length > 29 ? Buffer.from(data).readUInt32LE(25) : 0;
    if (type === CAPABILITY) this.#capability = data;
    else if (type === PRIVATE_DATA) this.#privateData = data;
  }

  #ask(ack: Ack, packet: Packet): Promise<void> {
    if (this.#isGone) return Promise.reject(new ShellGone());
    const key = `${ack}/${packet.pipelineId ?? POOL}`;
    return new Promise((resolve, reject) => {
      const waiting = this.#acks.get(key) ?? [];
      waiting.push(() => (this.#isGone ? reject(new ShellGone()) : resolve()));
      this.#acks.set(key, waiting);
      this.#write(packet);
    });
  }

  #write(packet: Packet): void {
    this.#child.stdin.write(encodePacket(packet));
  }

  #end(): void {
    this.#isGone = true;
    this.#stopIdle();
    const outputs = [...this.#outputs.values()];
    this.#outputs.clear();
    for (const { wake } of outputs) wake();
    for (const waiting of this.#acks.values()) for (const each of waiting.splice(0)) each();
    this.#options.ended();
  }
}

/** PIPELINE_STATE with a final state; its message is small and never cut. [MS-PSRP] 2.2.2.21 */
function isFinal(fragment: Uint8Array): boolean {
  const view = Buffer.from(fragment.buffer, fragment.byteOffset, fragment.length);
  return fragment.length > 65 && view.readUInt32LE(25) === 0x00041006 && FINAL.test(view.toString('utf8'));
}

/** Until there is output, the time is over, or nobody waits any more. */
function waitFor(output: Output, clock: Clock, timeoutMs: number, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      gone.removeEventListener('abort', done);
      output.wake = () => undefined;
      resolve();
    };
    const cancel = clock.after(timeoutMs, done);
    gone.addEventListener('abort', done, { once: true });
    output.wake = done;
    if (gone.aborted) done();
  });
}
