import { consoleHostInfo, ClientPool, displayText, ServerPool, versionTable } from '@sallyport/psrp';
import type { ServerEvent } from '@sallyport/psrp';
import {
  endpointUrl,
  OPERATIONS,
  readRequest,
  Requests,
  resourceUri,
  signalEffect,
  WsManProtocolError,
  writeAnswer,
  writeFault,
} from '@sallyport/wsman';
import type { ReceivedRequest } from '@sallyport/wsman';
import { describe, expect, it } from 'vitest';
import { EnvelopeSize } from './envelope-size.ts';
import { WsManShell } from './shell.ts';
import type { ShellEvent, ShellRequest } from './shell.ts';

const POOL = '00112233-4455-6677-8899-aabbccddeeff';
const OPENING = { name: null, idleTimeoutMs: null, bufferMode: null, isNoProfile: false };
const O = OPERATIONS;
let count = 0;
const newId = (): string => `00000000-0000-0000-0000-${String(++count).padStart(12, '0')}`;
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A server of one shell: answers what can be answered, holds polls, and keeps a log of what was asked. */
class Peer {
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

const labRequests = (maxEnvelopeBytes = 153_600): Requests =>
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

function start(maxEnvelopeBytes = 153_600): {
  shell: WsManShell;
  pool: ClientPool;
  peer: Peer;
  seen: ShellEvent[];
  run: () => string[];
} {
  const requests = labRequests(maxEnvelopeBytes);
  const pool = new ClientPool({ poolId: POOL, newId, fragmentBytes: requests.fragmentBytes() });
  const shell = new WsManShell(requests, pool, new EnvelopeSize(maxEnvelopeBytes / 1024));
  const peer = new Peer();
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

function shown(event: ShellEvent): string {
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

const OPENED = ['shellCreated', 'negotiated', 'applicationPrivateData', 'poolState Opened'];
const script = (text: string): { commands: { command: string; isScript: boolean }[] } => ({
  commands: [{ command: text, isScript: true }],
});

describe('a shell over WS-Management', () => {
  it('opens its pool, runs a pipeline, frees the command and is deleted', () => {
    const { pool, peer, run } = start();
    peer.onEvent = (event) => {
      if (event.type !== 'createPipeline') return;
      peer.ended(event.pipelineId);
      peer.pool.sendOutput(event.pipelineId, 'one');
      peer.pool.sendOutput(event.pipelineId, 'two');
      peer.pool.finish(event.pipelineId, 'Completed');
    };
    expect(run()).toEqual(OPENED);
    const pipelineId = pool.createPipeline(script('1,2'));
    expect(run()).toEqual(['output one', 'output two', 'pipelineState Completed']);
    pool.closePipeline(pipelineId);
    expect(run()).toEqual(['pipelineClosed']);
    pool.close();
    expect(run()).toEqual(['poolState Closed']);
    expect(peer.log.filter((line) => line !== 'Receive pool')).toEqual([
      'Create',
      expect.stringMatching(/^Command [0-9]+$/) as string,
      'Receive command',
      'Signal close',
      'Delete',
    ]);
  });

  it('takes the ids that an old server gives shell and command, and a Done that comes after everything else', () => {
    const { shell, pool, peer, run } = start();
    peer.isOld = true;
    peer.unfinished = 'Running';
    let stopped = '';
    peer.onEvent = (event) => {
      if (event.type === 'createPipeline') peer.pool.sendOutput(event.pipelineId, 'one');
      if (event.type !== 'stop') return;
      stopped = event.pipelineId;
      peer.ended(event.pipelineId);
      peer.pool.finish(event.pipelineId, 'Stopped');
    };
    expect(run()).toEqual(OPENED);
    const pipelineId = pool.createPipeline(script('1'));
    expect(run()).toEqual(['output one']);
    pool.stop(pipelineId);
    expect(run()).toEqual(['pipelineState Stopped']);
    expect(stopped).toBe(pipelineId);
    expect(peer.heldPolls).toBe(2);
    expect(shell.answered(...peer.done(pipelineId)).map(shown)).toEqual(['pipelineSignalled']);
    pool.closePipeline(pipelineId);
    expect(run()).toEqual(['pipelineClosed']);
    expect(peer.heldPolls).toBe(1);
  });

  it('asks again after a time-out, and holds one poll of each kind', () => {
    const { shell, peer, run } = start();
    run();
    for (let i = 0; i < 3; i++) {
      expect(peer.heldPolls).toBe(1);
      expect(shell.answered(...peer.refusePoll(false, 2150858793))).toEqual([]);
      expect(run()).toEqual([]);
    }
    expect(peer.heldPolls).toBe(1);
  });

  it('sends a pipeline that needs many requests in whole before it asks for output', () => {
    const { pool, peer, run } = start(8192);
    run();
    peer.log.length = 0;
    pool.createPipeline(script('x'.repeat(20_000)));
    run();
    const polls = peer.log.indexOf('Receive command');
    expect(peer.log.slice(0, polls)).toEqual([
      expect.stringMatching(/^Command/) as string,
      ...peer.log.slice(1, polls).map(() => 'Send stdin'),
    ]);
    expect(polls).toBeGreaterThan(4);
    expect(peer.log.slice(polls + 1)).toEqual([]);
  });

  it('answers a host call on the stream for prompts, before input that waits', () => {
    const { shell, pool, peer, seen, run } = start(8192);
    run();
    const inputs: string[] = [];
    peer.onEvent = (event) => {
      if (event.type === 'input') inputs.push('input');
      if (event.type === 'hostResponse') inputs.push('answer');
    };
    const pipelineId = pool.createPipeline({ ...script('$input'), noInput: false });
    run();
    peer.pool.callHost(pipelineId, 'ReadLine', []);
    const calls = run();
    expect(calls).toEqual(['hostCall']);
    const hostCall = seen.find((event) => event.type === 'hostCall');
    if (hostCall?.call.method !== 'ReadLine') throw new Error('no call');
    for (let i = 0; i < 5; i++) pool.sendInput(pipelineId, 'y'.repeat(12_000));
    // The first piece of the first input is on its way when the person answers.
    const [first] = shell.takeRequests();
    pool.respondHostCall(hostCall.call, { result: 'hello' });
    for (const [id, bytes] of first === undefined ? [] : peer.post(first)) shell.answered(id, bytes);
    expect(inputs).toEqual([]);
    run();
    expect(inputs).toEqual(['answer', ...Array.from({ length: 5 }, () => 'input')]);
  });

  it('stops a pipeline while a Send is not answered', () => {
    const { shell, pool, peer, run } = start();
    peer.onEvent = (event) => {
      if (event.type !== 'stop') return;
      peer.ended(event.pipelineId);
      peer.pool.sendOutput(event.pipelineId, 'late');
      peer.pool.finish(event.pipelineId, 'Stopped');
    };
    run();
    const pipelineId = pool.createPipeline({ ...script('$input'), noInput: false });
    run();
    pool.sendInput(pipelineId, 'slow');
    const [sent] = shell.takeRequests();
    expect(sent?.lane).toBe('send');
    pool.stop(pipelineId);
    // The answer to the stop comes first here; what was put out before is not lost.
    expect(run()).toEqual(['output late', 'pipelineState Stopped', 'pipelineSignalled']);
  });

  it.each(['behind', 'held'])('asks for nothing while the reader is behind, or it is held: %s', (what) => {
    const { shell, pool, peer, run } = start();
    const wait = (is: boolean): void => (what === 'held' ? shell.hold(is) : is ? shell.pause() : shell.resume());
    run();
    const pipelineId = pool.createPipeline(script('1'));
    run();
    peer.pool.sendOutput(pipelineId, 'a');
    wait(true);
    expect(run()).toEqual(['output a']);
    peer.pool.sendOutput(pipelineId, 'b');
    expect(run()).toEqual([]);
    expect(peer.waitingBytes).toBeGreaterThan(0);
    wait(false);
    expect(run()).toEqual(['output b']);
  });

  it('a refused command ends its pipeline only', () => {
    const { pool, peer, run } = start();
    run();
    peer.refusals.set('Command', 2150859241);
    pool.createPipeline(script('1'));
    expect(run()).toEqual(['pipelineRefused target_quota', 'pipelineState Stopped', 'pipelineClosed']);
    expect(pool.state).toBe('Opened');
  });

  it.each([
    ['Create', 5, 'wsman_fault'],
    ['Create', 2150859173, 'target_quota'],
  ] as const)('a refused %s (%i) breaks the pool: %s', (name, number, code) => {
    const { peer, run } = start();
    peer.refusals.set(name, number);
    expect(run()).toEqual([`shellFailed ${code}`, 'poolState Broken']);
  });

  it('a command that is gone ends its pipeline; a shell that is gone breaks the pool', () => {
    const { shell, pool, peer, run } = start();
    run();
    pool.createPipeline(script('1'));
    run();
    expect(shell.answered(...peer.refusePoll(true, 2150858843))).toEqual([]);
    expect(run()).toEqual(['pipelineState Stopped', 'pipelineClosed']);
    expect(shell.answered(...peer.refusePoll(false, 2150858843)).map(shown)).toEqual([
      'shellFailed target_shell_gone',
      'poolState Broken',
    ]);
    peer.log.length = 0;
    expect(run()).toEqual([]);
    expect(peer.log).toEqual([]);
    shell.abandon();
    run();
    expect(peer.log).toEqual(['Delete']);
  });

  it('breaks over what answers another request; what names another pipeline is that one\'s', () => {
    for (const isFault of [true, false]) {
      const { shell, pool, peer, run } = start();
      run();
      const [one = '', two = ''] = ['1', '2'].map((text) => pool.createPipeline(script(text)));
      run();
      peer.pool.sendOutput(one, 'of one');
      expect(peer.answerPoll(two, peer.takeFragments()).flatMap((answer) => shell.answered(...answer))).toMatchObject([{ type: 'output', pipelineId: one }]);
      run();
      const [poll, [, other]] = isFault ? [peer.refusePoll(true, 2150858793), peer.refusePoll(false, 2150858793)] : [peer.done(one), peer.done(two)];
      expect(shell.answered(poll[0], other).map(shown)).toContain('shellFailed wsman_malformed');
    }
  }); // prettier-ignore

  it('takes no second Done from a target that says it twice', () => {
    const { shell, pool, peer, run } = start();
    const [, pipelineId] = [run(), pool.createPipeline(script('1')), run()] as const;
    const done = peer.done(pipelineId);
    expect([shell.answered(...done), run()]).toEqual([[], ['pipelineState Stopped', 'pipelineClosed']]);
    expect([shell.answered(...done), run(), peer.heldPolls]).toEqual([[], [], 1]);
  });

  it('asks for nothing more once the pool broke over what it was sent', () => {
    const { shell, pool, peer, run } = start();
    run();
    expect(pool.receive(null, new Uint8Array(64).fill(255)).map(shown)).toContain('poolState Broken');
    expect(shell.answered(...peer.refusePoll(false, 2150858793))).toEqual([]);
    expect(shell.takeRequests()).toEqual([]);
  });

  it('makes a lost poll or signal again while there is time; a lost Send never, unless it was not sent', () => {
    const error = new WsManProtocolError('wsman_malformed', 'the connection broke');
    const { shell, pool, peer, run } = start();
    run();
    const pipelineId = pool.createPipeline(script('1'));
    run();
    shell.answered(...peer.refusePoll(false, 2150858793));
    pool.stop(pipelineId);
    const taken = shell.takeRequests();
    expect(taken.map(({ lane }) => lane)).toEqual(['poll', 'control']);
    for (const request of taken) {
      for (let i = 0; i < 9; i++) {
        expect(shell.lost(request.id, error, true)).toEqual([]);
        expect(shell.takeRequests()).toEqual([request]);
      }
    }
    const poll = taken[0]?.id ?? -1;
    expect(shell.lost(poll, error, false).map(shown)).toEqual([
      'shellFailed wsman_malformed',
      'pipelineState Failed',
      'poolState Broken',
    ]);
    const other = start();
    other.run();
    other.pool.setMaxRunspaces(2);
    const [send] = other.shell.takeRequests();
    expect(send?.lane).toBe('send');
    const id = send?.id ?? -1;
    expect(other.shell.lost(id, error, true, true)).toEqual([]);
    expect(other.shell.takeRequests()).toEqual([send]);
    expect(other.shell.lost(id, error, true).map(shown)).toEqual(['shellFailed wsman_malformed', 'poolState Broken']);
  });

  it('closed while it is being made, is deleted as soon as it is there', () => {
    const { shell, pool, peer, run } = start();
    const [create] = shell.takeRequests();
    pool.close();
    expect(shell.takeRequests()).toEqual([]);
    const [answer] = create === undefined ? [] : peer.post(create);
    expect(shell.answered(...(answer ?? [0, new Uint8Array()])).map(shown)).toEqual(['shellCreated']);
    expect(run()).toEqual(['poolState Closed']);
    expect(peer.log).toEqual(['Create', 'Delete']);
  });
});

describe('a shell that is left', () => {
  const answerAll = (shell: WsManShell, answers: readonly [number, Uint8Array][]): string[] =>
    answers.flatMap(([id, bytes]) => shell.answered(id, bytes)).map(shown);

  it('first takes what is on its way, and tells what polls bring after that', () => {
    const { shell, pool, peer, run } = start();
    run();
    const pipelineId = pool.createPipeline({ ...script('$input'), noInput: false });
    run();
    peer.log.length = 0;
    pool.sendInput(pipelineId, 'before');
    shell.leave(3_600_000);
    const [sent, ...more] = shell.takeRequests();
    expect(more).toEqual([]);
    if (sent === undefined) throw new Error('nothing sent');
    expect(answerAll(shell, peer.post(sent))).toEqual([]);
    const [disconnect, ...rest] = shell.takeRequests();
    expect(rest).toEqual([]);
    if (disconnect === undefined) throw new Error('not left');
    expect(answerAll(shell, peer.post(disconnect))).toEqual([]);
    expect(peer.log).toEqual(['Send stdin', 'Disconnect 3600000']);
    // Nothing goes out any more, and the two polls end in their own way.
    pool.sendInput(pipelineId, 'after');
    expect(shell.takeRequests()).toEqual([]);
    peer.pool.sendOutput(pipelineId, 'on the way');
    expect(answerAll(shell, peer.flush())).toEqual(['output on the way']);
    expect(shell.takeRequests()).toEqual([]);
    expect(answerAll(shell, [peer.refusePoll(false, 995)])).toEqual(['left']);
    expect(shell.takeRequests()).toEqual([]);
  });

  it('is waited for while half a message has come', () => {
    const { shell, pool, peer, run } = start();
    run();
    const pipelineId = pool.createPipeline(script('1'));
    run();
    peer.pool.sendOutput(pipelineId, 'x'.repeat(40_000));
    const [first = new Uint8Array(), ...others] = peer.takeFragments();
    expect(others).toHaveLength(1);
    expect(answerAll(shell, peer.answerPoll(pipelineId, [first]))).toEqual([]);
    peer.log.length = 0;
    shell.leave(null);
    for (const request of shell.takeRequests()) peer.post(request);
    expect(peer.log).toEqual(['Receive command']);
    expect(answerAll(shell, peer.answerPoll(pipelineId, others))).toEqual([`output ${'x'.repeat(40_000)}`]);
    expect(shell.takeRequests().flatMap((request) => peer.post(request))).toHaveLength(1);
    expect(peer.log).toEqual(['Receive command', 'Disconnect null']);
  });

  it.each([
    ['for less than a minute', 1000, 60_000],
    ['for longer than the endpoint allows', 9_000_000, 7_200_000],
  ])('%s: for as long as can be', (_what, idle, told) => {
    const { shell, peer, run } = start();
    run();
    shell.leave(idle);
    run();
    expect(peer.log.at(-1)).toBe(`Disconnect ${String(told)}`);
  });

  it('goes on when the server refuses; is over when it is gone', () => {
    const { shell, peer, run } = start();
    run();
    shell.answered(...peer.refusePoll(false, 2150858793));
    peer.refusals.set('Disconnect', 2150858868);
    shell.leave(null);
    expect(run()).toEqual(['leaveRefused wsman_fault']);
    expect(peer.heldPolls).toBe(1);
    peer.refusals.set('Disconnect', 2150858843);
    shell.leave(null);
    expect(run()).toEqual(['shellFailed target_shell_gone', 'poolState Broken']);
  });

  it('is left when the connection breaks over the Disconnect, and when its polls never end', () => {
    const error = new WsManProtocolError('wsman_malformed', 'the connection broke');
    const { shell, peer, run } = start();
    run();
    shell.leave(null);
    const [disconnect] = shell.takeRequests();
    expect(shell.lost(disconnect?.id ?? -1, error, true)).toEqual([]);
    expect(shell.leaveNow()).toBe(true);
    const slow = start();
    slow.run();
    slow.pool.setMaxRunspaces(2);
    slow.shell.leave(null);
    // The Send is not answered: nothing was left, it goes on.
    expect(slow.shell.takeRequests().map(({ lane }) => lane)).toEqual(['send']);
    expect(slow.shell.leaveNow()).toBe(false);
    expect(peer.log).not.toContain('Disconnect null');
  });

  it('is only where the server keeps it', () => {
    const { shell, peer, run } = start();
    expect(shell.isLeavable).toBe(false);
    run();
    expect(shell.isLeavable).toBe(true);
    peer.isOld = true;
    const old = start();
    old.peer.isOld = true;
    old.run();
    expect(old.shell.isLeavable).toBe(false);
  });

  it('by the server itself while the network was away, takes the same client back', () => {
    const error = new WsManProtocolError('wsman_malformed', 'the connection broke');
    const { shell, pool, peer, run } = start();
    run();
    const pipelineId = pool.createPipeline(script('1'));
    run();
    shell.answered(...peer.refusePoll(true, 2150858793));
    const [poll] = shell.takeRequests();
    if (poll === undefined) throw new Error('no poll');
    expect(shell.lost(poll.id, error, true)).toEqual([]);
    expect(shell.takeRequests()).toEqual([poll]);
    peer.post(poll);
    expect(answerAll(shell, [peer.refusePoll(true, 2150859216)])).toEqual([]);
    peer.log.length = 0;
    run();
    expect(peer.log).toEqual(['Reconnect', 'Receive command']);
    peer.pool.sendOutput(pipelineId, 'kept');
    expect(run()).toEqual(['output kept']);
    // A poll that was not made again: that is another fault.
    expect(answerAll(shell, [peer.refusePoll(false, 2150859216)])).toEqual([
      'shellFailed wsman_fault',
      'pipelineState Failed',
      'poolState Broken',
    ]);
  });

  it('goes on with another client: each command is connected to before anything else is done with it', () => {
    const { shell, pool, peer, run } = start();
    run();
    const pipelineId = pool.createPipeline(script('1'));
    run();
    shell.leave(null);
    run();
    const second = new ClientPool({ poolId: POOL, newId });
    const requests = labRequests();
    const joined = new WsManShell(requests, second, new EnvelopeSize(null));
    peer.pool.disconnected();
    second.connect();
    const connectXml = Buffer.concat(
      second.takeOutgoing().flatMap((item) => (item.kind === 'data' ? [item.fragment] : [])),
    );
    expect(peer.pool.connect(new Uint8Array(connectXml))).toMatchObject([{ type: 'connect' }]);
    second.receive(null, peer.pool.connected(null).response);
    joined.joined({ resourceUri: null, selectors: Requests.shell(POOL), isLeavable: true, maxIdleTimeoutMs: null });
    expect(joined.isLeavable).toBe(true);
    second.connectPipeline(pipelineId);
    joined.takeUp(pipelineId);
    second.stop(pipelineId);
    peer.log.length = 0;
    const [connect, poll, ...none] = joined.takeRequests();
    expect([connect?.lane, poll?.lane, none]).toEqual(['control', 'poll', []]);
    if (connect === undefined) throw new Error('not connected');
    expect(answerAll(joined, peer.post(connect))).toEqual([]);
    expect(joined.takeRequests().map(({ lane }) => lane)).toEqual(['poll', 'control']);
    expect(peer.log).toEqual(['Connect command']);
    const lost = '99999999-0000-0000-0000-000000000001';
    second.connectPipeline(lost);
    joined.takeUp(lost);
    peer.refusals.set('Connect', 2150858843);
    const answers = joined.takeRequests().flatMap((request) => peer.post(request));
    expect(answerAll(joined, answers)).toEqual(['pipelineState Stopped', 'pipelineClosed']);
  });
});
