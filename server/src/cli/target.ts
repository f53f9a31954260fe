import { ProbeResult, RELAXATIONS, Relaxation, Target, TargetList } from '@sallyport/shared/api/targets';
import { ApiClient } from './client.ts';
import { type CliIo, type Command, UsageError, plain, readArgs, table, time } from './command.ts';

function show(io: CliIo, targets: readonly Target[], json: boolean, all = targets): void {
  if (json) for (const target of targets) io.out(`${JSON.stringify(target)}\n`);
  else
    io.out(
      table(
        ['NAME', 'ADDRESS', 'THROUGH', 'OFFERS', 'LAST OPENED', 'ID'],
        targets.map((t) => [
          t.name,
          `${t.host.includes(':') ? `[${t.host}]` : t.host}:${t.port}`,
          t.viaTargetId === null ? '-' : (all.find(({ id }) => id === t.viaTargetId)?.name ?? t.viaTargetId),
          t.offers.join(','),
          time(t.lastOpenedAt),
          t.id,
        ]),
      ),
    );
}

interface NewTarget {
  readonly host: string;
  readonly port: string;
  readonly subsystem: string;
  readonly user: string;
  readonly via: string | undefined;
  readonly weaken: readonly string[];
}

/** @throws UsageError when the jump host or a relaxation is none */
async function add(client: ApiClient, name: string, given: NewTarget, json: boolean, io: CliIo): Promise<void> {
  const { targets } = given.via === undefined ? { targets: [] } : await client.call(TargetList, 'GET', 'api/targets');
  const via = targets.find((t) => t.name === given.via || t.id === given.via);
  if (given.via !== undefined && via === undefined) throw new UsageError(`there is no target named ${given.via}`);
  const relaxations = Relaxation.array().safeParse(given.weaken);
  if (!relaxations.success) throw new UsageError(`--weaken is one of ${RELAXATIONS.join(', ')}`);
  const body = {
    name,
    transport: 'ssh',
    host: given.host,
    port: Number(given.port),
    subsystem: given.subsystem,
    offers: ['powershell', 'pty'],
    credentialId: null,
    user: given.user,
    connectTimeoutMs: 30_000,
    viaTargetId: via?.id ?? null,
    relaxations: relaxations.data,
    notes: '',
  };
  const made = await client.call(Target, 'POST', 'api/targets', body);
  show(io, [made], json, [made, ...targets]);
}

/** @throws UsageError */
async function find(client: ApiClient, name: string): Promise<Target> {
  const { targets } = await client.call(TargetList, 'GET', 'api/targets');
  const found = targets.find((t) => t.name === name || t.id === name);
  if (found === undefined) throw new UsageError(`there is no target named ${name}`);
  return found;
}

async function probe(client: ApiClient, body: unknown, json: boolean, io: CliIo): Promise<number> {
  const result = await client.call(ProbeResult, 'POST', 'api/probe', body);
  if (json) io.out(`${JSON.stringify(result)}\n`);
  else {
    io.out(
      table(
        ['STEP', 'STATE', 'DETAIL'],
        result.stations.map((s) => [s.step, s.state, s.detail]),
      ),
    );
    if (result.hostKey !== null)
      io.out(
        `\n${plain(`Host key: ${result.hostKey.type} ${result.hostKey.fingerprint} (${result.hostKey.state})`)}\n`,
      );
    for (const { title, system, lines } of result.remedies)
      io.out(`\n${plain(`${title} (${system})`)}\n${lines.map((l) => `  ${plain(l)}\n`).join('')}`);
  }
  return result.stations.some((s) => s.state === 'failed') ? 1 : 0;
}

export const target: Command = {
  name: 'target',
  summary: 'list, add, remove and test the machines people may go to',
  usage: `sallyport target list [--json]
sallyport target add NAME --host HOST [--port 22] [--subsystem powershell] [--user USER] [--via TARGET]
                          [--weaken NAME]…     (for old devices: ${RELAXATIONS.join(', ')})
sallyport target remove NAME
sallyport target test NAME [--json]     (over its jump hosts; sends no credential to the target; exit code 1 when a step fails)
sallyport target test --host HOST [--port 22] [--subsystem powershell] [--json]

Speaks to a running gateway with a token that covers target.list, target.write, target.probe.`,
  async run(args, io) {
    const { values, positionals } = readArgs(args, {
      json: { type: 'boolean', default: false },
      host: { type: 'string' },
      port: { type: 'string', default: '22' },
      subsystem: { type: 'string', default: 'powershell' },
      user: { type: 'string', default: '' },
      via: { type: 'string' },
      weaken: { type: 'string', multiple: true },
      url: { type: 'string' },
    });
    const [verb, name] = positionals;
    const client = ApiClient.from(io, values.url);
    if (verb === 'list') {
      show(io, (await client.call(TargetList, 'GET', 'api/targets')).targets, values.json);
      return 0;
    }
    if (verb === 'test') {
      if ((values.host === undefined) === (name === undefined)) throw new UsageError('give a NAME or --host');
      const { host, subsystem, json } = values;
      if (name === undefined) return probe(client, { host, port: Number(values.port), subsystem }, json, io);
      return probe(client, { targetId: (await find(client, name)).id }, json, io);
    }
    if (verb === 'add' && name !== undefined) {
      if (values.host === undefined) throw new UsageError('give --host');
      await add(
        client,
        name,
        { ...values, host: values.host, via: values.via, weaken: values.weaken ?? [] },
        values.json,
        io,
      );
      return 0;
    }
    if (verb === 'remove' && name !== undefined) {
      await client.send('DELETE', `api/targets/${(await find(client, name)).id}`);
      return 0;
    }
    throw new UsageError('target list | add NAME | remove NAME | test');
  },
};
