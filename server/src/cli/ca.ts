import { Authority, AuthorityState } from '@sallyport/shared/api/certificates';
import { ApiClient } from './client.ts';
import { type CliIo, type Command, UsageError, plain, readArgs } from './command.ts';

const current = async (client: ApiClient): Promise<Authority | null> =>
  (await client.call(AuthorityState, 'GET', 'api/authority')).authority;

/** Standard output is the line alone, so that it can be put into a file. */
function show(authority: Authority, json: boolean, io: CliIo): void {
  io.out(`${json ? JSON.stringify(authority) : plain(authority.line)}\n`);
  if (!json) io.err(`${plain(`Fingerprint ${authority.fingerprint}, made by ${authority.createdBy}`)}\n`);
}

export const ca: Command = {
  name: 'ca',
  summary: 'show and make the certificate authority that targets trust',
  usage: `sallyport ca show [--json]                                        (exit code 1 when there is none)
sallyport ca create [--source-address RANGE]... [--json]
sallyport ca create --replace FINGERPRINT [--source-address RANGE]... [--json]

show prints the line for the file that TrustedUserCAKeys in a target's sshd_config names:
  sallyport ca show > /etc/ssh/sallyport_ca.pub      and      TrustedUserCAKeys /etc/ssh/sallyport_ca.pub
--source-address: targets take certificates only from connections out of these ranges.
--replace: the key with that fingerprint is destroyed; targets refuse its certificates once they have the new line.

Speaks to a running gateway with a token that covers authority.read, and authority.write for create.`,
  async run(args, io) {
    const { values, positionals } = readArgs(args, {
      json: { type: 'boolean', default: false },
      'source-address': { type: 'string', multiple: true, default: [] },
      replace: { type: 'string' },
      url: { type: 'string' },
    });
    const [verb, ...rest] = positionals;
    if (rest.length > 0) throw new UsageError(`unexpected ${rest.join(' ')}`);
    const client = ApiClient.from(io, values.url);
    if (verb === 'show') {
      const authority = await current(client);
      if (authority !== null) show(authority, values.json, io);
      else io.err('sallyport ca: this gateway has no certificate authority; "sallyport ca create" makes one\n');
      return authority === null ? 1 : 0;
    }
    if (verb === 'create') {
      const wish = { replaces: values.replace ?? null, sourceAddresses: values['source-address'] };
      show(await client.call(Authority, 'POST', 'api/authority', wish), values.json, io);
      return 0;
    }
    throw new UsageError('ca show | ca create');
  },
};
