/** The lab's WinRM service in a process of its own, so that neither the gateway nor the measuring process pays for it. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { encodeIdentify } from '@sallyport/wsman';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { Secret } from '../../server/src/secret.ts';
import { createSignIn } from '../../server/src/transports/wsman/auth/methods.ts';
import { startTls } from '../../server/src/transports/wsman/tls.ts';
import { buildStandIn } from '../lab/powershell.ts';
import { ntlmAcceptor } from '../lab/wsman/acceptors.ts';
import { LAB_USER, startLabWsMan } from '../lab/wsman/console.ts';
import { SealedClient } from '../lab/wsman/sealed-client.ts';
import { deadline, sleep } from './stats.ts';

/** What was asked of it since it was asked last. */
export interface Asked {
  /** Requests by the name of their operation. */
  readonly requests: Readonly<Record<string, number>>;
  readonly connections: number;
  readonly openConnections: number;
}

export interface WinRmLab {
  readonly port: number;
  readonly pid: number;
  asked(): Promise<Asked>;
  stop(): Promise<void>;
}

/** How it signs in: NTLM over HTTPS, as a target by address does. */
export const WINRM_SETTINGS = WsManSettings.parse({ method: 'negotiate', isTrustedForNtlm: true });

/** @param shell what a shell is; null = the stand-in */
export async function startWinRmLab(shell: readonly [string, ...string[]] | null): Promise<WinRmLab> {
  const child = fork(import.meta.filename, ['child', ...(shell ?? [])], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const hear = async (): Promise<unknown> => {
    const ended = exited.then(() => {
      throw new Error('the WinRM lab ended');
    });
    const [message] = (await deadline(
      Promise.race([once(child, 'message'), ended]),
      30_000,
      'the WinRM lab',
    )) as unknown[];
    return message;
  };
  const { port } = (await hear()) as { port: number }; // What `serve` below sends.
  return {
    port,
    pid: child.pid ?? -1,
    asked() {
      const answer = hear();
      child.send('asked');
      return answer as Promise<Asked>; // Likewise.
    },
    async stop() {
      child.send('stop');
      await Promise.race([exited, sleep(5000)]);
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await exited;
    },
  };
}

async function serve(shell: readonly string[]): Promise<void> {
  const standIn = shell.length === 0 ? await buildStandIn() : null;
  const [program = '', ...args] = standIn?.command.split(' ') ?? shell;
  const acceptor = ntlmAcceptor(LAB_USER.user, LAB_USER.password);
  const lab = await startLabWsMan({ command: [program, ...args], acceptor, maxShells: 1000 });
  process.on('message', (word) => {
    if (word === 'asked') process.send?.(take(lab));
    else void end();
  });
  const end = async (): Promise<void> => {
    await lab.stop();
    standIn?.remove();
    process.exit(0);
  };
  process.send?.({ port: lab.port });
}

function take(lab: Awaited<ReturnType<typeof startLabWsMan>>): Asked {
  const requests: Record<string, number> = {};
  for (const { name } of lab.requests.splice(0)) requests[name] = (requests[name] ?? 0) + 1;
  const { connections, openConnections } = lab;
  return { requests, connections, openConnections };
}

/** One HTTP round trip to the lab on a connection that is signed in as the gateway's are: a request that no shell sees. */
export async function roundTrips({
  port,
}: Pick<WinRmLab, 'port'>): Promise<{ once(): Promise<number>; close(): void }> {
  const host = 'localhost';
  const below = connect({ port, host: '127.0.0.1' });
  const { socket, channelBinding } = await startTls(below, { host, trust: { ca: '' }, now: Date.now() });
  socket.destroy();
  const client = new SealedClient({ host, port, isTls: true, channelBinding });
  const { user, password } = LAB_USER;
  const identity = { kind: 'password', user, password: new Secret(password) } as const;
  const settings = WINRM_SETTINGS;
  await client.signIn(
    createSignIn({ host, settings, identity, isAuthenticated: true, isDelegationAllowed: false, kerberos: null }),
  );
  const body = new TextEncoder().encode(encodeIdentify());
  return {
    async once() {
      const startedAt = performance.now();
      await client.clear(body);
      return performance.now() - startedAt;
    },
    close: () => client.close(),
  };
}

if (process.argv[2] === 'child' && process.send !== undefined) void serve(process.argv.slice(3));
