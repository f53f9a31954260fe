import type { Gateway } from '../../app/gateway.ts';
import { randomId } from '../../random.ts';
import { DATA_OPTIONS, configOf } from '../config.ts';
import { type Command, readArgs } from '../command.ts';
import { announce, start, untilStopped } from '../serve.ts';
import { type DemoTarget, startDemoTarget } from './target.ts';

const NAME = 'this-machine';

/** Lists this machine as a target, with its fresh key in the vault and its fresh host key pinned; the last run's go. */
async function provision(gateway: Gateway, target: DemoTarget): Promise<void> {
  const { inventory, credentials, hostKeys } = gateway;
  const before = await inventory.byName(NAME);
  const label = 'demo target, this run';
  const credential = await credentials.create({
    label,
    kind: 'privateKey',
    user: target.user,
    secret: target.privateKey,
    passphrase: null,
  });
  for (const pin of await hostKeys.list()) if (pin.acceptedBy === 'demo') await hostKeys.delete(pin.id);
  await hostKeys.insert({
    id: randomId(),
    via: '',
    host: '127.0.0.1',
    port: target.port,
    keyType: target.hostKeyType,
    key: target.hostKey,
    acceptedBy: 'demo',
    acceptedAt: Date.now(),
  });
  const body = {
    name: NAME,
    transport: 'ssh' as const,
    host: '127.0.0.1',
    port: target.port,
    subsystem: 'powershell',
    offers:
      target.pwsh === null
        ? (['pty'] as ('powershell' | 'pty')[])
        : (['powershell', 'pty'] as ('powershell' | 'pty')[]),
    credentialId: credential.id,
    user: target.user,
    connectTimeoutMs: 30_000,
    notes:
      target.kind === 'sshd'
        ? 'The demo target: an sshd of this machine, for this run.'
        : 'The demo target: a server in the gateway itself.',
  };
  const flags = {
    isDemo: true,
    administratorOnly: target.kind === 'in-process',
    powershellMissing: target.pwsh === null,
  };
  if (before === null) await inventory.create(body, flags);
  else {
    await inventory.change(before.id, body, flags);
    if (before.credentialId !== null) await credentials.delete(before.credentialId);
  }
}

export const demo: Command = {
  name: 'demo',
  summary: 'run the gateway with this machine as its first target',
  usage: `sallyport demo [--data DIR] [--config FILE]

Starts the gateway on loopback and an SSH server of this machine on a free port (throw-away keys), listed as ${NAME}.`,
  async run(args, io) {
    const loaded = configOf(io, readArgs(args, DATA_OPTIONS).values);
    const target = await startDemoTarget(io.env);
    try {
      const gateway = await start(loaded, [{ range: '127.0.0.1/32', port: target.port }]);
      await provision(gateway, target);
      if (target.pwsh === null)
        io.out('PowerShell was not found here: the demo offers a shell. Install pwsh, or add a target that has it.\n');
      announce(gateway, io);
      await untilStopped();
      await gateway.close();
    } finally {
      await target.stop();
    }
    return 0;
  },
};
