import { describe, expect, it } from 'vitest';
import { consoleHostInfo, encodePacket, OutOfProcClient, OutOfProcServer } from '../index.ts';
import type { ClientEvent, OutOfProcServerEvent } from '../index.ts';
import { SendQueue } from './send-queue.ts';

const POOL = '00112233-4455-6677-8899-aabbccddeeff';
const PIPELINE = '10213243-5465-7687-98a9-bacbdcedfe0f';
const text = (lines: readonly Uint8Array[] | Uint8Array): string =>
  (lines instanceof Uint8Array ? [lines] : lines).map((line) => new TextDecoder().decode(line)).join('');
const elements = (server: OutOfProcServer): string[] =>
  [...text(server.takeOutgoing()).matchAll(/^<(\w+)[^>]*PSGuid='0*([^']*)'/gm)].map(
    ([, name = '', guid = '']) => `${name} ${guid.startsWith('-0000-0000') ? 'pool' : guid.slice(-1)}`,
  );

interface Pair {
  readonly client: OutOfProcClient;
  readonly server: OutOfProcServer;
  /** Carries everything both ways until nobody has anything to say. */
  readonly carry: () => { readonly atServer: OutOfProcServerEvent[]; readonly atClient: ClientEvent[] };
}
function pair(): Pair {
  let next = 0;
  const client = new OutOfProcClient({ poolId: POOL, newId: () => `10213243-5465-7687-98a9-00000000000${++next}` });
  const server = new OutOfProcServer();
  const carry = (): ReturnType<Pair['carry']> => {
    const atServer: OutOfProcServerEvent[] = [];
    const atClient: ClientEvent[] = [];
    for (let up = client.takeOutgoing(); up.length > 0; up = client.takeOutgoing()) {
      atServer.push(...server.receive(up));
      for (const line of server.takeOutgoing()) atClient.push(...client.receive(line));
    }
    return { atServer, atClient };
  };
  client.open({ hostInfo: consoleHostInfo({ cols: 80, rows: 25 }) });
  server.receive(client.takeOutgoing());
  server.pool.opened(null);
  for (const line of server.takeOutgoing()) client.receive(line);
  carry();
  return { client, server, carry };
}
const command = { commands: [{ command: 'x' }] };

describe('a server over lines', () => {
  it('ends with status 160 and says why when fragments are bad', () => {
    const { server } = pair();
    const bad = encodePacket({ element: 'Data', priority: 'default', pipelineId: null, data: new Uint8Array(40) });
    expect(server.receive(bad)).toMatchObject([
      { type: 'failed', error: { code: 'psrp_bad_length' } },
      { type: 'exit', status: 160 },
    ]);
    expect(text(server.takeOutgoing())).toMatch(/^<DataAck .*\n__NamedPipeError__:.+\n$/s);
    expect(server.hasExited).toBe(true);
    expect(server.receive(bad)).toEqual([]);
    expect(server.end()).toEqual([]);
  });

  it('ends in the same way on a line that is no packet', () => {
    const { server } = pair();
    expect(server.receive(new TextEncoder().encode('hello\n'))).toMatchObject([
      { type: 'failed', error: { code: 'oop_bad_packet' } },
      { type: 'exit' },
    ]);
    expect(text(server.takeOutgoing())).toBe('__NamedPipeError__:hello\n');
  });

  it('closes a pipeline that waits for a runspace at once, one that runs when it has ended', () => {
    const { client, server, carry } = pair();
    const running = client.createPipeline(command);
    const waiting = client.createPipeline(command);
    expect(carry().atServer).toMatchObject([{ type: 'createPipeline', pipelineId: running }]);
    server.receive(encodePacket({ element: 'Close', pipelineId: waiting }));
    expect(elements(server).at(-1)).toBe('CloseAck 2');
    expect(server.receive(encodePacket({ element: 'Close', pipelineId: running }))).toEqual([
      { type: 'stop', pipelineId: running },
    ]);
    expect(elements(server)).toEqual([]);
    server.finish(running, 'Stopped');
    expect(elements(server)).toEqual(['Data 1', 'CloseAck 1']);
    expect(server.finish(running, 'Stopped')).toEqual([]);
  });

  it('closes the session when the last of its pipelines has ended, not before', () => {
    const { client, server, carry } = pair();
    const first = client.createPipeline({ ...command, noInput: true });
    carry();
    expect(server.receive(encodePacket({ element: 'Close', pipelineId: null }))).toEqual([
      { type: 'stop', pipelineId: first },
    ]);
    expect(elements(server)).toEqual([]);
    expect(server.finish(first, 'Stopped')).toEqual([{ type: 'closed' }]);
    expect(elements(server)).toEqual(['Data 1', 'CloseAck 1', 'Data pool', 'Data pool', 'CloseAck pool']);
  });
});

describe('a client over lines', () => {
  const noise = (client: OutOfProcClient, lines: string): string[] =>
    client.receive(new TextEncoder().encode(lines)).map((event) => (event.type === 'noise' ? event.text : event.type));

  it('reads the first packet behind a banner, a trace of the banner and a byte order mark', () => {
    const client = new OutOfProcClient({ poolId: POOL, newId: () => PIPELINE });
    client.open({ hostInfo: consoleHostInfo({ cols: 80, rows: 25 }) });
    const server = new OutOfProcServer();
    server.receive(client.takeOutgoing());
    server.pool.opened(null);
    expect(noise(client, 'Welcome\n   at home\n<banner>\n\ufeff')).toEqual(['Welcome', '   at home', '<banner>']);
    for (const line of server.takeOutgoing()) client.receive(line);
    expect(client.state).toBe('Opened');
  });

  it('passes over the trace of a fatal error', () => {
    const client = new OutOfProcClient({ poolId: POOL, newId: () => PIPELINE });
    client.open({ hostInfo: consoleHostInfo({ cols: 80, rows: 25 }) });
    expect(noise(client, '__NamedPipeError__:gone\n   at System.X\n')).toEqual(['errorLine', 'poolState']);
    expect(client.state).toBe('Broken');
  });
});

describe('the queue of a client', () => {
  it('drops what is for a pipeline that is closed', () => {
    const queue = new SendQueue();
    const fragment = Uint8Array.of(1);
    queue.add([
      { kind: 'data', pipelineId: PIPELINE, priority: 'default', fragment },
      { kind: 'signal', pipelineId: PIPELINE },
      { kind: 'close', pipelineId: PIPELINE },
    ]);
    queue.commandAcknowledged(PIPELINE);
    queue.dataAcknowledged(PIPELINE);
    expect(queue.take()).toHaveLength(0);
  });

  it('sends one Data at a time, the answers to host calls first, and one Close', () => {
    const queue = new SendQueue();
    const data = (priority: 'default' | 'promptResponse', value: number) =>
      ({ kind: 'data', pipelineId: PIPELINE, priority, fragment: Uint8Array.of(value) }) as const;
    const sent = (): string[] =>
      [...text(queue.take()).matchAll(/<(\w+)(?: Stream='(\w))?/g)].map((m) => m.slice(1).join(' '));
    queue.add([{ kind: 'command', pipelineId: PIPELINE }, data('default', 1), data('default', 2)]);
    expect(sent()).toEqual(['Command ']);
    queue.commandAcknowledged(PIPELINE);
    expect(sent()).toEqual(['Data D']);
    queue.add([data('promptResponse', 3)]);
    expect(sent()).toEqual([]);
    queue.dataAcknowledged(PIPELINE);
    expect(sent()).toEqual(['Data P']);
    queue.add([
      { kind: 'close', pipelineId: PIPELINE },
      { kind: 'close', pipelineId: PIPELINE },
    ]);
    expect(sent()).toEqual(['Close ']);
    queue.dataAcknowledged(PIPELINE);
    expect(sent()).toEqual([]);
  });
});
