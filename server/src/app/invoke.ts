/**
 * Running a script over the API: a session like any other, with a page inside the gateway that acknowledges what the
 * client has taken. What is told to the client waits until the output it stands for has come through the recording.
 */
import type { InvokeBody, InvokeEvent } from '@sallyport/shared/api/invoke';
import { errorText } from '@sallyport/shared/error-codes';
import type { ErrorCode } from '@sallyport/shared/error-codes';
import type { ServerMessage } from '@sallyport/shared/wire/control';
import { parseServerFrame } from '@sallyport/shared/wire/frames';
import type { Broker, Page, Requester, SessionSocket } from '../broker/contract.ts';
import { requesterOf } from '../http/routes/account.ts';
import { codeOf } from '../errors.ts';
import type { Caller } from '../http/route.ts';
import { type ScriptEnd, type ScriptEvent, openScriptTerminal } from '../terminals/powershell/script.ts';
import { type OpeningDeps, type StartTerminal, planSession } from './opening.ts';

const ROWS = 50;
/** A client has left, and the audit log does not take it: until it does, the script runs on. */
const END_AGAIN_MS = 1000;
const FINAL: ReadonlySet<ErrorCode> = new Set(['not_found', 'forbidden']);

/** Events in order, each held back until its bytes were delivered; a page of the session on its other side. */
class ScriptPage implements SessionSocket {
  readonly bufferedAmount = 0;
  readonly #sessionId: () => string;
  #page: Page | null = null;
  #told: { readonly event: ScriptEvent; readonly until: number }[] = [];
  #received = 0;
  #acked = 0;
  #scriptEnd: ScriptEnd | null = null;
  #end: InvokeEvent | null = null;
  #wake: () => void = () => undefined;

  constructor(sessionId: () => string) {
    this.#sessionId = sessionId;
  }

  // ---- from the script

  told(event: ScriptEvent, until: number): void {
    this.#told.push({ event, until });
    this.#changed();
  }
  scriptEnded(end: ScriptEnd): void {
    this.#scriptEnd = end;
  }

  // ---- from the session

  attached(page: Page): void {
    this.#page = page;
    this.#changed();
  }
  send(frame: Uint8Array): void {
    this.#received += parseServerFrame(frame)?.bytes.length ?? 0;
    this.#changed();
  }
  sendControl(message: ServerMessage): void {
    // Nobody is there to answer: what asks ends with the code of a refusal.
    if (message.type === 'question')
      queueMicrotask(() => this.#page?.handle({ type: 'answer', id: message.question.id, answer: { kind: 'cancel' } }));
    if (message.type === 'ended')
      this.#ended(message.reason as ErrorCode, message.message, message.explanation, message.detail);
  }
  close(_code: number, reason: ErrorCode): void {
    this.#ended(reason, errorText(reason));
  }

  #ended(reason: ErrorCode, ...said: readonly (string | undefined)[]): void {
    if (this.#end !== null) return;
    const script = this.#scriptEnd;
    const words = said.filter(Boolean).join(' ');
    this.#end = {
      type: 'ended',
      state: script?.state ?? 'not_started',
      exitCode: reason === 'exited' ? (script?.exitCode ?? 1) : 1,
      code: reason === 'exited' ? null : reason,
      message: script?.isTimedOut === true ? 'The script ran longer than it may and was stopped.' : words,
      sessionId: this.#sessionId(),
    };
    this.#changed();
  }

  // ---- to the client

  /** The next event; null after the last one. Taking an event acknowledges those before it. */
  async next(): Promise<InvokeEvent | null> {
    for (;;) {
      const [head] = this.#told;
      if (head !== undefined && head.until <= this.#received) {
        this.#told.shift();
        this.#acknowledge(this.#told[0]?.until ?? head.until);
        return head.event;
      }
      if (this.#end !== null) return this.#end;
      // Nothing is ready: more must come, so all that came is taken.
      this.#acknowledge(this.#received);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #acknowledge(offset: number): void {
    const upTo = Math.min(offset, this.#received);
    if (upTo <= this.#acked || this.#page === null) return;
    this.#acked = upTo;
    this.#page.handle({ type: 'ack', offset: upTo });
  }
  #changed(): void {
    const wake = this.#wake;
    this.#wake = () => undefined;
    wake();
  }
}

/** The opener's own page: a token that may open may also see and end what it opened. */
function ownPage(who: Requester): Requester {
  const { tokenScopes } = who.subject;
  if (tokenScopes === null) return who;
  const scopes = [...tokenScopes, 'session.attach', 'session.control', 'session.terminate'] as const;
  return { ...who, subject: { ...who.subject, tokenScopes: scopes } };
}

/**
 * The first event comes when the session is audited and its recording open.
 * @throws SallyportError not_found, forbidden, bad_request and what `broker.open` throws
 */
export async function* invokeScript(
  body: InvokeBody,
  caller: Caller,
  { broker, opening }: { readonly broker: Broker; readonly opening: OpeningDeps },
  signal: AbortSignal,
): AsyncGenerator<InvokeEvent, void> {
  const who = requesterOf(caller);
  let id = '';
  const page = new ScriptPage(() => id);
  const start: StartTerminal = (_kind, way, place, port, size, aborted, clock) =>
    openScriptTerminal({
      openPool: way.openPool,
      lend: way.lend,
      closeConnection: () => way.close(),
      targetName: place.name,
      ...size,
      events: port,
      clock,
      signal: aborted,
      ...{ script: body.script, output: body.output, timeoutMs: body.timeoutMs },
      told: (event, until) => page.told(event, until),
      scriptEnded: (end) => page.scriptEnded(end),
    });
  const size = { cols: body.cols, rows: ROWS };
  const to = { by: 'target', targetId: body.targetId } as const;
  const { request, openTerminal } = await planSession(
    { to, kind: 'powershell', credential: { by: 'default' }, language: '', ...size },
    caller,
    opening,
    start,
  );
  id = (await broker.open(who, request, openTerminal)).sessionId;
  let isEnding = false;
  const terminate = (): void => {
    if (isEnding) return;
    isEnding = true;
    broker.terminate(ownPage(who), id).catch((error: unknown) => {
      // It has ended meanwhile: there is nothing to end. Whatever cannot be audited now is asked for again.
      if (FINAL.has(codeOf(error))) return;
      isEnding = false;
      opening.clock.after(END_AGAIN_MS, terminate);
    });
  };
  let isMine = true;
  signal.addEventListener('abort', terminate, { once: true });
  try {
    if (signal.aborted) return;
    const attached = await broker.attach(ownPage(who), id, { ...size, offset: 0, takeOver: false }, page);
    page.attached(attached);
    yield { type: 'started', sessionId: id };
    for (let event = await page.next(); event !== null; event = await page.next()) {
      // Whoever took the session over goes on with it.
      isMine = event.type !== 'ended' || event.code !== 'taken_over';
      yield event;
      if (event.type === 'ended') return;
    }
  } finally {
    signal.removeEventListener('abort', terminate);
    if (isMine) terminate();
  }
}
