import { WsManProtocolError } from '@sallyport/wsman';
import { describe, expect, it } from 'vitest';
import { script, shown, startShell } from '../../../../test/contracts/wsman-shell-fixture.ts';

const OPENED = ['shellCreated', 'negotiated', 'applicationPrivateData', 'poolState Opened'];

describe('a shell over WS-Management', () => {
  it('opens its pool, runs a pipeline, frees the command and is deleted', () => {
    const { pool, peer, run } = startShell();
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

  it('frees pipelines that have ended when no other runs, and before the shell is left', () => {
    const { shell, pool, peer, run } = startShell();
    run();
    const start = (): string => pool.createPipeline(script('1'));
    const end = (pipelineId: string): void => {
      peer.ended(pipelineId);
      peer.pool.finish(pipelineId, 'Completed');
      run();
      pool.closePipeline(pipelineId);
    };
    const said = (): string[] => {
      run();
      return peer.log.splice(0).filter((line) => /Signal|Disconnect/.test(line));
    };
    const first = start();
    run();
    end(first);
    // As the prompt is asked for in the moment in which a line ends.
    const second = start();
    expect(said()).toEqual([]);
    end(second);
    expect(said()).toEqual(['Signal close', 'Signal close']);
    peer.onEvent = (event) => {
      if (event.type === 'setMaxRunspaces') peer.pool.respondAvailability(event.callId, true);
    };
    pool.setMaxRunspaces(8);
    run();
    const endless = start();
    const others = Array.from({ length: 6 }, start);
    run();
    for (const each of others) end(each);
    // Of those that count at the target, four at most.
    expect(said()).toEqual(['Signal close', 'Signal close']);
    // One that we end is not waited for.
    const cut = start();
    run();
    pool.closePipeline(cut);
    expect(said()).toEqual(['Signal close']);
    expect(pool.pipelineState(endless)).toBe('Running');
    shell.leave(null);
    expect(said()).toEqual([...Array.from({ length: 4 }, () => 'Signal close'), 'Disconnect null']);
  });

  it('takes the ids that an old server gives shell and command, and a Done that comes after everything else', () => {
    const { shell, pool, peer, run } = startShell();
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
    const { shell, peer, run } = startShell();
    run();
    for (let i = 0; i < 3; i++) {
      expect(peer.heldPolls).toBe(1);
      expect(shell.answered(...peer.refusePoll(false, 2150858793))).toEqual([]);
      expect(run()).toEqual([]);
    }
    expect(peer.heldPolls).toBe(1);
  });

  it('sends a pipeline that needs many requests in whole before it asks for output', () => {
    const { pool, peer, run } = startShell(8192);
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
    const { shell, pool, peer, seen, run } = startShell(8192);
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
    const { shell, pool, peer, run } = startShell();
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
    const { shell, pool, peer, run } = startShell();
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
    const { pool, peer, run } = startShell();
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
    const { peer, run } = startShell();
    peer.refusals.set(name, number);
    expect(run()).toEqual([`shellFailed ${code}`, 'poolState Broken']);
  });

  it('a command that is gone ends its pipeline; a shell that is gone breaks the pool', () => {
    const { shell, pool, peer, run } = startShell();
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
      const { shell, pool, peer, run } = startShell();
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
    const { shell, pool, peer, run } = startShell();
    const [, pipelineId] = [run(), pool.createPipeline(script('1')), run()] as const;
    const done = peer.done(pipelineId);
    expect([shell.answered(...done), run()]).toEqual([[], ['pipelineState Stopped', 'pipelineClosed']]);
    expect([shell.answered(...done), run(), peer.heldPolls]).toEqual([[], [], 1]);
  });

  it('asks for nothing more once the pool broke over what it was sent', () => {
    const { shell, pool, peer, run } = startShell();
    run();
    expect(pool.receive(null, new Uint8Array(64).fill(255)).map(shown)).toContain('poolState Broken');
    expect(shell.answered(...peer.refusePoll(false, 2150858793))).toEqual([]);
    expect(shell.takeRequests()).toEqual([]);
  });

  it('makes a lost poll or signal again while there is time; a lost Send never, unless it was not sent', () => {
    const error = new WsManProtocolError('wsman_malformed', 'the connection broke');
    const { shell, pool, peer, run } = startShell();
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
    const other = startShell();
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
    const { shell, pool, peer, run } = startShell();
    const [create] = shell.takeRequests();
    pool.close();
    expect(shell.takeRequests()).toEqual([]);
    const [answer] = create === undefined ? [] : peer.post(create);
    expect(shell.answered(...(answer ?? [0, new Uint8Array()])).map(shown)).toEqual(['shellCreated']);
    expect(run()).toEqual(['poolState Closed']);
    expect(peer.log).toEqual(['Create', 'Delete']);
  });
});
