import { describe, expect, it } from 'vitest';
import { ClientPool, consoleHostInfo, OutOfProcServer, ServerPool } from './index.ts';

const POOL = '00112233-4455-6677-8899-aabbccddeeff';

describe('a server pool', () => {
  const PIPELINE = '10213243-5465-7687-98a9-bacbdcedfe0f';
  const opened = (): { pool: ServerPool; client: ClientPool } => {
    const pool = new ServerPool();
    const client = new ClientPool({ poolId: POOL, newId: () => PIPELINE });
    client.open({ hostInfo: consoleHostInfo({ cols: 80, rows: 24 }) });
    for (const item of client.takeOutgoing()) if (item.kind === 'data') pool.receive(item.pipelineId, item.fragment);
    pool.opened(null);
    for (const item of pool.takeOutgoing()) if (item.kind === 'data') client.receive(item.pipelineId, item.fragment);
    return { pool, client };
  };

  it('takes the answer to a call of the pool under type 0 too, as Microsoft clients send it', () => {
    const { pool, client } = opened();
    pool.callHost(null, 'ReadLine', {});
    const events = pool
      .takeOutgoing()
      .flatMap((item) => (item.kind === 'data' ? client.receive(null, item.fragment) : []));
    const call = events.find((event) => event.type === 'hostCall')?.call;
    if (call?.method !== 'ReadLine') throw new Error('no call');
    client.respondHostCall(call, { result: 'typed' });
    const [answer] = client.takeOutgoing();
    if (answer?.kind !== 'data') throw new Error('no answer');
    // 21 fragment header + 4 destination: the type.
    answer.fragment.set([0, 0, 0, 0], 25);
    expect(pool.receive(null, answer.fragment)).toMatchObject([{ type: 'hostResponse', result: 'typed' }]);
  });

  it('refuses streams and slots without end', () => {
    const { pool } = opened();
    const id = (n: number): string => `00000000-0000-0000-0000-${n.toString(16).padStart(12, '0')}`;
    let failed = 0;
    for (let i = 1; i < 1000 && failed === 0; i++) failed = pool.receive(id(i), new Uint8Array(5)).length * i;
    expect(failed).toBeGreaterThan(64);
    expect(failed).toBeLessThan(200);
    const server = new OutOfProcServer();
    const line = (n: number): Uint8Array => new TextEncoder().encode(`<Command PSGuid='${id(n)}' />\n`);
    const events = Array.from({ length: 65 }, (_, i) => server.receive(line(i + 1))).flat();
    expect(events).toMatchObject([{ type: 'failed', error: { code: 'psrp_bad_state' } }, { type: 'exit' }]);
  });
});

describe('a client pool', () => {
  it('tells messages that were complete before a fault in the same read', () => {
    const server = new ServerPool();
    const client = new ClientPool({ poolId: POOL, newId: () => '' });
    client.open({ hostInfo: consoleHostInfo({ cols: 80, rows: 24 }) });
    for (const item of client.takeOutgoing()) if (item.kind === 'data') server.receive(item.pipelineId, item.fragment);
    server.opened(null);
    const good = server.takeOutgoing().flatMap((item) => (item.kind === 'data' ? [...item.fragment] : []));
    const events = client.receive(null, Uint8Array.from([...good, ...new Uint8Array(21)]));
    expect(events.map(({ type }) => type)).toEqual([
      'negotiated',
      'applicationPrivateData',
      'poolState',
      'failed',
      'poolState',
    ]);
  });
});
