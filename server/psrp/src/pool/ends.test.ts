import { fragment, pair } from '../../../../test/corpus/pools.ts';
import { describe, expect, it } from 'vitest';
import {
  bag,
  decodePublicKey,
  encodePublicKey,
  list,
  MESSAGES,
  openSecureString,
  PsObject,
  PsSecureString,
} from '../index.ts';
import type { MessageName, PsValue } from '../index.ts';

const line = { commands: [{ command: 'x' }] };

describe('the end of a pool', () => {
  it('ends the pipelines that run, and leaves alone what has ended', () => {
    const { client, server, up, down } = pair();
    const ended = client.createPipeline(line);
    up();
    server.finish(ended, 'Completed');
    down();
    const running = client.createPipeline(line);
    expect(client.fail('gone')).toMatchObject([
      { type: 'pipelineState', pipelineId: running, state: 'Failed' },
      { type: 'poolState', state: 'Broken' },
    ]);
  });

  it('is said to the client only when the pool was open', () => {
    const { server } = pair({ isOpened: false });
    expect(server.close()).toEqual([{ type: 'closed' }]);
    expect(server.takeOutgoing()).toEqual([]);
    const open = pair();
    expect(open.server.close()).toEqual([{ type: 'closed' }]);
    expect(open.down()).toMatchObject([{ type: 'poolState', state: 'Closed' }]);
  });
});

describe('a pipeline', () => {
  it.each([0, 1, 2, 6])('goes on when a server tells its state %d', (state) => {
    const { client } = pair();
    const id = client.createPipeline(line);
    expect(client.receive(id, fragment('PIPELINE_STATE', bag({ PipelineState: state }), 'client', id))).toEqual([]);
    expect(client.pipelineState(id)).toBe('Running');
  });

  it('brings a null, and a body that is missing, as null', () => {
    const { client, server, up } = pair();
    const id = client.createPipeline({ ...line, noInput: false });
    up();
    expect(client.receive(id, fragment('PIPELINE_OUTPUT', undefined, 'client', id))).toMatchObject([{ value: null }]);
    expect(server.receive(id, fragment('PIPELINE_INPUT', undefined, 'server', id))).toMatchObject([{ value: null }]);
  });

  it('sends what it does to the client while it lives', () => {
    const { client, server, up, down } = pair();
    const id = client.createPipeline(line);
    up();
    server.sendProgress(id, {
      activity: '',
      activityId: 1,
      statusDescription: '',
      currentOperation: null,
      parentActivityId: -1,
      percentComplete: 100,
      secondsRemaining: -1,
      isCompleted: true,
    });
    // An empty text is none to a receiver, so a space stands for it.
    expect(down()).toMatchObject([
      { type: 'progress', record: { activity: ' ', statusDescription: ' ', percentComplete: 100, isCompleted: true } },
    ]);
  });
});

describe('an answer to a host call', () => {
  it('of the wrong kind is an error of that call, not of the pool', () => {
    const { client, server, up } = pair();
    const id = client.createPipeline(line);
    up();
    const callId = server.callHost(id, 'PromptForChoice', {
      caption: '',
      message: '',
      choices: [{ label: '&Yes', helpMessage: '' }],
      defaultChoice: 0,
    });
    const answer = bag({ mr: list(['no number']), ci: callId, mi: 26 });
    expect(server.receive(id, fragment('PIPELINE_HOST_RESPONSE', answer, 'server', id))).toMatchObject([
      { type: 'hostResponse', callId, result: null, error: { reason: 'InvalidCastException' } },
    ]);
    expect(server.state).toBe('Opened');
  });
  it('without a result is a null', () => {
    const { client, server, up } = pair();
    const id = client.createPipeline(line);
    up();
    const callId = server.callHost(id, 'PromptForCredential1', {
      caption: '',
      message: '',
      userName: null,
      targetName: '',
    });
    expect(
      server.receive(id, fragment('PIPELINE_HOST_RESPONSE', bag({ ci: callId, mi: 24 }), 'server', id)),
    ).toMatchObject([{ type: 'hostResponse', callId, result: null, error: null }]);
  });
});

describe('a session key', () => {
  it('that was asked for already is not asked for again', () => {
    const { client } = pair();
    expect(client.requestSessionKey()).toEqual([{ type: 'needsKeyPair' }]);
    expect(client.receive(null, fragment('PUBLIC_KEY_REQUEST', '', 'client', null))).toEqual([]);
    client.supplySessionKey(new Uint8Array(32));
    // A second exchange replaces the key.
    expect(client.receive(null, fragment('PUBLIC_KEY_REQUEST', '', 'client', null))).toEqual([
      { type: 'needsKeyPair' },
    ]);
  });
  it('has a public exponent of one to four bytes', () => {
    const modulus = new Uint8Array(256).fill(1);
    for (const length of [0, 5])
      expect(() => encodePublicKey({ modulus, exponent: new Uint8Array(length).fill(3) })).toThrow(/bad exponent/);
    for (const exponent of [[1], [1, 2, 3, 4], [0]])
      expect(decodePublicKey(encodePublicKey({ modulus, exponent: Uint8Array.from(exponent) }))).toEqual({
        modulus,
        exponent: Uint8Array.from(exponent),
      });
  });
  it('opens only what is sealed', () => {
    expect(() => openSecureString(new PsSecureString('*'), null)).toThrow(
      expect.objectContaining({ code: 'clixml_bad_value' }),
    );
    expect(openSecureString(new PsSecureString('aABpAA=='), null)).toBe('hi');
  });
});

describe('what only a server sends', () => {
  it.each<[MessageName, PsValue]>([
    ['PIPELINE_OUTPUT', 1],
    ['RUNSPACEPOOL_STATE', new PsObject()],
  ])('%s is refused when it comes from a client', (name, body) => {
    const { client, server, up } = pair();
    const id = client.createPipeline(line);
    up();
    const target = MESSAGES[name].target === 'pipeline' ? id : null;
    expect(server.receive(target, fragment(name, body, 'server', target))).toMatchObject([
      { type: 'failed', error: { code: 'psrp_unknown_message' } },
    ]);
  });
});
