import { OutOfProcError, PsrpError } from '../errors.ts';
import { DEFAULT_LIMITS, withLimits } from '../limits.ts';
import type { PsrpLimits } from '../limits.ts';
import { ClientPool } from '../pool/client-pool.ts';
import type {
  ClientPoolOptions,
  CommandMetadataOptions,
  HostAnswer,
  OpenOptions,
  PipelineOptions,
} from '../pool/client-options.ts';
import type { HostCallOf, HostMethodName } from '../host/methods.ts';
import type { PsValue } from '../clixml/object.ts';
import type { PsSecureString } from '../clixml/scalars.ts';
import type { PoolEvent, ReceivedMessage } from '../pool/events.ts';
import type { PublicKey } from '../pool/session-key.ts';
import type { PipelineStateName, PoolStateName } from '../pool/states.ts';
import type { ProtocolVersion } from '../pool/version.ts';
import { sortLine } from './error-lines.ts';
import { decodePacket, LineReader, lineText } from './packets.ts';
import type { Packet } from './packets.ts';
import { SendQueue } from './send-queue.ts';

/** Every packet error is about the line at hand. */
const PLACE = { offset: 0, section: 'ssh-framing 2 Elements' } as const;

/** Events of a pool, and what its channel says besides. */
export type ClientEvent =
  | PoolEvent
  /** Text before the first packet: banners, profile output, usage. */
  | { readonly type: 'noise'; readonly text: string }
  /** pwsh complains. Not fatal: the message sent last was refused; while opening the pool goes to Broken. */
  | { readonly type: 'errorLine'; readonly text: string; readonly isFatal: boolean };

/** How the channel ended. */
export interface ChannelEndInfo {
  readonly exitStatus: number | null;
  /** Collected text of standard error, the last 4 KiB. */
  readonly stderr?: string;
}

/** UTF-8's byte order mark is no part of a line. */
const withoutMark = (line: Uint8Array): Uint8Array =>
  line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf ? line.subarray(3) : line;

/**
 * A client pool over the lines of the SSH subsystem. After every call write what `takeOutgoing` gives: the lines that may
 * be sent now. Acknowledgements that come in free the next ones.
 */
export class OutOfProcClient {
  readonly #pool: ClientPool;
  readonly #limits: PsrpLimits;
  readonly #lines: LineReader;
  readonly #queue = new SendQueue();
  #noiseLines = 0;
  #hasPacket = false;
  #isTracing = false;

  constructor(options: ClientPoolOptions) {
    this.#limits = withLimits(DEFAULT_LIMITS, options.limits);
    this.#pool = new ClientPool(options);
    this.#lines = new LineReader(this.#limits.maxLineBytes);
  }

  get id(): string {
    return this.#pool.id;
  }
  get state(): PoolStateName {
    return this.#pool.state;
  }
  get protocolVersion(): ProtocolVersion | null {
    return this.#pool.protocolVersion;
  }
  get sessionKeyState(): 'none' | 'requested' | 'ready' {
    return this.#pool.sessionKeyState;
  }
  /** See `ClientPool.pipelineState`. */
  pipelineState(pipelineId: string): PipelineStateName | null {
    return this.#pool.pipelineState(pipelineId);
  }

  /** The bytes to write now; empty when nothing may be sent. */
  takeOutgoing(): Uint8Array {
    this.#queue.add(this.#pool.takeOutgoing());
    return this.#queue.take();
  }

  /** See `ClientPool.open`. */
  open(options: OpenOptions): void {
    this.#pool.open(options);
  }
  /** See `ClientPool.createPipeline`. */
  createPipeline(options: PipelineOptions): string {
    return this.#pool.createPipeline(options);
  }
  /** See `ClientPool.getCommandMetadata`. */
  getCommandMetadata(options?: CommandMetadataOptions): string {
    return this.#pool.getCommandMetadata(options);
  }
  /** See `ClientPool.sendInput`. */
  sendInput(pipelineId: string, value: PsValue): void {
    this.#pool.sendInput(pipelineId, value);
  }
  /** See `ClientPool.endInput`. */
  endInput(pipelineId: string): void {
    this.#pool.endInput(pipelineId);
  }
  /** See `ClientPool.stop`. */
  stop(pipelineId: string): boolean {
    return this.#pool.stop(pipelineId);
  }
  /** See `ClientPool.closePipeline`. */
  closePipeline(pipelineId: string): boolean {
    return this.#pool.closePipeline(pipelineId);
  }
  /** See `ClientPool.respondHostCall`. */
  respondHostCall<M extends HostMethodName>(call: HostCallOf<M>, answer: HostAnswer<M>): boolean {
    return this.#pool.respondHostCall(call, answer);
  }
  /** See `ClientPool.setMinRunspaces`. */
  setMinRunspaces(count: number): bigint {
    return this.#pool.setMinRunspaces(count);
  }
  /** See `ClientPool.setMaxRunspaces`. */
  setMaxRunspaces(count: number): bigint {
    return this.#pool.setMaxRunspaces(count);
  }
  /** See `ClientPool.getAvailableRunspaces`. */
  getAvailableRunspaces(): bigint {
    return this.#pool.getAvailableRunspaces();
  }
  /** See `ClientPool.resetRunspaceState`. */
  resetRunspaceState(): bigint {
    return this.#pool.resetRunspaceState();
  }
  /** See `ClientPool.requestSessionKey`. */
  requestSessionKey(): ClientEvent[] {
    return this.#pool.requestSessionKey();
  }
  /** See `ClientPool.supplyPublicKey`. */
  supplyPublicKey(key: PublicKey): void {
    this.#pool.supplyPublicKey(key);
  }
  /** See `ClientPool.supplySessionKey`. */
  supplySessionKey(key: Uint8Array): ClientEvent[] {
    return this.#pool.supplySessionKey(key);
  }
  /** See `ClientPool.seal`. */
  seal(text: string): PsSecureString {
    return this.#pool.seal(text);
  }
  /** See `ClientPool.unseal`. */
  unseal(value: PsSecureString): string {
    return this.#pool.unseal(value);
  }
  /** See `ClientPool.supplyBody`. */
  supplyBody(message: ReceivedMessage, body: PsValue | undefined): ClientEvent[] {
    return this.#pool.supplyBody(message, body);
  }
  /** Closes the pipelines, then the pool; Closed comes with the server's last acknowledgement. */
  close(): ClientEvent[] {
    return this.#pool.close();
  }
  /** The owner gives up, for example after a deadline: Broken. */
  fail(reason: string): ClientEvent[] {
    return this.#pool.fail(reason);
  }

  /** The channel has ended: Broken, unless the pool was closed or this client was closing it. */
  channelEnded(end: ChannelEndInfo): ClientEvent[] {
    if (this.#pool.state === 'Closing') return this.#pool.closed(null);
    const status = end.exitStatus === null ? '' : ` with status ${end.exitStatus}`;
    const stderr = end.stderr === undefined || end.stderr === '' ? '' : `: ${end.stderr}`;
    return this.#pool.fail(`the channel of the PowerShell subsystem ended${status}${stderr}`);
  }

  /** Takes bytes of the channel. A bad peer gives `failed` and Broken, never an exception. */
  receive(bytes: Uint8Array): ClientEvent[] {
    const events: ClientEvent[] = [];
    try {
      this.#lines.push(bytes, (line) => {
        if (this.state === 'Broken' || this.state === 'Closed') return;
        for (const event of this.#line(line)) events.push(event);
      });
    } catch (error) {
      if (!(error instanceof PsrpError)) throw error;
      events.push(...this.#pool.fail(error));
    }
    return events;
  }

  #line(given: Uint8Array): ClientEvent[] {
    // A shell of Windows may write a byte order mark before what it starts.
    const line = this.#hasPacket ? given : withoutMark(given);
    if (line[0] === 0x3c && (this.#hasPacket || this.#isPacket(line))) {
      this.#hasPacket = true;
      return this.#packet(decodePacket(line));
    }
    const sorted = sortLine(line);
    switch (sorted.kind) {
      case 'refusal':
        return this.#refused(sorted.text);
      case 'fatal':
        this.#isTracing = true;
        return [{ type: 'errorLine', text: sorted.text, isFatal: true }, ...this.#pool.fail(sorted.text)];
      case 'trace':
        return this.#isTracing ? [] : this.#noise(lineText(line));
      case 'other':
        return this.#noise(sorted.text);
    }
  }

  /** Before the first packet a banner may start with `<` too. */
  #isPacket(line: Uint8Array): boolean {
    try {
      decodePacket(line);
      return true;
    } catch (error) {
      if (error instanceof PsrpError && !/^<(Data|Command|Signal|Close)/.test(lineText(line, 16))) return false;
      throw error;
    }
  }

  #refused(text: string): ClientEvent[] {
    const event: ClientEvent = { type: 'errorLine', text, isFatal: false };
    return this.state === 'Opening'
      ? [event, ...this.#pool.fail(text === '' ? 'the server refused to open a runspace pool' : text)]
      : [event];
  }

  #noise(text: string): ClientEvent[] {
    if (this.#hasPacket) {
      throw new OutOfProcError('oop_bad_packet', `text between packets: ${JSON.stringify(text.slice(0, 200))}`, PLACE);
    }
    if (++this.#noiseLines > this.#limits.maxNoiseLines) {
      throw new OutOfProcError('oop_bad_packet', 'too much text before the first packet', PLACE);
    }
    return [{ type: 'noise', text }];
  }

  #packet(packet: Packet): ClientEvent[] {
    const { pipelineId } = packet;
    switch (packet.element) {
      case 'Data':
        return this.#pool.receive(pipelineId, packet.data, packet.priority);
      case 'DataAck':
        this.#queue.dataAcknowledged(pipelineId);
        return [];
      case 'CommandAck':
        if (pipelineId !== null) this.#queue.commandAcknowledged(pipelineId);
        return [];
      case 'SignalAck':
        return pipelineId === null ? [] : this.#pool.signalled(pipelineId);
      case 'CloseAck':
        if (pipelineId !== null) this.#queue.closeAcknowledged(pipelineId);
        return this.#pool.closed(pipelineId);
      case 'Command':
      case 'Signal':
      case 'Close':
        throw new OutOfProcError('oop_bad_packet', `${packet.element} from a server`, PLACE);
    }
  }
}
