import { OutOfProcError, PsrpError, PsrpProtocolError } from '../errors.ts';
import { SERVER_LIMITS, withLimits } from '../limits.ts';
import type { PsrpLimits } from '../limits.ts';
import type { PsObject } from '../clixml/object.ts';
import { ServerPool } from '../pool/server-pool.ts';
import type { PipelineEnd, ServerPoolOptions } from '../pool/server-pool.ts';
import type { ServerEvent } from '../pool/server-events.ts';
import { errorLine } from './error-lines.ts';
import { decodePacket, encodePacket, LineReader, lineText } from './packets.ts';
import type { Packet, SimpleElement } from './packets.ts';

/** Every packet error is about the line at hand. */
const PLACE = { offset: 0, section: 'ssh-framing 2 Elements' } as const;
/** The note that a real server leaves at the end of its input. */
const END_OF_INPUT =
  'An unknown element "" was received. This can happen if the remote process closed or ended abnormally.';

/** A pool's events, and the end of the process: a real pwsh exits with 160 then. */
export type OutOfProcServerEvent = ServerEvent | { readonly type: 'exit'; readonly status: number };

/** Acknowledgements that wait for a pipeline's end. */
interface Slot {
  signals: number;
  isClosing: boolean;
}

/**
 * The server's side of the subsystem. Answer its events through `pool`, end pipelines through `finish` (so that
 * acknowledgements follow the final state), then write what `takeOutgoing` gives.
 */
export class OutOfProcServer {
  readonly #options: ServerPoolOptions;
  readonly #limits: PsrpLimits;
  readonly #lines: LineReader;
  readonly #slots = new Map<string, Slot>();
  #pool: ServerPool;
  #out: Uint8Array[] = [];
  #isClosing = false;
  #hasExited = false;

  constructor(options: ServerPoolOptions = {}) {
    this.#options = options;
    this.#pool = new ServerPool(options);
    this.#limits = withLimits(SERVER_LIMITS, options.limits);
    this.#lines = new LineReader(this.#limits.maxLineBytes);
  }

  /** The pool at hand; a client may open another one after a close. */
  get pool(): ServerPool {
    return this.#pool;
  }
  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** Lines to write, in order. */
  takeOutgoing(): Uint8Array[] {
    this.#flush();
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #flush(): void {
    for (const item of this.#pool.takeOutgoing()) {
      if (item.kind !== 'data') continue;
      // Servers use one stream for everything.
      const { pipelineId, fragment } = item;
      this.#out.push(encodePacket({ element: 'Data', priority: 'default', pipelineId, data: fragment }));
    }
  }

  #acknowledge(element: SimpleElement, pipelineId: string | null): void {
    this.#flush();
    this.#out.push(encodePacket({ element, pipelineId }));
  }

  /** Ends a pipeline: the state, then the acknowledgements that waited for it. */
  finish(pipelineId: string, end: PipelineEnd, error: PsObject | null = null): OutOfProcServerEvent[] {
    const events: OutOfProcServerEvent[] = this.#pool.finish(pipelineId, end, error);
    const slot = this.#slots.get(pipelineId);
    if (slot === undefined) return events;
    for (; slot.signals > 0; slot.signals--) this.#acknowledge('SignalAck', pipelineId);
    if (slot.isClosing) events.push(...this.#closed(pipelineId));
    return events;
  }

  /** Takes bytes of the client. */
  receive(bytes: Uint8Array): OutOfProcServerEvent[] {
    const events: OutOfProcServerEvent[] = [];
    try {
      this.#lines.push(bytes, (line) => {
        if (!this.#hasExited) for (const event of this.#line(line)) events.push(event);
      });
    } catch (error) {
      if (!(error instanceof PsrpError)) throw error;
      events.push({ type: 'failed', error }, ...this.#exit(error.message));
    }
    return events;
  }

  /** The client's end of the channel is closed. */
  end(): OutOfProcServerEvent[] {
    return this.#hasExited ? [] : [...this.#stopAll(), ...this.#pool.close(), ...this.#exit(END_OF_INPUT)];
  }

  #exit(text: string): OutOfProcServerEvent[] {
    this.#hasExited = true;
    this.#flush();
    this.#out.push(new TextEncoder().encode(errorLine(text)));
    return [{ type: 'exit', status: 160 }];
  }

  #line(line: Uint8Array): OutOfProcServerEvent[] {
    if (line.length === 0) return this.end();
    if (line[0] !== 0x3c) throw new OutOfProcError('oop_bad_packet', lineText(line, 200), PLACE);
    return this.#packet(decodePacket(line));
  }

  #packet(packet: Packet): OutOfProcServerEvent[] {
    const { pipelineId } = packet;
    switch (packet.element) {
      case 'Data':
        return this.#data(packet);
      case 'Command':
        if (pipelineId === null) throw new OutOfProcError('oop_bad_packet', 'Command for the session', PLACE);
        this.#newSlot(pipelineId);
        this.#acknowledge('CommandAck', pipelineId);
        return [];
      case 'Signal':
        if (pipelineId === null) throw new OutOfProcError('oop_bad_packet', 'Signal for the session', PLACE);
        return this.#signal(pipelineId);
      case 'Close':
        return pipelineId === null ? this.#closeSession() : this.#close(pipelineId);
      case 'DataAck':
      case 'CommandAck':
      case 'SignalAck':
      case 'CloseAck':
        throw new OutOfProcError('oop_bad_packet', `${packet.element} from a client`, PLACE);
    }
  }

  #newSlot(pipelineId: string): void {
    if (this.#slots.size >= this.#limits.maxPipelines && !this.#slots.has(pipelineId)) {
      throw new PsrpProtocolError('psrp_bad_state', 'too many pipelines', { section: 'ssh-framing 2 Elements' });
    }
    this.#slots.set(pipelineId, { signals: 0, isClosing: false });
  }

  #data(packet: Extract<Packet, { element: 'Data' }>): OutOfProcServerEvent[] {
    const { pipelineId } = packet;
    // Bytes for a pipeline that is unknown or gone are acknowledged and dropped.
    if (pipelineId !== null && !this.#slots.has(pipelineId)) {
      this.#acknowledge('DataAck', pipelineId);
      return [];
    }
    if (pipelineId === null && (this.#pool.state === 'Closed' || this.#pool.state === 'Broken')) {
      this.#flush();
      this.#pool = new ServerPool(this.#options);
      this.#isClosing = false;
    }
    const events = this.#pool.receive(pipelineId, packet.data, packet.priority);
    this.#acknowledge('DataAck', pipelineId);
    const failed = events.find((event) => event.type === 'failed');
    return failed === undefined ? events : [...events, ...this.#exit(failed.error.message)];
  }

  #isLive(pipelineId: string): boolean {
    const state = this.#pool.pipelineState(pipelineId);
    return state === 'NotStarted' || state === 'Running' || state === 'Stopping';
  }

  #signal(pipelineId: string): OutOfProcServerEvent[] {
    const slot = this.#slots.get(pipelineId);
    if (slot === undefined || !this.#isLive(pipelineId)) {
      this.#acknowledge('SignalAck', pipelineId);
      return [];
    }
    slot.signals++;
    return this.#stop(pipelineId);
  }

  /** A pipeline that waits ends at once; a running one when its owner says so. */
  #stop(pipelineId: string): OutOfProcServerEvent[] {
    const events: OutOfProcServerEvent[] = this.#pool.stop(pipelineId);
    const slot = this.#slots.get(pipelineId);
    if (slot === undefined || this.#isLive(pipelineId)) return events;
    for (; slot.signals > 0; slot.signals--) this.#acknowledge('SignalAck', pipelineId);
    return slot.isClosing ? [...events, ...this.#closed(pipelineId)] : events;
  }

  #close(pipelineId: string): OutOfProcServerEvent[] {
    const slot = this.#slots.get(pipelineId);
    if (slot === undefined) {
      this.#acknowledge('CloseAck', pipelineId);
      return [];
    }
    slot.isClosing = true;
    return this.#isLive(pipelineId) ? this.#stop(pipelineId) : this.#closed(pipelineId);
  }

  #closed(pipelineId: string): OutOfProcServerEvent[] {
    this.#pool.forget(pipelineId);
    this.#slots.delete(pipelineId);
    this.#acknowledge('CloseAck', pipelineId);
    return this.#isClosing ? this.#closeWhenIdle() : [];
  }

  #stopAll(): OutOfProcServerEvent[] {
    return [...this.#slots.keys()].flatMap((pipelineId) => this.#close(pipelineId));
  }

  #closeSession(): OutOfProcServerEvent[] {
    this.#isClosing = true;
    const events = this.#stopAll();
    // The last pipeline's close may have closed the session already.
    return [...events, ...this.#closeWhenIdle()];
  }

  #closeWhenIdle(): OutOfProcServerEvent[] {
    if (this.#slots.size > 0 || !this.#isClosing) return [];
    this.#isClosing = false;
    const events = this.#pool.close();
    this.#acknowledge('CloseAck', null);
    return events;
  }
}
