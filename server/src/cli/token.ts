import { ApiTokenList, CreatedApiToken } from '@sallyport/shared/api/users';
import { ApiClient, gatewayUrl, saveLogin, toApiError } from './client.ts';
import { type CliIo, type Command, UsageError, readArgs, table, time } from './command.ts';

/** Signs in as a person once, makes a token, forgets the rest. */
async function login(url: string, days: number, scopes: readonly string[] | null, io: CliIo): Promise<number> {
  const base = gatewayUrl(url);
  const name = await io.ask('Name: ', false);
  const password = await io.ask('Password: ', true);
  const origin = new URL(base).origin;
  const post = async (route: string, body: unknown, cookie: string): Promise<Response> => {
    const response = await fetch(new URL(route, base), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-sallyport': '1', origin, ...(cookie === '' ? {} : { cookie }) },
      body: JSON.stringify(body),
      redirect: 'error',
    });
    if (!response.ok) throw await toApiError(response);
    return response;
  };
  const cookieOf = (response: Response) =>
    response.headers
      .getSetCookie()
      .map((c) => c.split(';')[0])
      .join('; ');
  let cookie = cookieOf(await post('api/login', { name, password }, ''));
  cookie = cookieOf(await post('api/step-up', { password }, cookie)) || cookie;
  const created = CreatedApiToken.parse(
    await (
      await post('api/tokens', { label: `cli ${new Date().toISOString().slice(0, 10)}`, scopes, days }, cookie)
    ).json(),
  );
  await post('api/logout', { sessions: 'detach' }, cookie);
  io.out(
    `The token is in ${saveLogin(io.env, { url: base, token: created.token })} (mode 0600), good until ${time(created.entry.expiresAt)}.\n`,
  );
  return 0;
}

export const token: Command = {
  name: 'token',
  summary: 'sign this command line in, list and delete API tokens',
  usage: `sallyport token login --url URL [--days 30] [--scopes a,b]     (asks for name and password, keeps a token in a 0600 file)
sallyport token list [--json]
sallyport token delete ID

A token may do what its scopes name and its person's role allows; without --scopes all that the role allows.
To run scripts it needs target.list, session.open and, for the credentials of the targets, credential.use.`,
  async run(args, io) {
    const { values, positionals } = readArgs(args, {
      json: { type: 'boolean', default: false },
      days: { type: 'string', default: '30' },
      scopes: { type: 'string' },
      url: { type: 'string' },
    });
    const [verb, id] = positionals;
    if (verb === 'login') {
      const url = values.url ?? io.env['SALLYPORT_URL'];
      if (url === undefined) throw new UsageError('give --url');
      return login(url, Number(values.days), values.scopes === undefined ? null : values.scopes.split(','), io);
    }
    const client = ApiClient.from(io, values.url);
    if (verb === 'list') {
      const { tokens } = await client.call(ApiTokenList, 'GET', 'api/tokens');
      if (values.json) for (const entry of tokens) io.out(`${JSON.stringify(entry)}\n`);
      else
        io.out(
          table(
            ['LABEL', 'USER', 'SCOPES', 'EXPIRES', 'LAST USED', 'ID'],
            tokens.map((t) => [
              t.label,
              t.userName,
              t.scopes?.join(',') ?? 'all of the role',
              time(t.expiresAt),
              time(t.lastUsedAt),
              t.id,
            ]),
          ),
        );
      return 0;
    }
    if (verb === 'delete' && id !== undefined) {
      await client.send('DELETE', `api/tokens/${id}`);
      return 0;
    }
    throw new UsageError('token login | list | delete ID');
  },
};
