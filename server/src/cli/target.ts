import { ProbeResult, Target, TargetList } from '@sallyport/shared/api/targets';
import { ApiClient } from './client.ts';
import { type CliIo, type Command, UsageError, plain, readArgs, table, time } from './command.ts';

function show(io: CliIo, targets: readonly Target[], json: boolean): void {
  if (json) for (const target of targets) io.out(`${JSON.stringify(target)}\n`);
  else
    io.out(
      table(
        ['NAME', 'ADDRESS', 'OFFERS', 'LAST OPENED', 'ID'],
        targets.map((t) => [
          t.name,
          `${t.host.includes(':') ? `[${t.host}]` : t.host}:${t.port}`,
          t.offers.join(','),
          time(t.lastOpenedAt),
          t.id,
        ]),
      ),
    );
}

const body = (name: string, host: string, port: string, subsystem: string, userName: string) => ({
  name,
  transport: 'ssh',
  host,
  port: Number(port),
  subsystem,
  offers: ['powershell', 'pty'],
  credentialId: null,
  user: userName,
  connectTimeoutMs: 30_000,
  notes: '',
});

async function probe(
  client: ApiClient,
  host: string,
  port: string,
  subsystem: string,
  json: boolean,
  io: CliIo,
): Promise<number> {
  const result = await client.call(ProbeResult, 'POST', 'api/probe', { host, port: Number(port), subsystem });
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
sallyport target add NAME --host HOST [--port 22] [--subsystem powershell] [--user USER]
sallyport target remove NAME
sallyport target test --host HOST [--port 22] [--subsystem powershell] [--json]     (sends no credential; exit code 1 when a step fails)

Speaks to a running gateway with a token that covers target.list, target.write, target.probe.`,
  async run(args, io) {
    const { values, positionals } = readArgs(args, {
      json: { type: 'boolean', default: false },
      host: { type: 'string' },
      port: { type: 'string', default: '22' },
      subsystem: { type: 'string', default: 'powershell' },
      user: { type: 'string', default: '' },
      url: { type: 'string' },
    });
    const [verb, name] = positionals;
    const client = ApiClient.from(io, values.url);
    if (verb === 'list') {
      show(io, (await client.call(TargetList, 'GET', 'api/targets')).targets, values.json);
      return 0;
    }
    if (verb === 'test') {
      if (values.host === undefined) throw new UsageError('give --host');
      return probe(client, values.host, values.port, values.subsystem, values.json, io);
    }
    if (verb === 'add' && name !== undefined) {
      if (values.host === undefined) throw new UsageError('give --host');
      show(
        io,
        [
          await client.call(
            Target,
            'POST',
            'api/targets',
            body(name, values.host, values.port, values.subsystem, values.user),
          ),
        ],
        values.json,
      );
      return 0;
    }
    if (verb === 'remove' && name !== undefined) {
      const { targets } = await client.call(TargetList, 'GET', 'api/targets');
      const found = targets.find((t) => t.name === name || t.id === name);
      if (found === undefined) throw new UsageError(`there is no target named ${name}`);
      await client.send('DELETE', `api/targets/${found.id}`);
      return 0;
    }
    throw new UsageError('target list | add NAME | remove NAME | test');
  },
};
