/** The address that was checked is the one that is dialled; IPv6 from the written form to the shell. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../server/src/clock.ts';
import { parseAddress } from '../../server/src/targets/address.ts';
import { createAddressGate, type AddressGateOptions } from '../../server/src/targets/address-policy.ts';
import type { Connection } from '../../server/src/transports/contract.ts';
import { createSshConnector } from '../../server/src/transports/ssh/connector.ts';
import { Collector } from '../lab/collector.ts';
import { codeOfRejection, LabPort, labIdentity, TIMEOUTS } from '../lab/ssh-target.ts';
import { startSshd, type LabSshd } from '../lab/sshd.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
async function lab(listen: '127.0.0.1' | '::1'): Promise<LabSshd> {
  const started = await startSshd({ listen, subsystem: null });
  closers.push(() => started.stop());
  return started;
}
const gate = (ranges: readonly string[], lookup: AddressGateOptions['lookup'], refusals: string[] = []) =>
  createAddressGate({
    rules: () => ({ allowed: ranges.map((range) => ({ range, port: null })), own: [] }),
    refused: ({ ip, reason }) => {
      refusals.push(`${reason} ${ip}`);
    },
    ...(lookup === undefined ? {} : { lookup }),
  });
async function connect(to: LabSshd, endpoint: ReturnType<ReturnType<typeof gate>>): Promise<Connection> {
  const connection = await createSshConnector({ clock: systemClock }).connect(
    { endpoint, identity: labIdentity(to), timeouts: TIMEOUTS },
    new LabPort(),
    new AbortController().signal,
  );
  closers.push(() => connection.close());
  return connection;
}

it('connects to an IPv6 address, from what a person writes to the shell', async () => {
  const to = await lab('::1');
  const written = parseAddress(`${to.user}@[::1]:${String(to.port)}`);
  expect(written.value).toEqual({ user: to.user, host: '::1', port: to.port });
  const connection = await connect(
    to,
    gate(['::1/128'], undefined)(written.value?.host ?? '', written.value?.port ?? 0),
  );
  expect(connection.ip).toMatch(/^(?:::1|0:0:0:0:0:0:0:1)$/);
  const seen = new Collector();
  const pty = await connection.openPty({ cols: 80, rows: 24, term: 'xterm' }, seen);
  pty.write(Buffer.from('echo $SSH_CONNECTION; exit\n'));
  await seen.ended;
  expect(seen.text()).toContain(`::1 ${String(to.port)}`);
});

describe('a name that changes its address', () => {
  /** Counts who is dialled at 127.0.0.2, where the sshd under test does not listen. */
  async function decoy(port: number): Promise<{ dialled: () => number }> {
    let dialled = 0;
    const server: Server = createServer((socket) => {
      dialled += 1;
      socket.destroy();
    });
    server.listen(port, '127.0.0.2');
    await once(server, 'listening');
    closers.push(() => new Promise((resolve) => server.close(resolve)));
    expect((server.address() as AddressInfo).port).toBe(port);
    return { dialled: () => dialled };
  }

  it('is resolved once, and the address that was checked is the one that is dialled', async () => {
    const to = await lab('127.0.0.1');
    const { dialled } = await decoy(to.port);
    const answers = [['127.0.0.1'], ['127.0.0.2'], ['169.254.169.254']];
    let asked = 0;
    const endpoint = gate(['127.0.0.1/32'], () => Promise.resolve(answers[asked++] ?? []))('rebind.test', to.port);
    const connection = await connect(to, endpoint);
    expect(asked).toBe(1);
    expect(connection.ip).toBe('127.0.0.1');
    await to.logged(/Accepted publickey/);
    expect(dialled()).toBe(0);
  });

  it('is refused at the next connection, and nothing is dialled', async () => {
    const to = await lab('127.0.0.1');
    const { dialled } = await decoy(to.port);
    const answers = [['127.0.0.1'], ['127.0.0.2'], ['127.0.0.1', '169.254.169.254']];
    let asked = 0;
    const refusals: string[] = [];
    const make = gate(['127.0.0.1/32'], () => Promise.resolve(answers[asked++] ?? []), refusals);
    await connect(to, make('rebind.test', to.port));
    const connections = (): number => to.log().match(/Connection from/g)?.length ?? 0;
    expect(connections()).toBe(1);
    expect(await codeOfRejection(connect(to, make('rebind.test', to.port)))).toBe('target_address_refused');
    expect(await codeOfRejection(connect(to, make('rebind.test', to.port)))).toBe('target_address_refused');
    expect(refusals).toEqual(['loopback 127.0.0.2', 'link-local 169.254.169.254']);
    expect(dialled()).toBe(0);
    expect(connections()).toBe(1);
  });
});
