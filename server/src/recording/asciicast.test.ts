import { describe, expect, it } from 'vitest';
import { all, newId, output, record, useDirectory } from '../../../test/contracts/recording-fixture.ts';
import { toAsciicast } from './asciicast.ts';

const { setUp } = useDirectory();

describe('asciicast', () => {
  it('joins characters that were split, marks commands and resizes, survives odd bytes', async () => {
    const { recordings } = setUp();
    const id = newId();
    const smile = Buffer.from('😀');
    const writer = await record(recordings, id, [
      output(smile.subarray(0, 1)),
      output(smile.subarray(1, 3)),
      { type: 'resize', cols: 100, rows: 30 },
      output(Buffer.concat([smile.subarray(3), Buffer.from('ok\r\n')])),
      { type: 'command', number: 7, state: 'running' },
      { type: 'command', number: 7, state: 'completed' },
      output(new Uint8Array([0xff, 0x00, 0x1b, 0xe2, 0x82])),
    ]);
    await writer.close('exited');
    const lines = (await all(toAsciicast(recordings, id))).map((line): unknown => JSON.parse(line));
    expect(lines[0]).toMatchObject({ version: 2, width: 80, height: 24, title: 'ann at web01' });
    expect((lines as [number, string, string][]).slice(1).map(([, code, data]) => [code, data])).toEqual([
      ['r', '100x30'],
      ['o', '😀ok\r\n'],
      ['m', 'command 7'],
      ['o', '\ufffd\u0000\u001b'],
      ['o', '\ufffd'],
    ]);
  });
});
