import { mkdirSync } from 'node:fs';
import path from 'node:path';
import pino, { type DestinationStream } from 'pino';
import type { Gateway } from '../../app/gateway.ts';
import { createLog } from '../../log/log.ts';
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
    viaTargetId: null,
    relaxations: [],
    files: 'off' as const,
    usingCredentials: [],
    wsman: null,
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

/** What a person can do there, in words. */
function describe({ kind, pwsh }: DemoTarget): string {
  const how = kind === 'sshd' ? 'an sshd of this machine' : 'a server in the gateway itself, for administrators only';
  if (pwsh !== null) return `a shell and PowerShell (${how})`;
  return `a shell (${how}); PowerShell was not found here: install pwsh, or add a target that has it`;
}

/** The person at the terminal gets a few lines; the log goes beside the data. */
function openLogFile(file: string): DestinationStream {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  return pino.destination({ dest: file, sync: true, mode: 0o600 });
}

export const demo: Command = {
  name: 'demo',
  summary: 'run the gateway with this machine as its first target',
  usage: `sallyport demo [--data DIR] [--config FILE] [--no-sshd]

Starts the gateway on loopback and an SSH server of this machine on a free port (throw-away keys), listed as ${NAME}.
It is an sshd of this machine; without one, or with --no-sshd, a server in the gateway itself, for administrators only.
Log lines go to demo.log in the data directory.`,
  async run(args, io) {
    const { values } = readArgs(args, { ...DATA_OPTIONS, 'no-sshd': { type: 'boolean', default: false } });
    const loaded = configOf(io, values);
    const logFile = path.join(loaded.config.dataDir, 'demo.log');
    const target = await startDemoTarget(io.env, values['no-sshd'] ? { sshd: null } : {});
    try {
      const log = createLog(loaded.config.logLevel, openLogFile(logFile));
      const gateway = await start(loaded, [{ range: '127.0.0.1/32', port: target.port }], log);
      await provision(gateway, target);
      announce(gateway, io);
      io.out(`First target: ${NAME}, ${describe(target)}.\nLog: ${logFile}. Stop with Ctrl+C.\n`);
      await untilStopped();
      await gateway.close();
    } finally {
      await target.stop();
    }
    return 0;
  },
};
