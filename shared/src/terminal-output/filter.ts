import { ALLOWED_C1, MAX_CSI_BYTES, isAllowedCsi, isAllowedEscape } from './csi.ts';
import { MAX_STRING_BYTES, answerDcs, judgeOsc } from './strings.ts';

const BEL = 0x07;
const CAN = 0x18;
const SUB = 0x1a;
const ESC = 0x1b;
const ENQ = 0x05;
/** First byte of U+0080 to U+00BF in UTF-8; it is never a continuation byte, so one look is enough. */
const C1_LEAD = 0xc2;

/** Told by the filter while it works. */
export interface OutputFilterEvents {
  /** The target set a title: at most 128 printable characters. Show it in a labelled place only. */
  title?(text: string): void;
  /** A DECRQSS question; the text is its constant answer, for the program's input. Only the controller's page sends it. */
  answer?(text: string): void;
}

/** One per stream; keeps the state between chunks. */
export interface OutputFilter {
  /** @returns what may be shown; the same array when nothing had to be changed (then it is not copied). */
  push(bytes: Uint8Array): Uint8Array;
  /** Sequences dropped so far. */
  readonly dropped: number;
  /** String sequences over 64 KiB so far. */
  readonly overlong: number;
}

type Mode = 'ground' | 'c1' | 'escape' | 'csi' | 'osc' | 'dcs' | 'ignore';

/** Which string a C1 control or the byte after ESC opens. */
const STRINGS: Readonly<Record<number, Mode>> = {
  0x90: 'dcs',
  0x98: 'ignore',
  0x9d: 'osc',
  0x9e: 'ignore',
  0x9f: 'ignore',
};

class Filter implements OutputFilter {
  dropped = 0;
  overlong = 0;
  readonly #events: OutputFilterEvents;
  #mode: Mode = 'ground';
  /** The mode to go back to when 0xC2 was not the start of a C1 control. */
  #before: Mode = 'ground';
  /** Body of the sequence under way; without its introducer. */
  #body: number[] = [];
  #isTooLong = false;
  #out: Uint8Array[] = [];
  #chunk: Uint8Array = new Uint8Array(0);
  /** Start of the bytes of this chunk that pass as they are; -1 while a sequence is open. */
  #run = 0;

  constructor(events: OutputFilterEvents) {
    this.#events = events;
  }

  push(bytes: Uint8Array): Uint8Array {
    this.#chunk = bytes;
    this.#out = [];
    this.#run = this.#mode === 'ground' ? 0 : -1;
    let at = 0;
    while (at < bytes.length) at = this.#mode === 'ground' ? this.#plain(at) : this.#step(at);
    if (this.#run === 0 && this.#out.length === 0) return bytes;
    this.#cut(bytes.length);
    return join(this.#out);
  }

  /** Runs over plain text to the next byte that needs a look. */
  #plain(from: number): number {
    const bytes = this.#chunk;
    if (this.#run < 0) this.#run = from;
    let at = from;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (byte === ESC || byte === C1_LEAD || byte === ENQ) break;
    }
    if (at >= bytes.length) return at;
    if (bytes[at] === ESC && bytes[at + 1] === 0x5b) {
      const end = this.#wholeCsi(at + 2);
      if (end > 0) return end;
    }
    const next = bytes[at + 1];
    if (bytes[at] === C1_LEAD && next !== undefined && next >= 0xa0 && next <= 0xbf) return at + 2;
    this.#cut(at);
    if (bytes[at] === ESC) this.#open('escape');
    else if (bytes[at] === C1_LEAD) this.#lead();
    else this.dropped += 1;
    return at + 1;
  }

  /** The common case, a CSI that lies in one chunk. @returns the index after it when it passes, else 0 */
  #wholeCsi(start: number): number {
    const bytes = this.#chunk;
    let at = start;
    while (at < bytes.length && at - start < MAX_CSI_BYTES && ((bytes[at] ?? 0) & 0xe0) === 0x20) at += 1;
    const final = bytes[at] ?? 0;
    if (final < 0x40 || final > 0x7e || !isAllowedCsi(bytes, start, at + 1)) return 0;
    return at + 1;
  }

  /** Ends the run of passing bytes before `end`. */
  #cut(end: number): void {
    if (this.#run >= 0 && end > this.#run) this.#out.push(this.#chunk.subarray(this.#run, end));
    this.#run = -1;
  }

  #open(mode: Mode): void {
    this.#mode = mode;
    this.#body = [];
    this.#isTooLong = false;
  }
  #lead(): void {
    this.#before = this.#mode;
    this.#mode = 'c1';
  }
  #ground(): void {
    this.#open('ground');
  }
  #emit(...bytes: number[]): void {
    this.#out.push(Uint8Array.from(bytes));
  }
  #drop(): void {
    this.dropped += 1;
    this.#ground();
  }

  /** One byte inside a sequence. @returns the next index; the same one when the byte belongs to what follows */
  #step(at: number): number {
    const byte = this.#chunk[at] ?? 0;
    switch (this.#mode) {
      case 'c1':
        return this.#c1(byte, at);
      case 'escape':
      case 'csi':
        // Text that is not ASCII ends a sequence; it is shown.
        if (byte > 0x7f && byte !== C1_LEAD) {
          this.#drop();
          return at;
        }
        if (this.#mode === 'escape') this.#escape(byte);
        else this.#csi(byte);
        return at + 1;
      case 'ground':
        return at;
      case 'osc':
      case 'dcs':
      case 'ignore':
        this.#string(byte);
        return at + 1;
    }
  }

  #c1(byte: number, at: number): number {
    this.#mode = this.#before;
    if (byte < 0x80 || byte > 0x9f) {
      if (this.#isString()) this.#keep(C1_LEAD);
      else if (this.#mode !== 'ground') this.#drop();
      if (this.#mode !== 'ground' || byte < 0xa0 || byte > 0xbf) return at; // It may be ESC, or a second 0xC2.
      // A lead byte without its continuation is never let through: a later 0x9B would make a C1 control of it.
      this.#emit(C1_LEAD, byte);
      return at + 1;
    }
    if (byte === 0x9c && this.#isString()) {
      this.#endString();
      return at + 1;
    }
    if (this.#mode !== 'ground') this.dropped += 1;
    this.#ground();
    const opened = byte === 0x9b ? 'csi' : STRINGS[byte];
    if (opened !== undefined) this.#open(opened);
    else if (ALLOWED_C1.has(byte)) this.#emit(C1_LEAD, byte);
    else this.dropped += 1;
    return at + 1;
  }

  /** CAN and SUB end any sequence, ESC starts a new one, other controls act at once: as xterm does. */
  #control(byte: number): void {
    if (byte === CAN || byte === SUB) this.#drop();
    else if (byte === ESC) {
      this.dropped += 1;
      this.#open('escape');
    } else if (byte !== ENQ && byte !== 0x7f) this.#emit(byte);
  }

  #escape(byte: number): void {
    if (byte < 0x20 || byte === 0x7f) this.#control(byte);
    else if (byte === C1_LEAD) this.#lead();
    else if (byte <= 0x2f) {
      if (this.#body.length < 4) this.#body.push(byte);
    } else if (this.#body.length === 0 && byte === 0x5b) this.#open('csi');
    else if (this.#body.length === 0 && STRINGS[byte + 0x40] !== undefined)
      this.#open(STRINGS[byte + 0x40] ?? 'ignore');
    else {
      const isStringEnd = byte === 0x5c && this.#body.length === 0;
      if (isAllowedEscape(this.#body, byte)) this.#emit(ESC, ...this.#body, byte);
      else if (!isStringEnd) this.dropped += 1;
      this.#ground();
    }
  }

  #csi(byte: number): void {
    if (byte < 0x20 || byte === 0x7f) this.#control(byte);
    else if (byte === C1_LEAD) this.#lead();
    else {
      if (this.#body.length <= MAX_CSI_BYTES) this.#body.push(byte);
      if (byte < 0x40) return;
      if (!isAllowedCsi(this.#body, 0, this.#body.length)) this.dropped += 1;
      else this.#emit(ESC, 0x5b, ...this.#body);
      this.#ground();
    }
  }

  #isString(): boolean {
    return this.#mode === 'osc' || this.#mode === 'dcs' || this.#mode === 'ignore';
  }

  #string(byte: number): void {
    if (byte === ESC) {
      this.#endString();
      this.#open('escape');
    } else if (byte === CAN || byte === SUB) this.#drop();
    else if (byte === BEL && this.#mode === 'osc') this.#endString();
    else if (byte === C1_LEAD) this.#lead();
    else this.#keep(byte);
  }

  /** A byte of a string; counted to the limit, kept only where the body will be read. */
  #keep(byte: number): void {
    if (this.#body.length < MAX_STRING_BYTES) this.#body.push(byte);
    else if (!this.#isTooLong) {
      this.#isTooLong = true;
      this.overlong += 1;
    }
  }

  #endString(): void {
    const mode = this.#mode;
    const body = Uint8Array.from(this.#body);
    const isTooLong = this.#isTooLong;
    this.#ground();
    if (isTooLong || mode === 'ignore') this.dropped += 1;
    else if (mode === 'dcs') this.#endDcs(body);
    else this.#endOsc(body);
  }

  #endDcs(body: Uint8Array): void {
    this.dropped += 1;
    const answer = answerDcs(body);
    if (answer !== null) this.#events.answer?.(answer);
  }

  #endOsc(body: Uint8Array): void {
    const verdict = judgeOsc(body);
    if (verdict.kind === 'pass') this.#out.push(new TextEncoder().encode(`\x1b]${verdict.body}\x1b\\`));
    else this.dropped += 1;
    if (verdict.kind === 'title') this.#events.title?.(verdict.text);
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (first === undefined) return new Uint8Array(0);
  if (parts.length === 1) return first;
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * The one filter between a target's bytes and a screen: live view, watchers and replay. security.md section 3,
 * "Terminal output policy". Recordings keep the raw bytes.
 *
 * INVARIANT: what it returns is text without ESC and C1 controls plus whole, allowed sequences in their 7-bit form, so
 * no split of the stream can build a sequence that was not judged.
 */
export const createOutputFilter = (events: OutputFilterEvents = {}): OutputFilter => new Filter(events);
