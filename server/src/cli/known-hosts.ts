import { readFileSync } from 'node:fs';
import { KnownHostsFile, KnownHostsReport } from '@sallyport/shared/api/host-keys';
import { partsOf } from '@sallyport/shared/known-hosts-parts';
import { toError } from '../errors.ts';
import { ApiClient } from './client.ts';
import { type CliIo, type Command, UsageError, plain, readArgs } from './command.ts';

function contentsOf(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${toError(error).message}`);
  }
}

async function importFile(client: ApiClient, file: string, json: boolean, io: CliIo): Promise<number> {
  const sum = { imported: 0, known: 0, revoked: 0, unsupported: 0, problemCount: 0 };
  const problems: KnownHostsReport['problems'] = [];
  for (const { text, firstLine } of partsOf(contentsOf(file))) {
    const report = await client.call(KnownHostsReport, 'POST', 'api/host-keys/known-hosts', { text });
    for (const name of ['imported', 'known', 'revoked', 'unsupported', 'problemCount'] as const)
      sum[name] += report[name];
    problems.push(...report.problems.map(({ line, why }) => ({ line: line + firstLine - 1, why })));
  }
  if (json) io.out(`${JSON.stringify({ ...sum, problems })}\n`);
  else {
    const parts = [`${sum.imported} imported`, `${sum.known} known already`, `${sum.problemCount} not taken`];
    io.out(`${parts.join(', ')}\n`);
    if (sum.revoked > 0) io.out(`${sum.revoked} of them revoke a key\n`);
    if (sum.unsupported > 0) io.out(`${sum.unsupported} are of certificate authorities: kept, not used\n`);
    for (const { line, why } of problems) io.err(plain(`line ${line}: ${why}`) + '\n');
  }
  return sum.problemCount > 0 ? 1 : 0;
}

export const knownHosts: Command = {
  name: 'known-hosts',
  summary: "take host keys from OpenSSH's known_hosts files, and give them back as one",
  usage: `sallyport known-hosts import FILE [--json]     (- is the standard input; exit code 1 when a line was not taken)
sallyport known-hosts export [--hashed]        (to the standard output, as ssh reads it)

Speaks to a running gateway with a token that covers hostkey.list for export, hostkey.accept for import.`,
  async run(args, io) {
    const { values, positionals } = readArgs(args, {
      json: { type: 'boolean', default: false },
      hashed: { type: 'boolean', default: false },
      url: { type: 'string' },
    });
    const [verb, file, ...rest] = positionals;
    if (rest.length > 0) throw new UsageError(`unexpected ${rest.join(' ')}`);
    const client = ApiClient.from(io, values.url);
    if (verb === 'import' && file !== undefined) return importFile(client, file, values.json, io);
    if (verb === 'export' && file === undefined) {
      const way = `api/host-keys/known-hosts/file?hashed=${values.hashed ? '1' : '0'}`;
      io.out((await client.call(KnownHostsFile, 'GET', way)).text);
      return 0;
    }
    throw new UsageError('known-hosts import FILE | export');
  },
};
