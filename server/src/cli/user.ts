import { User, UserList } from '@sallyport/shared/api/users';
import { Role } from '@sallyport/shared/api/common';
import { ApiClient } from './client.ts';
import { DATA_OPTIONS, configOf } from './config.ts';
import { recover } from './recover.ts';
import { type CliIo, type Command, UsageError, readArgs, table, time } from './command.ts';

async function find(client: ApiClient, name: string): Promise<User> {
  const { users } = await client.call(UserList, 'GET', 'api/users');
  const user = users.find((u) => u.name === name || u.id === name);
  if (user === undefined) throw new UsageError(`there is no user named ${name}`);
  return user;
}

function show(io: CliIo, users: readonly User[], json: boolean): void {
  if (json) for (const user of users) io.out(`${JSON.stringify(user)}\n`);
  else
    io.out(
      table(
        ['NAME', 'ROLE', 'STATE', 'LAST LOGIN', 'ID'],
        users.map((u) => [u.name, u.role, u.disabled ? 'disabled' : 'active', time(u.lastLoginAt), u.id]),
      ),
    );
}

function parseRole(text: string | undefined): Role {
  const role = Role.safeParse(text);
  if (!role.success) throw new UsageError('--role is administrator, operator or auditor');
  return role.data;
}

export const user: Command = {
  name: 'user',
  summary: 'list, add and change the people who may sign in',
  usage: `sallyport user list [--json]
sallyport user add NAME --role administrator|operator|auditor     (asks for the password)
sallyport user set NAME [--role ROLE] [--disable | --enable] [--password]
sallyport user recover [--data DIR] [--config FILE] [--json]

recover works on the gateway's own host, as the user that runs it, with the gateway running or stopped: it prints a
one-time link that makes or restores an administrator, good for an hour. The audit log says so.

All but recover speak to a running gateway with a token that covers user.list and user.write.`,
  async run(args, io) {
    const { values, positionals } = readArgs(args, {
      json: { type: 'boolean', default: false },
      role: { type: 'string' },
      disable: { type: 'boolean', default: false },
      enable: { type: 'boolean', default: false },
      password: { type: 'boolean', default: false },
      url: { type: 'string' },
      ...DATA_OPTIONS,
    });
    const [verb, name] = positionals;
    if (verb === 'recover') return recover(configOf(io, values).config, values.json, io);
    const client = ApiClient.from(io, values.url);
    if (verb === 'list') {
      show(io, (await client.call(UserList, 'GET', 'api/users')).users, values.json);
      return 0;
    }
    if (name === undefined || (verb !== 'add' && verb !== 'set'))
      throw new UsageError('user list | add NAME | set NAME | recover');
    if (verb === 'add') {
      const role = parseRole(values.role);
      const password = await io.ask(`Password of ${name}: `, true);
      show(io, [await client.call(User, 'POST', 'api/users', { name, role, password })], values.json);
      return 0;
    }
    if (values.disable && values.enable) throw new UsageError('either --disable or --enable');
    const found = await find(client, name);
    const change = {
      ...(values.role === undefined ? {} : { role: parseRole(values.role) }),
      ...(values.disable || values.enable ? { disabled: values.disable } : {}),
      ...(values.password ? { password: await io.ask(`New password of ${name}: `, true) } : {}),
    };
    if (Object.keys(change).length === 0) throw new UsageError('nothing to change');
    show(io, [await client.call(User, 'PATCH', `api/users/${found.id}`, change)], values.json);
    return 0;
  },
};
