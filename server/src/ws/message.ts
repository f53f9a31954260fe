/** Reading what a page sends: size, depth, closed list of types. security.md section 4 "Control message JSON". */
import { ClientMessage, type ClientMessageType } from '@sallyport/shared/wire/control';
import { MAX_CONTROL_BYTES } from '@sallyport/shared/wire/credit';
import { FrameKind } from '@sallyport/shared/wire/frames';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import type { Action } from '../policy.ts';

/** Depth of a control message; the object itself is depth 1. */
export const MAX_CONTROL_DEPTH = 8;

const bad = (message: string, cause?: unknown) => new SallyportError('bad_message', message, { cause });

function checkDepth(root: unknown): void {
  const todo: { value: unknown; depth: number }[] = [{ value: root, depth: 1 }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { value, depth } = next;
    if (typeof value !== 'object' || value === null) continue;
    if (depth > MAX_CONTROL_DEPTH) throw bad('control message is nested too deep');
    for (const child of Object.values(value)) todo.push({ value: child, depth: depth + 1 });
  }
}

/** @param data one text frame, UTF-8 checked already. @throws SallyportError bad_message */
export function parseControl(data: Uint8Array): ClientMessage {
  if (data.length > MAX_CONTROL_BYTES) throw bad('control message over 16 KiB');
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(data));
  } catch (error) {
    throw bad('control message is not json', error);
  }
  checkDepth(value);
  const parsed = ClientMessage.safeParse(value);
  if (!parsed.success) throw bad('control message is none of the protocol', parsed.error);
  return parsed.data;
}

/** @returns PTY input bytes, a view. @throws SallyportError bad_message */
export function parseInputFrame(data: Uint8Array): Uint8Array {
  if (data[0] !== FrameKind.input) throw bad('binary frame is none that a page sends');
  return data.subarray(1);
}

/** What policy is asked for each message, every time. security.md T1. `input` stands for binary frames. */
export const MESSAGE_ACTIONS: Readonly<Record<ClientMessageType | 'input', Action | null>> = {
  attach: 'session.attach',
  resume: 'session.attach',
  ack: 'session.attach',
  detach: 'session.attach',
  resize: 'session.control',
  submit: 'session.control',
  stop: 'session.control',
  answer: 'session.control',
  complete: 'session.control',
  input: 'session.control',
  close: 'session.terminate',
  // Answered by the socket itself; says nothing about any session.
  ping: null,
};

/** Messages that a person made by typing: they keep a login alive. security.md section 3 "Login and sessions". */
export const TYPED: ReadonlySet<ClientMessageType | 'input'> = new Set([
  'submit',
  'stop',
  'answer',
  'complete',
  'input',
]);

/** 200 messages a second, 400 at once. security.md section 4 "WebSocket frame / message". */
export class MessageRate {
  static readonly perSecond = 200;
  static readonly burst = 400;
  #tokens = MessageRate.burst;
  #at: number;
  readonly #clock: Clock;
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#at = clock.monotonic();
  }
  /** @throws SallyportError rate_limited */
  take(): void {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(MessageRate.burst, this.#tokens + ((now - this.#at) / 1000) * MessageRate.perSecond);
    this.#at = now;
    if (this.#tokens < 1) throw new SallyportError('rate_limited', 'too many messages on one socket');
    this.#tokens -= 1;
  }
  /** The message that was taken last does not count. */
  giveBack(): void {
    this.#tokens = Math.min(MessageRate.burst, this.#tokens + 1);
  }
}
