import { idOf, pair, type PoolPair } from '../../../../test/corpus/pools.ts';
import { describe, expect, it } from 'vitest';
import { decodePublicKey, decodeWrappedKey, encodePublicKey, encodeWrappedKey, unpadSessionKey } from '../index.ts';
import type { PsrpLimits } from '../index.ts';

const opened = (limits: Partial<PsrpLimits>): PoolPair => pair({ limits, opening: { maxRunspaces: 100 } });

describe('quotas of a server', () => {
  it('count every byte of input that a pipeline gets, and allow just as many', () => {
    const inputBytes = 21 + 40 + '<S>0123456789</S>'.length;
    const feed = (maxCommandBytes: number): string[] => {
      const { client, up } = opened({ maxCommandBytes });
      const pipelineId = client.createPipeline({ commands: [{ command: 'x' }], noInput: false });
      up();
      for (let i = 0; i < 3; i++) client.sendInput(pipelineId, '0123456789');
      return up().map((event) => (event.type === 'failed' ? event.error.code : event.type));
    };
    expect(feed(3 * inputBytes)).toEqual(['input', 'input', 'input']);
    expect(feed(3 * inputBytes - 1)).toEqual(['input', 'input', 'psrp_object_too_large']);
  });

  it('hold as many pipelines as they may, no more', () => {
    const { client, up } = opened({ maxPipelines: 3 });
    for (let i = 0; i < 4; i++) client.createPipeline({ commands: [{ command: 'x' }] });
    expect(up().map((event) => (event.type === 'failed' ? event.error.code : event.type))).toEqual([
      'createPipeline',
      'createPipeline',
      'createPipeline',
      'psrp_bad_state',
    ]);
  });

  it('hold two streams for each pipeline and the pool', () => {
    const { server } = opened({ maxPipelines: 3 });
    // The pool's own stream is there already.
    const half = new Uint8Array(5);
    for (let i = 1; i <= 7; i++) expect(server.receive(idOf(i), half)).toEqual([]);
    expect(server.receive(idOf(8), half)).toMatchObject([{ type: 'failed', error: { code: 'psrp_bad_state' } }]);
  });
});

describe('a session key of a wrong length', () => {
  it('is not taken', () => {
    const { client } = opened({});
    client.requestSessionKey();
    expect(() => client.supplyPublicKey({ modulus: new Uint8Array(255), exponent: Uint8Array.of(1, 0, 1) })).toThrow(
      /modulus of 255/,
    );
    expect(() => client.supplySessionKey(new Uint8Array(31))).toThrow(/32 bytes/);
    expect(() => client.supplySessionKey(new Uint8Array(33))).toThrow(/32 bytes/);
    expect(client.supplySessionKey(new Uint8Array(32))).toEqual([{ type: 'sessionKeyReady' }]);
  });

  it('is no blob of the right kind, one byte too short or too long', () => {
    const wrapped = encodeWrappedKey(new Uint8Array(256));
    const key = encodePublicKey({ modulus: new Uint8Array(256), exponent: Uint8Array.of(1, 0, 1) });
    const longer = (bytes: Uint8Array): Uint8Array => Uint8Array.from([...bytes, 0]);
    expect(decodeWrappedKey(wrapped)).toHaveLength(256);
    expect(decodePublicKey(key).modulus).toHaveLength(256);
    for (const bad of [wrapped.subarray(1), wrapped.subarray(0, -1), longer(wrapped)])
      expect(() => decodeWrappedKey(bad)).toThrow(expect.objectContaining({ code: 'psrp_bad_length' }));
    for (const bad of [key.subarray(1), key.subarray(0, -1), longer(key)])
      expect(() => decodePublicKey(bad)).toThrow(expect.objectContaining({ code: 'psrp_bad_length' }));
    const block = Uint8Array.from([0, 2, ...new Uint8Array(221).fill(1), 0, ...new Uint8Array(32).fill(7)]);
    expect(unpadSessionKey(block)).toEqual(new Uint8Array(32).fill(7));
    for (const bad of [longer(block), block.subarray(0, -1)])
      expect(() => unpadSessionKey(bad)).toThrow(expect.objectContaining({ code: 'psrp_bad_length' }));
  });
});
