/** What tests of a shell over WS-Management share: its server, the shell and its pool at it, and what was seen of them. */
import { consoleHostInfo, ClientPool, displayText, ServerPool, versionTable } from '@sallyport/psrp';
import type { ServerEvent } from '@sallyport/psrp';
import {
  endpointUrl,
  OPERATIONS,
  readRequest,
  Requests,
  resourceUri,
  signalEffect,
  writeAnswer,
  writeFault,
} from '@sallyport/wsman';
import type { ReceivedRequest } from '@sallyport/wsman';
import { EnvelopeSize } from '../../server/src/transports/wsman/envelope-size.ts';
import { WsManShell } from '../../server/src/transports/wsman/shell.ts';
import type { ShellEvent, ShellRequest } from '../../server/src/transports/wsman/shell.ts';

/** The id of every pool, and so of its shell. */
export const POOL = '00112233-4455-6677-8899-aabbccddeeff';
const OPENING = { name: null, idleTimeoutMs: null, bufferMode: null, isNoProfile: false };
const O = OPERATIONS;
let count = 0;
/** Another one with each call. */
export const newId = (): string => `00000000-0000-0000-0000-${String(++count).padStart(12, '0')}`;
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A server of one shell: answers what can be answered, holds polls, and keeps a log of what was asked. */
export class ShellPeer {
  readonly pool = new ServerPool();
  readonly log: string[] = [];
  /** Refuses the next request of this operation with this number. */
  readonly refusals = new Map<string, number>();
  onEvent: (event: ServerEvent) => void = () => undefined;
  /** Windows 7 and Server 2008 R2 say nothing of the shell, and give commands ids of their own. */
  isOld = false;
  /** What every answer to a poll of a command says while it is not done: nothing (Windows), or this (OMI). */
  unfinished: 'Running' | null = null;
  readonly #ownIds = new Map<string, string>();
  readonly #polls = new Map<string, { readonly id: number; readonly relatesTo: string }>();
  readonly #output = new Map<string, Uint8Array[]>();
  readonly #ended = new Set<string>();

  /** @returns the answers that are due now */
  post(request: ShellRequest): [number, Uint8Array][] {
    const received = readRequest(request.bytes);
    const name = received.header.action.slice(received.header.action.lastIndexOf('/') + 1);
    const number = this.refusals.get(name);
    const relatesTo = received.header.messageId;
    if (number !== undefined) {
      this.refusals.delete(name);
      this.log.push(`${name} refused`);
      return [[request.id, utf8(this.fault(relatesTo, number))]];
    }
    const text = this.#answer(name, received, request.id);
    return text === null ? [] : [[request.id, utf8(text)]];
  }

  fault(relatesTo: string, wsmanCode: number): string {
    return writeFault(
      { relatesTo, messageId: newId() },
      { value: 'Receiver', subcode: 'wsman:InternalError', wsmanCode, message: 'no', machine: 'LAB' },
    );
  }

  #take(events: ServerEvent[]): void {
    for (const event of events) {
      if (event.type === 'failed') throw event.error;
      if (event.type === 'open') this.pool.opened(versionTable());
      this.onEvent(event);
    }
  }

  #answer(name: string, { header, body }: ReceivedRequest, id: number): string | null {
    const ids = { relatesTo: header.messageId, messageId: newId() };
    switch (name) {
      case 'Create': {
        const { shellId, creationXml } = O.create.decodeRequest(body, header.options);
        this.log.push('Create');
        this.#take(this.pool.receive(null, creationXml));
        const selectors = [{ name: 'ShellId', value: shellId }];
        const shell = this.isOld ? null : infoOf(shellId);
        return writeAnswer(O.create, ids, { shellId, selectors, resourceUri: null, address: null, shell });
      }
      case 'Command': {
        const request = O.command.decodeRequest(body, []);
        this.log.push(`Command ${request.arguments.length}`);
        const asked = request.commandId ?? '';
        this.#take(this.pool.receive(asked.toLowerCase(), request.arguments));
        const commandId = this.isOld ? newId() : asked;
        this.#ownIds.set(commandId, asked);
        return writeAnswer(O.command, ids, { commandId });
      }
      case 'Send': {
        const { commandId: own, stream, bytes } = O.send.decodeRequest(body, []);
        const commandId = this.#commandOf(own);
        this.log.push(`Send ${stream}`);
        this.#take(
          this.pool.receive(commandId?.toLowerCase() ?? null, bytes, stream === 'pr' ? 'promptResponse' : 'default'),
        );
        return writeAnswer(O.send, ids, null);
      }
      case 'Signal': {
        const { commandId, signalCode } = O.signal.decodeRequest(body, []);
        const effect = signalEffect(signalCode);
        this.log.push(`Signal ${effect}`);
        const asked = this.#commandOf(commandId) ?? '';
        if (effect === 'stop') this.#take(this.pool.stop(asked.toLowerCase()));
        return writeAnswer(O.signal, ids, null);
      }
      case 'Disconnect': {
        const { idleTimeoutMs } = O.disconnect.decodeRequest(body, []);
        this.log.push(`Disconnect ${String(idleTimeoutMs)}`);
        return writeAnswer(O.disconnect, ids, null);
      }
      case 'Reconnect':
        this.log.push('Reconnect');
        return writeAnswer(O.reconnect, ids, null);
      case 'Connect': {
        const request = O.connect.decodeRequest(body, header.options);
        if (request.commandId === null) throw new Error('not through the state machine');
        this.log.push('Connect command');
        const none = { inputStreams: null, outputStreams: null, connectResponseXml: null };
        return writeAnswer(O.connect, ids, none);
      }
      case 'Delete':
        this.log.push('Delete');
        return writeAnswer(O.deleteShell, ids, null);
      default: {
        const commandId = this.#commandOf(O.receive.decodeRequest(body, []).commandId)?.toLowerCase() ?? '';
        if (this.#polls.has(commandId)) throw new Error('two polls of the same');
        this.log.push(commandId === '' ? 'Receive pool' : 'Receive command');
        this.#polls.set(commandId, { id, relatesTo: header.messageId });
        return null;
      }
    }
  }

  /** The command that was asked for. @throws when it is called otherwise than the server said */
  #commandOf(own: string | null): string | null {
    if (own === null) return null;
    const asked = this.#ownIds.get(own) ?? (this.#ownIds.size === 0 ? own : undefined);
    if (asked === undefined) throw new Error(`no command ${own}`);
    return asked;
  }

  /** Ends a held poll with a fault. */
  refusePoll(isCommand: boolean, wsmanCode: number): [number, Uint8Array] {
    const [key, poll] = [...this.#polls].find(([each]) => (each !== '') === isCommand) ?? [];
    if (key === undefined || poll === undefined) throw new Error('no such poll');
    this.#polls.delete(key);
    return [poll.id, utf8(this.fault(poll.relatesTo, wsmanCode))];
  }
  get heldPolls(): number {
    return this.#polls.size;
  }
  get waitingBytes(): number {
    return [...this.#output.values()].flat().reduce((sum, { length }) => sum + length, 0);
  }
  ended(pipelineId: string): void {
    this.#ended.add(pipelineId);
  }

  takeFragments(): Uint8Array[] {
    return this.pool.takeOutgoing().flatMap((item) => (item.kind === 'data' ? [item.fragment] : []));
  }
  /** Answers the poll of one command with these bytes. */
  answerPoll(pipelineId: string, fragments: readonly Uint8Array[]): [number, Uint8Array][] {
    const poll = this.#polls.get(pipelineId);
    if (poll === undefined) throw new Error('no such poll');
    this.#polls.delete(pipelineId);
    const streams = fragments.map((bytes) => ({ name: 'stdout', commandId: pipelineId.toUpperCase(), bytes }));
    const ids = { relatesTo: poll.relatesTo, messageId: newId() };
    return [[poll.id, utf8(writeAnswer(O.receive, ids, { streams, commandState: null }))]];
  }

  /** Says that a command is done, and nothing else. */
  done(pipelineId: string): [number, Uint8Array] {
    const poll = this.#polls.get(pipelineId);
    if (poll === undefined) throw new Error('no such poll');
    this.#polls.delete(pipelineId);
    const ids = { relatesTo: poll.relatesTo, messageId: newId() };
    const commandState = { commandId: pipelineId.toUpperCase(), state: 'Done', exitCode: 0 } as const;
    return [poll.id, utf8(writeAnswer(O.receive, ids, { streams: [], commandState }))];
  }

  /** Output for polls that are held. */
  flush(): [number, Uint8Array][] {
    for (const item of this.pool.takeOutgoing()) {
      if (item.kind !== 'data') continue;
      const key = item.pipelineId ?? '';
      this.#output.set(key, [...(this.#output.get(key) ?? []), item.fragment]);
    }
    const out: [number, Uint8Array][] = [];
    for (const [key, poll] of this.#polls) {
      const fragments = this.#output.get(key) ?? [];
      if (fragments.length === 0) continue;
      this.#polls.delete(key);
      this.#output.delete(key);
      const commandId = key === '' ? null : key.toUpperCase();
      const streams = fragments.map((bytes) => ({ name: 'stdout', commandId, bytes }));
      const state = this.#ended.has(key) && this.unfinished === null ? ('Done' as const) : this.unfinished;
      const exitCode = state === 'Done' ? 0 : null;
      const commandState = state === null || commandId === null ? null : { commandId, state, exitCode };
      out.push([
        poll.id,
        utf8(writeAnswer(O.receive, { relatesTo: poll.relatesTo, messageId: newId() }, { streams, commandState })),
      ]);
    }
    return out;
  }
}

const NOTHING_TOLD = {
  ...{ name: null, resourceUri: null, owner: null, clientIp: null, processId: null, idleTimeoutMs: null },
  ...{ inputStreams: null, outputStreams: null, locale: null, dataLocale: null, compressionMode: null },
  ...{ profileLoaded: null, encoding: null, runTimeMs: null, inactivityMs: null, memoryUsed: null },
  childProcesses: null,
};
const infoOf = (shellId: string) =>
  ({ ...NOTHING_TOLD, shellId, maxIdleTimeoutMs: 7_200_000, bufferMode: 'Block', state: 'Connected' }) as const;

/** Requests to a server over HTTPS. */
export const labRequests = (maxEnvelopeBytes = 153_600): Requests =>
  new Requests({
    url: endpointUrl({ host: 'lab', isTls: true }),
    resourceUri: resourceUri(),
    sessionId: newId(),
    newId,
    maxEnvelopeBytes,
    operationTimeoutMs: 20_000,
    locale: 'en-US',
    dataLocale: 'en-US',
  });

/** A shell that is being opened at a server; `run` lets the two talk, and gives what was told. */
export function startShell(maxEnvelopeBytes = 153_600): {
  shell: WsManShell;
  pool: ClientPool;
  peer: ShellPeer;
  seen: ShellEvent[];
  run: () => string[];
} {
  const requests = labRequests(maxEnvelopeBytes);
  const pool = new ClientPool({ poolId: POOL, newId, fragmentBytes: requests.fragmentBytes() });
  const shell = new WsManShell(requests, pool, new EnvelopeSize(maxEnvelopeBytes / 1024));
  const peer = new ShellPeer();
  const seen: ShellEvent[] = [];
  /** Until nothing moves any more. */
  const run = (): string[] => {
    const told: string[] = [];
    for (;;) {
      const asked = shell.takeRequests().flatMap((request) => peer.post(request));
      const answers = [...asked, ...peer.flush()];
      if (answers.length === 0) return told;
      for (const [id, bytes] of answers) {
        const events = shell.answered(id, bytes);
        seen.push(...events);
        told.push(...events.map(shown));
      }
    }
  };
  shell.open(OPENING, { hostInfo: consoleHostInfo({ cols: 120, rows: 30 }), applicationArguments: versionTable() });
  return { shell, pool, peer, seen, run };
}

/** An event in a few words. */
export function shown(event: ShellEvent): string {
  switch (event.type) {
    case 'poolState':
    case 'pipelineState':
      return `${event.type} ${event.state}`;
    case 'output':
      return `output ${displayText(event.value)}`;
    case 'failed':
    case 'shellFailed':
    case 'pipelineRefused':
    case 'leaveRefused':
      return `${event.type} ${'code' in event.error ? event.error.code : ''}`;
    default:
      return event.type;
  }
}

/** What each of these brought, in a few words. */
export const answerAll = (shell: WsManShell, answers: readonly [number, Uint8Array][]): string[] =>
  answers.flatMap(([id, bytes]) => shell.answered(id, bytes)).map(shown);
/** A pipeline of one script. */
export const script = (text: string): { commands: { command: string; isScript: boolean }[] } => ({
  commands: [{ command: text, isScript: true }],
});
