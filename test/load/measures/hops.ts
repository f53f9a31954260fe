/**
 * Echo over a jump host, one key through each in turn over the same two sshds. Like is held against like: our connector
 * alone against two bare ssh2 clients (`forwardOut`), both in this process; the whole gateway against the floor's gateway
 * around the same bare chain, both a process of their own behind one WebSocket.
 */
import ssh2, { type Client, type ClientChannel } from 'ssh2';
import type { Target } from '@sallyport/shared/api/targets';
import { connectOver } from '../../lab/jump-chain.ts';
import { ConsolePage, openBody } from '../../lab/console-page.ts';
import { LAB_PASSWORD, startGateway, type LabGateway } from '../../lab/gateway.ts';
import { addLabTarget } from '../../lab/journeys.ts';
import { startSshd, type LabSshd } from '../../lab/sshd.ts';
import { minimal } from '../adapters/minimal.ts';
import { FLOOR, atMost, pairedRatios, round, type Bench } from '../bench.ts';
import type { Server, ShellHost } from '../channel.ts';
import { deadline, median, percentile, rotate, sleep } from '../stats.ts';

const LIMIT = 1.2;
const WARM_UP = 20;
const GAP_MS = 3;
const BARE = 'ssh2';
/** Split, so that the echo of the line itself does not match. */
const PREPARE = "stty raw -echo; printf 'HOPS''READY'; exec cat\r";
const READY = 'HOPSREADY';

/** A shell at the far end that sends back each key. */
interface Far {
  readonly name: string;
  write(text: string): void;
  onData(sink: (text: string) => void): void;
  close(): Promise<void>;
}

const signIn = (lab: LabSshd) => ({ username: lab.user, privateKey: lab.keys.ed25519.privateKey, hostVerifier: () => true }); // prettier-ignore
const ready = (client: Client, start: () => void): Promise<void> =>
  new Promise((resolve, reject) => {
    client.once('ready', resolve).once('error', reject);
    start();
  });

async function openBare(hop: LabSshd, target: LabSshd): Promise<Far> {
  const [near, far] = [new ssh2.Client(), new ssh2.Client()];
  await ready(near, () => near.connect({ host: hop.host, port: hop.port, ...signIn(hop) }).setNoDelay(true));
  const sock = await new Promise<ClientChannel>(
    (resolve, reject) =>
    near.forwardOut('127.0.0.1', 0, target.host, target.port, (error, stream) => (error ? reject(error) : resolve(stream))), // prettier-ignore
  );
  await ready(far, () => far.connect({ sock, ...signIn(target) }));
  const stream = await new Promise<ClientChannel>(
    (resolve, reject) =>
    far.shell({ term: 'xterm-256color', cols: 80, rows: 24 }, (error, shell) => (error ? reject(error) : resolve(shell))), // prettier-ignore
  );
  return {
    name: BARE,
    write: (text) => void stream.write(text),
    onData: (sink) => void stream.removeAllListeners('data').on('data', (chunk: Buffer) => sink(chunk.toString())),
    close: () => {
      far.end();
      near.end();
      return Promise.resolve();
    },
  };
}

async function openConnector(hop: LabSshd, target: LabSshd): Promise<Far> {
  let sink: (text: string) => void = () => undefined;
  const connection = await connectOver([hop, target]);
  const pty = await connection.openPty(
    { term: 'xterm-256color', cols: 80, rows: 24 },
    { data: (bytes) => sink(Buffer.from(bytes).toString()), drain: () => undefined, closed: () => undefined },
  );
  return {
    name: 'connector',
    write: (text) => void pty.write(Buffer.from(text)),
    onData: (next) => (sink = next),
    close: () => connection.close(),
  };
}

/** A gateway that has accepted both keys, and a page with a shell over the hop. */
async function openOurs(gateway: LabGateway, hop: LabSshd, target: LabSshd): Promise<Far> {
  const admin = await gateway.setUp();
  await admin.post('/api/step-up', { password: LAB_PASSWORD });
  const bastion = await addLabTarget(admin, hop, 'bastion');
  const { credentialId, host, port, user } = await addLabTarget(admin, target, 'direct');
  const inner = await admin.post<Target>('/api/targets', {
    ...{ name: 'inner', transport: 'ssh', host, port, subsystem: 'powershell', offers: ['pty'], credentialId, user },
    ...{ connectTimeoutMs: 30_000, viaTargetId: bastion.id, notes: '' },
  });
  const page = await ConsolePage.open(admin, openBody(inner.id, 'pty'));
  for (const which of [1, 2]) page.answer(await page.untilMessage('question', which), { kind: 'accept' });
  await page.untilLive();
  let sink: (text: string) => void = () => undefined;
  page.socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isBinary) sink(data.subarray(1).toString());
  });
  return {
    name: 'ours',
    write: (text) => page.type(text),
    onData: (next) => (sink = next),
    async close() {
      page.send({ type: 'close' });
      await page.untilClosed();
    },
  };
}

/** The floor with a bare chain in it. */
async function openFloor(server: Server, shell: ShellHost): Promise<Far> {
  const channel = await minimal.open(server.state, shell);
  let sink: (text: string) => void = () => undefined;
  channel.onData((bytes) => sink(bytes.toString()));
  return {
    name: FLOOR,
    write: (text) => channel.write(text),
    onData: (next) => (sink = next),
    close: () => {
      channel.close();
      return Promise.resolve();
    },
  };
}
const shellHost = (lab: LabSshd): ShellHost => {
  const [hostKey] = lab.hostKeys;
  if (hostKey === undefined) throw new Error('a lab without host key');
  return { host: lab.host, port: lab.port, user: lab.user, privateKey: lab.keys.ed25519.privateKey, hostKey };
};

async function prepared(far: Far): Promise<Far> {
  let text = '';
  const seen = new Promise<void>((resolve) => {
    far.onData((more) => {
      text += more;
      if (text.includes(READY)) resolve();
    });
  });
  far.write(PREPARE);
  await deadline(seen, 15_000, `the shell of ${far.name}`);
  return far;
}

async function stroke(far: Far): Promise<number> {
  const startedAt = performance.now();
  const echoed = new Promise<void>((resolve) => far.onData(() => resolve()));
  far.write('x');
  await deadline(echoed, 15_000, `echo of a key over ${far.name}`);
  return (performance.now() - startedAt) * 1000;
}

/** @returns p50 in microseconds of each, in one block */
async function block(bench: Bench, at: number, hop: LabSshd, target: LabSshd): Promise<Map<string, number>> {
  const gateway = await startGateway();
  const shell: ShellHost = { ...shellHost(target), hop: shellHost(hop) };
  const floor = await minimal.start({ shell, directory: bench.directory, users: 1 });
  const shells: Far[] = [];
  try {
    for (const open of [openBare, openConnector]) shells.push(await prepared(await open(hop, target)));
    shells.push(await prepared(await openOurs(gateway, hop, target)), await prepared(await openFloor(floor, shell)));
    const times = new Map(shells.map(({ name }) => [name, [] as number[]]));
    for (let key = 0; key < bench.sizes.keys + WARM_UP; key += 1)
      for (const far of rotate(shells, at + key)) {
        const us = await stroke(far);
        if (key >= WARM_UP) times.get(far.name)?.push(us);
        await sleep(GAP_MS);
      }
    for (const [target, all] of times)
      bench.emit({ measure: 'hops', round: at, target, p50us: round(percentile(all, 0.5), 1), p99us: round(percentile(all, 0.99), 1) }); // prettier-ignore
    return new Map([...times].map(([name, all]) => [name, percentile(all, 0.5)]));
  } finally {
    for (const far of shells) await far.close();
    await Promise.all([gateway.stop(), floor.stop()]);
  }
}

/** Quiet machine: the median key over one jump host. */
export async function measureHops(bench: Bench): Promise<void> {
  const [hop, target] = await Promise.all([startSshd(), startSshd()]);
  const p50 = new Map<string, number[]>();
  try {
    for (let at = 0; at < bench.sizes.rounds; at += 1)
      for (const [name, value] of await block(bench, at, hop, target)) p50.set(name, [...(p50.get(name) ?? []), value]);
  } finally {
    await Promise.all([hop.stop(), target.stop()]);
  }
  const of = (name: string): readonly number[] => p50.get(name) ?? [];
  const us = (values: readonly number[]): string => `${median(values).toFixed(0)} us`;
  for (const name of [BARE, FLOOR])
    bench.row({ measure: 'hops', what: `p50 ${name}`, value: us(of(name)), ratio: null, target: '', ok: null });
  for (const [name, beside, isJudged] of [
    ['connector', BARE, true],
    ['ours', FLOOR, true],
    // A gateway beside none: what its WebSocket and its process cost, whatever it does.
    ['ours', BARE, false],
  ] as const) {
    const ratio = median(pairedRatios(of(name), of(beside)));
    const row = { measure: 'hops', what: `p50 ${name} / ${beside}`, value: us(of(name)), ratio };
    bench.row({ ...row, target: isJudged ? `<= ${LIMIT}` : '', ok: isJudged ? atMost(ratio, LIMIT) : null });
  }
}
