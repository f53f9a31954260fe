import { accessSync, constants, existsSync, readFileSync, statSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { hash } from '@node-rs/argon2';
import { parseListen } from '../config/addresses.ts';
import { checkFrontDoor } from '../config/front-door.ts';
import type { Config } from '../config/settings.ts';
import { toError } from '../errors.ts';
import { verifyAudit } from '../audit/verify.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import { auditStreams } from './audit.ts';
import { DATA_OPTIONS, configOf } from './config.ts';
import { type CliIo, type Command, readArgs, table } from './command.ts';
import { findProgram, findPwsh } from './demo/target.ts';

interface Finding {
  readonly what: string;
  readonly state: 'ok' | 'note' | 'bad';
  readonly detail: string;
}
type Check = (config: Config, io: CliIo) => Promise<Omit<Finding, 'what'>> | Omit<Finding, 'what'>;

const ok = (detail: string) => ({ state: 'ok', detail }) as const;
const note = (detail: string) => ({ state: 'note', detail }) as const;
const bad = (detail: string) => ({ state: 'bad', detail }) as const;

/** Nobody but the owner may read what is private. */
function privacy(file: string): string | null {
  if (!existsSync(file)) return null;
  return (statSync(file).mode & 0o077) === 0 ? null : `others may read ${file}: chmod go= ${file}`;
}

const canListen = (port: number, host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });

const CHECKS: Readonly<Record<string, Check>> = {
  'Node.js': () => ok(process.versions.node),
  configuration: (config) => {
    checkFrontDoor(config);
    return ok(`data in ${config.dataDir}`);
  },
  'data directory': ({ dataDir }) => {
    if (!existsSync(dataDir)) return note('does not exist yet; the first start makes it');
    accessSync(dataDir, constants.R_OK | constants.W_OK);
    const wrong = ['', 'keys', 'sallyport.db', 'recordings']
      .map((name) => privacy(path.join(dataDir, name)))
      .find((text) => text !== null);
    return wrong === undefined ? ok('readable by its owner only') : bad(wrong);
  },
  keys: ({ dataDir }) => {
    if (!existsSync(path.join(dataDir, 'sallyport.db'))) return note('made at the first start');
    const missing = ['vault.key', 'audit-signing.key'].filter((name) => !existsSync(path.join(dataDir, 'keys', name)));
    return missing.length === 0
      ? ok('keep a copy apart from the backups')
      : bad(`missing: ${missing.join(', ')}; put the file back`);
  },
  'audit log': async ({ dataDir }) => {
    const file = path.join(dataDir, 'sallyport.db');
    if (!existsSync(file)) return note('no events yet');
    const storage = await openStorage({ file, access: 'read' });
    try {
      const publicKey = readFileSync(path.join(dataDir, 'keys', 'audit-signing.pub'), 'utf8');
      const result = await verifyAudit({ ...auditStreams(storage), publicKey });
      return result.ok
        ? ok(`${result.events} events hold`)
        : bad(`broken at event ${result.firstBad ?? '?'}: ${result.problem ?? ''}`);
    } finally {
      await storage.close();
    }
  },
  'room for recordings': ({ dataDir, recordingsDir }) => {
    const place =
      [recordingsDir ?? path.join(dataDir, 'recordings'), dataDir, path.dirname(dataDir), '/'].find((p) =>
        existsSync(p),
      ) ?? '/';
    const { bavail, blocks } = statfsSync(place);
    const free = Math.floor((100 * bavail) / blocks);
    if (free < 5) return bad(`${free} % free: no new session is opened below 5 %`);
    return free < 20 ? note(`${free} % free: a warning is logged below 20 %`) : ok(`${free} % free`);
  },
  'password hashing': async () => {
    await hash('doctor', { memoryCost: 1024, timeCost: 1 });
    return ok('argon2id works');
  },
  port: async ({ listen }) => {
    const at = parseListen(listen);
    if (at === null) return bad(`${listen} is not host:port`);
    return (await canListen(at.port, at.host))
      ? ok(`${listen} is free`)
      : note(`${listen} is in use (a running gateway, or another program)`);
  },
  page: ({ webDir }) => {
    const directory = webDir ?? path.join(import.meta.dirname, '..', 'web');
    return existsSync(path.join(directory, 'index.html'))
      ? ok(directory)
      : bad(`there is no page in ${directory}: npm run build`);
  },
  'sshd (for the demo)': (_, io) => {
    const sshd = findProgram('sshd', io.env);
    return sshd === null ? note('not found: the demo uses a server in its own process') : ok(sshd);
  },
  'pwsh (for the demo)': (_, io) => {
    const pwsh = findPwsh(io.env);
    return pwsh === null ? note('not found: the demo offers a shell only') : ok(pwsh);
  },
};

async function examine(config: Config, io: CliIo): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [what, check] of Object.entries(CHECKS)) {
    try {
      findings.push({ what, ...(await check(config, io)) });
    } catch (error) {
      findings.push({ what, state: 'bad', detail: toError(error).message });
    }
  }
  return findings;
}

export const doctor: Command = {
  name: 'doctor',
  summary: 'check the installation and say what is missing',
  usage: `sallyport doctor [--data DIR] [--config FILE] [--json]

Looks at program, configuration, data directory, keys, audit log and room; changes nothing. Works beside a running gateway.
Exit code 1 when something is bad.`,
  async run(args, io) {
    const { values } = readArgs(args, { ...DATA_OPTIONS, json: { type: 'boolean', default: false } });
    const findings = await examine(configOf(io, values).config, io);
    if (values.json) for (const finding of findings) io.out(`${JSON.stringify(finding)}\n`);
    else
      io.out(
        table(
          ['CHECK', 'STATE', 'DETAIL'],
          findings.map((f) => [f.what, f.state, f.detail]),
        ),
      );
    return findings.some((f) => f.state === 'bad') ? 1 : 0;
  },
};
