import { describe, expect, it } from 'vitest';
import { consoleHostInfo, decodePacket, LineReader, OutOfProcClient, OutOfProcServer, PsrpError } from '../index.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const codeOf = (act: () => unknown): string => {
  try {
    act();
    return 'ok';
  } catch (error) {
    return error instanceof PsrpError ? error.code : String(error);
  }
};

describe('the length of a line', () => {
  const read = (text: string, cut: number): { lines: number; code: string } => {
    const reader = new LineReader(10);
    let lines = 0;
    const all = bytes(text);
    const code = codeOf(() => {
      for (let at = 0; at < all.length; at += cut) reader.push(all.subarray(at, at + cut), () => lines++);
    });
    return { lines, code };
  };

  it.each([1, 3, 100])('may be the limit, its end not counted, read in pieces of %i', (cut) => {
    expect(read('0123456789\n', cut)).toEqual({ lines: 1, code: 'ok' });
    expect(read('0123456789\r\n0123456789\n', cut)).toEqual({ lines: 2, code: 'ok' });
    expect(read('0123456789a\n', cut)).toEqual({ lines: 0, code: 'oop_line_too_long' });
    expect(read('ok\n0123456789a\r\n', cut)).toEqual({ lines: 1, code: 'oop_line_too_long' });
    // Without an end it is refused as soon as no line end can save it.
    expect(read('0123456789a', cut)).toEqual({ lines: 0, code: 'ok' });
    expect(read('0123456789ab', cut)).toEqual({ lines: 0, code: 'oop_line_too_long' });
  });

  it('of a start tag is 512 bytes', () => {
    const tag = (length: number): Uint8Array => {
      const rest = ` PSGuid='10213243-5465-7687-98a9-bacbdcedfe0f' />`;
      return bytes(`<DataAck${' '.repeat(length - rest.length - 8)}${rest}`);
    };
    expect(decodePacket(tag(512))).toMatchObject({ element: 'DataAck' });
    expect(codeOf(() => decodePacket(tag(513)))).toBe('oop_bad_packet');
  });
});

describe('how many', () => {
  const id = (n: number): string => `10213243-5465-7687-98a9-${n.toString(16).padStart(12, '0')}`;

  it('lines of noise come before the first packet: 64', () => {
    const opening = (): OutOfProcClient => {
      const client = new OutOfProcClient({ poolId: id(0), newId: () => '' });
      client.open({ hostInfo: consoleHostInfo({ cols: 80, rows: 25 }) });
      return client;
    };
    expect(
      opening()
        .receive(bytes('a banner\n'.repeat(64)))
        .map(({ type }) => type),
    ).toEqual(Array(64).fill('noise'));
    expect(
      opening()
        .receive(bytes('a banner\n'.repeat(65)))
        .at(-2),
    ).toMatchObject({
      type: 'failed',
      error: { code: 'oop_bad_packet' },
    });
  });

  it('pipelines a client and a server hold: 64', () => {
    let next = 0;
    const client = new OutOfProcClient({ poolId: id(999), newId: () => id(++next) });
    const server = new OutOfProcServer();
    const pump = (): string[] => {
      const told: string[] = [];
      for (let turn = 0; turn < 10; turn++) {
        for (const event of server.receive(client.takeOutgoing())) {
          told.push(event.type);
          if (event.type === 'open') server.pool.opened(null);
        }
        for (const line of server.takeOutgoing()) client.receive(line);
      }
      return told;
    };
    client.open({ hostInfo: consoleHostInfo({ cols: 80, rows: 25 }), maxRunspaces: 100 });
    pump();
    for (let i = 0; i < 64; i++) client.createPipeline({ commands: [{ command: 'x' }] });
    expect(() => client.createPipeline({ commands: [{ command: 'x' }] })).toThrow(/too many pipelines/);
    expect(pump().filter((type) => type === 'createPipeline')).toHaveLength(64);
    expect(server.receive(bytes(`<Command PSGuid='${id(500)}' />\n`))).toMatchObject([
      { type: 'failed', error: { code: 'psrp_bad_state' } },
      { type: 'exit' },
    ]);
  });
});
