/** Leaving and picking up as a real Windows server was left and picked up: its recorded answers in place of the connection. */
import { ClientPool, consoleHostInfo, versionTable } from '@sallyport/psrp';
import { ENVELOPE_BYTES, OPERATIONS, readRequest, Requests, writeAnswer } from '@sallyport/wsman';
import type { ShellInfo } from '@sallyport/wsman';
import { expect, it } from 'vitest';
import { DIFFERENCES, shapeOf } from '../../../../test/lab/recorded-shape.ts';
import type { Difference } from '../../../../test/lab/recorded-shape.ts';
import { NO_WINDOWS_CAPTURES, recordedExchanges } from '../../../../test/lab/windows-captures.ts';
import type { RecordedExchange } from '../../../../test/lab/windows-captures.ts';
import { EnvelopeSize } from './envelope-size.ts';
import { rejoin } from './rejoin.ts';
import { WsManShell } from './shell.ts';
import type { ShellEvent } from './shell-types.ts';
import { TargetShells } from './target-shells.ts';

const SCENARIO = 'psrp_disconnected_commands';
/**
 * The recorded client writes the bytes of an id inside its messages in the order of the text, PowerShell the first three
 * parts turned round. The server repeats what it is told: here the envelopes say what the messages say.
 */
function asInMessages(text: string): string {
  const turned = (part: string): string => (part.match(/../g) ?? []).reverse().join('');
  return text.replace(ID, (_, a: string, b: string, c: string, rest: string) =>
    [turned(a), turned(b), turned(c), rest].join('-'),
  );
}
const ID = /(BCEF62AD|DB4E8DCF)-([0-9A-F]{4})-([0-9A-F]{4})-([0-9A-F]{4}-[0-9A-F]{12})/gi;
const exchanges = recordedExchanges()
  .filter(({ id }) => id.startsWith(`${SCENARIO} `))
  .map((each) => ({
    ...each,
    request: asInMessages(each.request),
    response: each.response === null ? null : asInMessages(each.response),
  }));
/** One of its two sessions: opened, a line started, left; found, joined, its line fetched, ended. */
const [OPENED, LISTED] = [[5, 6, 7, 8, 9], 10];
const PICKED_UP = [11, 13, 14, 15, 16, 17, 24];
const O = OPERATIONS;

const at = (n: number): RecordedExchange =>
  exchanges[n] ?? (() => { throw new Error(`no exchange ${String(n)}`); })(); // prettier-ignore
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
/** `Receive command`, `Receive`: what is asked, and whether of a command. */
function nameOf(request: string): string {
  const { header } = readRequest(utf8(request));
  const name = header.action.slice(header.action.lastIndexOf('/') + 1);
  return / CommandId="/.test(request) && name !== 'Command' ? `${name} command` : name;
}

const BLIND = () => '';
/** What is another client's or another run's own. */
const OWN: readonly Difference[] = [
  { why: 'each message has an id of its own', path: /\/(MessageID|OperationID|SequenceId)$/, change: BLIND },
  { why: 'what PowerShell says to itself is compared by the tests of the codec', path: /\/(creationXml|connectXml|Arguments)$/, change: BLIND },
  ...DIFFERENCES,
]; // prettier-ignore

/** Answers as recorded, each once and in their order; what was not asked there has no answer. */
class Script {
  readonly #left: RecordedExchange[];
  /** Lines that only we, or only the recorded client, has said, by request. */
  readonly differences = new Set<string>();
  /** Asked by us, not by the recorded client. */
  readonly beside: string[] = [];

  constructor(numbers: readonly number[]) {
    this.#left = numbers.map(at);
  }
  get unasked(): string[] {
    return this.#left.map(({ request }) => nameOf(request));
  }
  /** null = nobody answers */
  answer(bytes: Uint8Array): string | null {
    const ours = textOf(bytes);
    const name = nameOf(ours);
    const index = this.#left.findIndex(({ request }) => nameOf(request) === name);
    const [recorded] = index < 0 ? [] : this.#left.splice(index, 1);
    if (recorded === undefined) {
      this.beside.push(name);
      return null;
    }
    const [here, there] = [shapeOf(ours, OWN), shapeOf(recorded.request, OWN)];
    for (const line of here) if (!there.includes(line)) this.differences.add(`${name}: + ${line}`);
    for (const line of there) if (!here.includes(line)) this.differences.add(`${name}: - ${line}`);
    const { messageId } = readRequest(bytes).header;
    return (recorded.response ?? '').replace(/(RelatesTo[^>]*>)[^<]*</, `$1${messageId}<`);
  }
}

let count = 0;
const newId = (): string => `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`;
function clientOf({ request }: RecordedExchange): Requests {
  const { header } = readRequest(utf8(request));
  return new Requests({
    url: header.to,
    resourceUri: header.resourceUri,
    sessionId: (header.sessionId ?? '').replace(/^uuid:/, ''),
    newId,
    maxEnvelopeBytes: header.maxEnvelopeBytes ?? 0,
    operationTimeoutMs: header.operationTimeoutMs ?? 0,
    locale: header.locale ?? '',
    dataLocale: header.dataLocale ?? '',
  });
}
/** Makes what the shell asks for until it asks for nothing. @returns what it told, and what waits for an answer */
function drive(shell: WsManShell, script: Script): { events: ShellEvent[]; held: number[] } {
  const [events, held]: [ShellEvent[], number[]] = [[], []];
  for (let asked = shell.takeRequests(); asked.length > 0; asked = shell.takeRequests())
    for (const { id, bytes } of asked) {
      const answer = script.answer(bytes);
      if (answer === null) held.push(id);
      else events.push(...shell.answered(id, utf8(answer)));
    }
  return { events, held };
}
const typesOf = (events: readonly ShellEvent[]): string[] =>
  events.map((event) => ('state' in event ? `${event.type} ${event.state}` : event.type));

it('a session is opened, left, found and picked up with the answers of Windows', async (ctx) => {
  ctx.skip(exchanges.length === 0, NO_WINDOWS_CAPTURES);
  const commandId = (/ CommandId="([^"]*)"/.exec(at(8).request)?.[1] ?? '').toLowerCase();
  const { header, body } = readRequest(utf8(at(5).request));
  const { shellId, name, idleTimeoutMs, isNoProfile, bufferMode } = O.create.decodeRequest(body, header.options);
  const poolId = shellId.toLowerCase();

  const first = new Script(OPENED);
  const leaver = new ClientPool({ poolId, newId: () => commandId });
  const shell = new WsManShell(clientOf(at(5)), leaver, new EnvelopeSize(null));
  shell.open({ name, idleTimeoutMs, bufferMode, isNoProfile }, { hostInfo: consoleHostInfo({ cols: 80, rows: 24, title: 'x' }), applicationArguments: versionTable() }); // prettier-ignore
  const opened = drive(shell, first);
  expect(leaver.state).toBe('Opened');
  expect(shell.isLeavable).toBe(true);
  leaver.createPipeline({ commands: [{ command: 'x' }], noInput: true });
  const started = drive(shell, first);
  shell.leave(null);
  const leaving = drive(shell, first);
  expect(first.unasked).toEqual([]);
  const polls = [...opened.held, ...started.held];
  expect(typesOf([...leaving.events, ...polls.flatMap((id) => shell.lost(id, new Error('ended'), false))])).toEqual([
    'left',
  ]);

  const second = new Script(PICKED_UP);
  const requests = clientOf(at(13));
  const size = new EnvelopeSize(null);
  const sessionId = readRequest(utf8(at(13).request)).header.sessionId ?? '';
  const listed = clientOf(at(LISTED)).read({ operation: O.enumerate, messageId: messageIdOf(LISTED), bytes: new Uint8Array() }, utf8(at(LISTED).response ?? '')); // prettier-ignore
  const info = listed.shells.find((each) => each.shellId === shellId);
  const shells = new TargetShells(requests, size, (envelope) => Promise.resolve(utf8(second.answer(envelope) ?? answerGet(envelope, info)))); // prettier-ignore
  const picker = new ClientPool({ poolId, newId, skipToStart: true });
  const never = () => Promise.reject(new Error('no pause'));
  const joined = await rejoin({ shellId, poolId, holder: sessionId }, { shells, pool: picker, pause: never });
  expect(joined.pipelineIds).toEqual([commandId]);
  const again = new WsManShell(requests, picker, size);
  again.joined(joined.place);
  picker.receive(null, joined.answer);
  expect(picker.state).toBe('Opened');
  picker.connectPipeline(commandId);
  again.takeUp(commandId);
  const { events } = drive(again, second);
  expect(typesOf(events)).toEqual([
    ...['applicationPrivateData', 'progress', 'output', 'output', 'pipelineState Completed'],
  ]);
  expect(picker.pipelineState(commandId)).toBe('Completed');
  picker.close();
  drive(again, second);
  expect(second.unasked).toEqual([]);
  // What our client asks for beside: both polls are under way at once, and whether a shell can be left is asked of it first.
  expect([first.beside, second.beside]).toEqual([
    ['Receive', 'Receive command'],
    ['Get', 'Receive'],
  ]);
  expect([...first.differences, ...second.differences]).toEqual(
    ['Create', 'Command', 'Disconnect', 'Enumerate', 'Connect', 'Connect command', 'Delete'].flatMap(smallerAnswer),
  );
});

/**
 * The recorded client announces what it has learned of the server's version; ours does so for its polls alone, which
 * bring the long answers, and asks for everything else in the size that a server of any version takes.
 */
function smallerAnswer(name: string): string[] {
  const line = (sign: string, bytes: number) => `${name}: ${sign} /Envelope/Header/MaxEnvelopeSize = ${String(bytes)}`;
  return [line('+', ENVELOPE_BYTES.old), line('-', ENVELOPE_BYTES.current)];
}

const messageIdOf = (n: number): string => /MessageID>([^<]*)</.exec(at(n).request)?.[1] ?? '';
/** Get was not recorded: what the list says of the shell. */
function answerGet(envelope: Uint8Array, info: ShellInfo | undefined): string {
  const { header } = readRequest(envelope);
  if (!header.action.endsWith('/Get') || info === undefined) throw new Error(`no answer to ${header.action}`);
  return writeAnswer(O.getShell, { relatesTo: header.messageId, messageId: newId() }, info);
}
