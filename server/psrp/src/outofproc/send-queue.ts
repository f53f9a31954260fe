import { endsMessage } from '../fragments/fragmenter.ts';
import type { Outgoing } from '../pool/outgoing.ts';
import { encodePacket } from './packets.ts';

interface Slot {
  /** A CommandAck is awaited; Data must wait for it. */
  isCreating: boolean;
  /** The first message, which makes the pipeline, has gone out whole. */
  isCreated: boolean;
  /** One Data is on its way. */
  isAwaitingAck: boolean;
  /** Answers to host calls, sent first. */
  first: Uint8Array[];
  rest: Uint8Array[];
  /** Index of the next item of `rest`. */
  next: number;
  signal: boolean;
  close: 'no' | 'wanted' | 'sent';
}

const POOL = '';

/**
 * Holds back what may not be sent yet. INVARIANT: at most one Data without DataAck per pipeline and for the pool; no Data
 * before CommandAck; no Signal before the DataAck of what went out, the pipeline's creation at least; the pool is closed after every pipeline's CloseAck.
 * Servers take lines in parallel threads, so a second Data could overtake the first, and a Signal the pipeline that it is
 * to stop: PowerShell says then that the pipeline was stopped, and runs it.
 */
export class SendQueue {
  readonly #slots = new Map<string, Slot>([[POOL, newSlot(false)]]);
  #lines: Uint8Array[] = [];

  add(items: readonly Outgoing[]): void {
    for (const item of items) this.#add(item);
  }

  #add(item: Outgoing): void {
    const key = item.pipelineId ?? POOL;
    switch (item.kind) {
      case 'command':
        this.#slots.set(key, newSlot(true));
        this.#lines.push(encodePacket({ element: 'Command', pipelineId: item.pipelineId }));
        return;
      case 'data': {
        const slot = this.#slots.get(key);
        if (slot === undefined) return;
        (item.priority === 'promptResponse' ? slot.first : slot.rest).push(item.fragment);
        this.#pump(key, slot);
        return;
      }
      case 'signal': {
        const slot = this.#slots.get(key);
        if (slot === undefined) return;
        slot.signal = true;
        this.#pump(key, slot);
        return;
      }
      case 'close': {
        const slot = this.#slots.get(key);
        if (slot === undefined || slot.close !== 'no') return;
        slot.close = 'wanted';
        this.#pump(key, slot);
        return;
      }
    }
  }

  /** The bytes that may be written now, whole lines. */
  take(): Uint8Array {
    const lines = this.#lines;
    this.#lines = [];
    const [only] = lines;
    if (lines.length === 1 && only !== undefined) return only;
    let length = 0;
    for (const line of lines) length += line.length;
    const out = new Uint8Array(length);
    let at = 0;
    for (const line of lines) {
      out.set(line, at);
      at += line.length;
    }
    return out;
  }

  commandAcknowledged(pipelineId: string): void {
    const slot = this.#slots.get(pipelineId);
    if (slot === undefined) return;
    slot.isCreating = false;
    this.#pump(pipelineId, slot);
  }
  dataAcknowledged(pipelineId: string | null): void {
    const slot = this.#slots.get(pipelineId ?? POOL);
    if (slot === undefined) return;
    slot.isAwaitingAck = false;
    this.#pump(pipelineId ?? POOL, slot);
  }
  closeAcknowledged(pipelineId: string): void {
    this.#slots.delete(pipelineId);
    const pool = this.#slots.get(POOL);
    if (pool !== undefined) this.#pump(POOL, pool);
  }

  #pump(key: string, slot: Slot): void {
    if (slot.isCreating || slot.close === 'sent') return;
    const pipelineId = key === POOL ? null : key;
    if (slot.close === 'wanted') {
      // What was not sent yet has no reader any more; the pool's own close waits for its pipelines.
      if (key === POOL && (this.#slots.size > 1 || slot.isAwaitingAck)) return;
      slot.close = 'sent';
      slot.first = [];
      slot.rest = [];
      this.#lines.push(encodePacket({ element: 'Close', pipelineId }));
      return;
    }
    if (slot.isAwaitingAck) return;
    if (slot.signal && slot.isCreated) {
      slot.signal = false;
      this.#lines.push(encodePacket({ element: 'Signal', pipelineId }));
    }
    this.#sendData(pipelineId, slot);
  }

  #sendData(pipelineId: string | null, slot: Slot): void {
    const urgent = slot.first.shift();
    if (urgent !== undefined) {
      slot.isAwaitingAck = true;
      this.#lines.push(encodePacket({ element: 'Data', priority: 'promptResponse', pipelineId, data: urgent }));
      return;
    }
    const data = slot.rest[slot.next];
    if (data === undefined) return;
    slot.next++;
    if (slot.next === slot.rest.length) {
      slot.rest = [];
      slot.next = 0;
    }
    slot.isAwaitingAck = true;
    slot.isCreated ||= endsMessage(data);
    this.#lines.push(encodePacket({ element: 'Data', priority: 'default', pipelineId, data }));
  }
}

const newSlot = (isCreating: boolean): Slot => ({
  isCreating,
  isCreated: false,
  isAwaitingAck: false,
  first: [],
  rest: [],
  next: 0,
  signal: false,
  close: 'no',
});
