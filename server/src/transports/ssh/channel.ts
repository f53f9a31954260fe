import type { Duplex } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import type { Clock } from '../../clock.ts';
import type { ChannelEnd, ChannelEvents, PtyChannel } from '../contract.ts';

/** Unsent bytes in the socket above which `write` says wait, and below which `drain` is told. */
const HIGH_WRITE_BYTES = 256 * 1024;
const LOW_WRITE_BYTES = 64 * 1024;
/** How long a closing channel may wait for the target's own close. */
const CLOSE_MS = 2000;
/** ssh2's window is 2 MiB; a target that sends twice as much into a stopped channel ignores the window. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;
/**
 * A flood comes in PTY reads of 4 KiB, each its own packet, and every delivery costs a sealed journal chunk, a write and
 * a frame. So what follows a large delivery within GATHER_MS waits for the rest of that time, or for GATHER_BYTES.
 * A key's echo or a prompt is small or comes alone, and never waits.
 */
const GATHER_MS = 2;
/** One socket read of 64 KiB, in packets of 4 KiB, passes this and still goes out as one frame. */
const GATHER_BYTES = 60_000;
const LARGE_BYTES = 2048;

/** RFC 4254 section 6.10: TERM, KILL, or a name of somebody's own. Peer text, so anything else is not shown. */
function toSignalName(signal: string): string {
  const name = signal.replace(/^SIG/, '');
  return /^[A-Za-z0-9][A-Za-z0-9@._-]{0,31}$/.test(name) ? name : 'unknown';
}

/** What a channel needs to know of its connection. */
export interface ChannelOwner {
  readonly socket: Duplex;
  readonly clock: Clock;
  /** Why the connection ended, if it did so by itself. */
  lost(): Error | null;
  gone(channel: SshChannel): void;
}

/**
 * One SSH session channel. What one socket read brought leaves as one `data` call: ssh2 gives 4 KiB pieces, and each
 * call costs a journal entry and a frame further up.
 */
export class SshChannel implements PtyChannel {
  readonly #stream: ClientChannel;
  readonly #owner: ChannelOwner;
  readonly #events: ChannelEvents;
  readonly #isGathering: boolean;
  readonly #closed: Promise<void>;
  #resolveClosed: () => void = () => undefined;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #deliveredBytes = 0;
  #deliveredAt = 0;
  #cancelGather: (() => void) | null = null;
  #isFlushDue = false;
  #state: 'waiting' | 'open' | 'closing' | 'closed' = 'waiting';
  #isPaused = false;
  /** The stream rests until the next turn: GATHER_BYTES are waiting to be delivered. */
  #isResting = false;
  #isDrainDue = false;
  #exit: { code: number | null; signal: string | null } | null = null;
  #isStreamClosed = false;

  /**
   * @param isErrorShown true for a PTY: what comes as standard error is shown with the rest, and a flood is delivered in
   * larger pieces; else standard error is dropped
   */
  constructor(stream: ClientChannel, owner: ChannelOwner, events: ChannelEvents, isErrorShown: boolean) {
    this.#stream = stream;
    this.#owner = owner;
    this.#events = events;
    this.#isGathering = isErrorShown;
    this.#closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    stream.on('exit', (code: number | null, signal?: string) => {
      this.#exit = { code, signal: signal === undefined ? null : toSignalName(signal) };
    });
    stream.on('close', () => {
      this.#isStreamClosed = true;
      this.#finish();
    });
    // A write error only says that the channel is gone, which `close` says too.
    stream.on('error', () => undefined);
    stream.on('drain', () => this.socketDrained());
    if (isErrorShown) stream.stderr.on('data', (chunk: Buffer) => this.#take(chunk));
    else stream.stderr.resume();
  }

  /** Starts delivery; called once the opener holds the channel, so that no event comes before. */
  start(): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'open';
    this.#stream.on('data', (chunk: Buffer) => this.#take(chunk));
    if (this.#isPaused) this.#stream.pause();
    this.#finish();
  }

  /** True when the target sent far more than the window allows. */
  isFlooded(): boolean {
    return this.#stream.readableLength > MAX_UNREAD_BYTES || this.#stream.stderr.readableLength > MAX_UNREAD_BYTES;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state === 'closing' || this.#state === 'closed' || this.#isStreamClosed || !this.#stream.writable)
      return true;
    // ssh2 writes a packet as length, ciphertext and tag: uncorked, each would be a segment that wakes the target.
    this.#owner.socket.cork();
    const hasRoom = this.#stream.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    this.#owner.socket.uncork();
    if (hasRoom && this.#owner.socket.writableLength < HIGH_WRITE_BYTES) return true;
    this.#isDrainDue = true;
    return false;
  }

  /** The socket or the channel has room again. */
  socketDrained(): void {
    if (!this.#isDrainDue || this.#state !== 'open') return;
    if (this.#stream.writableNeedDrain || this.#owner.socket.writableLength > LOW_WRITE_BYTES) return;
    this.#isDrainDue = false;
    this.#events.drain();
  }

  pause(): void {
    this.#isPaused = true;
    if (this.#state !== 'open') return;
    this.#stream.pause();
    this.#stream.stderr.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#state !== 'open') return;
    this.#schedule();
    this.#flow();
  }

  resize(cols: number, rows: number): void {
    if (this.#state !== 'closed' && !this.#isStreamClosed) this.#stream.setWindow(rows, cols, 0, 0);
  }

  signal(name: 'INT' | 'TERM' | 'HUP' | 'KILL' | 'QUIT'): void {
    if (this.#state !== 'closed' && !this.#isStreamClosed) this.#stream.signal(name);
  }

  close(): Promise<void> {
    if (this.#state === 'waiting' || this.#state === 'open') {
      this.#state = 'closing';
      this.#batch = [];
      this.#stream.removeAllListeners('data').resume();
      this.#stream.stderr.removeAllListeners('data').resume();
      this.#stream.close();
      // The target has been told; when it does not answer, we do not wait for it.
      const cancel = this.#owner.clock.after(CLOSE_MS, () => this.#end(null));
      void this.#closed.then(cancel);
      this.#finish();
    }
    return this.#closed;
  }

  #take(chunk: Buffer): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#batch.push(chunk);
    this.#batchBytes += chunk.length;
    if (this.#batchBytes >= GATHER_BYTES && this.#holdsUnread()) this.#rest();
    this.#schedule();
  }

  /**
   * A stream that was paused holds up to 2 MiB and would give it all in one turn: past any credit, and long enough to
   * hold up the neighbours. INVARIANT: one turn delivers at most GATHER_BYTES and one read of the socket.
   */
  #rest(): void {
    if (this.#isResting) return;
    this.#isResting = true;
    this.#stream.pause();
    this.#stream.stderr.pause();
    setImmediate(() => {
      this.#isResting = false;
      this.#flow();
    });
  }

  /** What comes from the socket goes straight through; only a stream that was paused holds something. */
  #holdsUnread(): boolean {
    return this.#stream.readableLength > 0 || this.#stream.stderr.readableLength > 0;
  }

  #flow(): void {
    if (this.#isPaused || this.#isResting || this.#state !== 'open') return;
    this.#stream.resume();
    this.#stream.stderr.resume();
  }

  /** The next tick comes when ssh2 has parsed the whole socket read. */
  #schedule(): void {
    if (this.#isFlushDue || this.#isPaused || this.#isFlood()) return;
    this.#isFlushDue = true;
    process.nextTick(() => {
      this.#isFlushDue = false;
      this.#flush();
      this.#finish();
    });
  }

  /** True when the timer will deliver what waits. */
  #isFlood(): boolean {
    if (!this.#isGathering || this.#deliveredBytes < LARGE_BYTES || this.#batchBytes >= GATHER_BYTES) return false;
    if (this.#owner.clock.monotonic() - this.#deliveredAt >= GATHER_MS) return false;
    this.#cancelGather ??= this.#owner.clock.after(GATHER_MS, () => {
      this.#cancelGather = null;
      this.#flush();
    });
    return true;
  }

  #flush(): void {
    if (this.#isPaused || this.#state !== 'open') return;
    const batch = this.#batch;
    const [first] = batch;
    if (first === undefined) return;
    this.#cancelGather?.();
    this.#cancelGather = null;
    if (this.#isGathering) this.#deliveredAt = this.#owner.clock.monotonic();
    this.#deliveredBytes = this.#batchBytes;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#events.data(batch.length === 1 ? first : Buffer.concat(batch, this.#deliveredBytes));
  }

  /** INVARIANT: `closed` comes last, after every byte; a paused channel keeps both until `resume`. */
  #finish(): void {
    if (!this.#isStreamClosed || this.#state === 'waiting') return;
    this.#flush();
    if (this.#state === 'open' && this.#batch.length > 0) return;
    this.#end(this.#exit === null && this.#state === 'open' ? this.#owner.lost() : null);
  }

  #end(error: Error | null): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const end: ChannelEnd = { exitCode: this.#exit?.code ?? null, signal: this.#exit?.signal ?? null, error };
    this.#owner.gone(this);
    this.#events.closed(end);
    this.#resolveClosed();
  }
}
