import { ClientPool } from '@sallyport/psrp';
import { Requests, WsManProtocolError } from '@sallyport/wsman';
import { describe, expect, it } from 'vitest';
import {
  answerAll,
  labRequests,
  newId,
  POOL,
  script,
  startShell,
} from '../../../../test/contracts/wsman-shell-fixture.ts';
import { EnvelopeSize } from './envelope-size.ts';
import { WsManShell } from './shell.ts';

describe('a shell that is left', () => {
  it('first takes what is on its way, and tells what polls bring after that', () => {
    const { shell, pool, peer, run } = startShell();
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
    const { shell, pool, peer, run } = startShell();
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
    const { shell, peer, run } = startShell();
    run();
    shell.leave(idle);
    run();
    expect(peer.log.at(-1)).toBe(`Disconnect ${String(told)}`);
  });

  it('goes on when the server refuses; is over when it is gone', () => {
    const { shell, peer, run } = startShell();
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
    const { shell, peer, run } = startShell();
    run();
    shell.leave(null);
    const [disconnect] = shell.takeRequests();
    expect(shell.lost(disconnect?.id ?? -1, error, true)).toEqual([]);
    expect(shell.leaveNow()).toBe(true);
    const slow = startShell();
    slow.run();
    slow.pool.setMaxRunspaces(2);
    slow.shell.leave(null);
    // The Send is not answered: nothing was left, it goes on.
    expect(slow.shell.takeRequests().map(({ lane }) => lane)).toEqual(['send']);
    expect(slow.shell.leaveNow()).toBe(false);
    expect(peer.log).not.toContain('Disconnect null');
  });

  it('is only where the server keeps it', () => {
    const { shell, peer, run } = startShell();
    expect(shell.isLeavable).toBe(false);
    run();
    expect(shell.isLeavable).toBe(true);
    peer.isOld = true;
    const old = startShell();
    old.peer.isOld = true;
    old.run();
    expect(old.shell.isLeavable).toBe(false);
  });

  it('by the server itself while the network was away, takes the same client back', () => {
    const error = new WsManProtocolError('wsman_malformed', 'the connection broke');
    const { shell, pool, peer, run } = startShell();
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
    const { shell, pool, peer, run } = startShell();
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
