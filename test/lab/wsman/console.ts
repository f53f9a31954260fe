/** Consoles at the lab's WinRM, opened the way the product opens them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { type Clock, systemClock } from '../../../server/src/clock.ts';
import { consoleLimits } from '../../../server/src/app/winrm.ts';
import { Secret } from '../../../server/src/secret.ts';
import type { LeftTerminal } from '../../../server/src/terminals/contract.ts';
import { openPowerShellTerminal } from '../../../server/src/terminals/powershell/terminal.ts';
import type { Kerberos } from '../../../server/src/transports/wsman/auth/kerberos/sign-in.ts';
import type { GatewayAccount } from '../../../server/src/transports/wsman/auth/methods.ts';
import { createWsManConnector } from '../../../server/src/transports/wsman/connector.ts';
import type { WsManConnection, WsManConnectRequest, WsManPort } from '../../../server/src/transports/wsman/contract.ts';
import type { Identity } from '../../../server/src/transports/contract.ts';
import { LabConsole } from '../console.ts';
import { makeCertificate } from '../certificate.ts';
import { basicAcceptor } from './acceptors.ts';
import { LabWsMan, type LabWsManOptions } from './server.ts';

/** The lab's one account. */
export const LAB_USER = { user: 'LAB\\ann', password: 'canary-Passw0rd' } as const;

export interface LabConnect {
  readonly rejoin?: LeftTerminal;
  readonly settings?: Partial<WsManSettings>;
  readonly identity?: Identity;
  readonly host?: string;
  /** What the name leads to; 127.0.0.1 without. */
  readonly ip?: string;
  readonly clock?: Clock;
  readonly kerberos?: Kerberos;
  readonly gateway?: GatewayAccount;
  readonly signal?: AbortSignal;
  readonly port?: Partial<WsManPort>;
  readonly timeouts?: WsManConnectRequest['timeouts'];
}

/** A service over HTTPS with Basic, and the lab's own certificate. */
export function startLabWsMan(options: Partial<LabWsManOptions> & Pick<LabWsManOptions, 'command'>): Promise<LabWsMan> {
  return LabWsMan.start({
    acceptor: basicAcceptor(LAB_USER.user, LAB_USER.password),
    tls: labCertificate(),
    ...options,
  });
}

/** PEM of a certificate for `localhost`, signed by itself. */
export function labCertificate(): { readonly key: string; readonly cert: string } {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-wsman-'));
  const { certFile, keyFile } = makeCertificate(directory, 'wsman');
  const pem = { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certFile, 'utf8') };
  rmSync(directory, { recursive: true });
  return pem;
}

/** A person who takes every certificate. */
const YES: WsManPort = {
  askSecret: () => Promise.resolve(null),
  step: () => undefined,
  confirmDelegation: () => Promise.resolve(false),
  useGateway: () => Promise.resolve(),
  redirected: ({ host, port }) => Promise.resolve({ host, port, resolve: () => Promise.resolve('127.0.0.1') }),
  redirectRefused: () => Promise.resolve(),
  checkCertificate: (_certificate, problem) => Promise.resolve(problem === null ? 'verified' : 'pinned'),
};

export function connectWsMan({ port }: Pick<LabWsMan, 'port'>, options: LabConnect = {}): Promise<WsManConnection> {
  const { user, password } = LAB_USER;
  return createWsManConnector({
    clock: options.clock ?? systemClock,
    kerberos: options.kerberos ?? null,
    gateway: options.gateway ?? null,
  }).connect(
    {
      endpoint: { host: options.host ?? 'localhost', port, resolve: () => Promise.resolve(options.ip ?? '127.0.0.1') },
      identity: options.identity ?? { kind: 'password', user, password: new Secret(password) },
      settings: WsManSettings.parse({ method: 'basic', ...options.settings }),
      timeouts: options.timeouts ?? { tcpMs: 30_000, handshakeMs: 30_000, loginMs: 30_000 },
      language: 'en-US',
    },
    { ...YES, ...options.port },
    options.signal ?? new AbortController().signal,
  );
}

/** Opens a console and waits for its first prompt; one that was left is gone on with, without waiting. A clock of the terminal alone leaves the requests under way their time. */
export async function openWsManConsole(
  lab: Pick<LabWsMan, 'port'>,
  options: LabConnect & {
    readonly console?: LabConsole;
    readonly terminalClock?: Clock;
  } = {},
): Promise<LabConsole> {
  const console = options.console ?? new LabConsole();
  const connection = await connectWsMan(lab, options);
  console.terminal = await openPowerShellTerminal({
    openPool: connection.openPool({
      shellCreated: () => undefined,
      retrying: () => console.notices.push('retrying'),
    }),
    closeConnection: () => connection.close(),
    lend: console.lend,
    targetName: 'web01',
    cols: 80,
    rows: 24,
    events: console,
    clock: options.terminalClock ?? options.clock ?? systemClock,
    signal: options.signal ?? new AbortController().signal,
    ...consoleLimits(connection),
    ...(options.rejoin === undefined ? {} : { rejoin: options.rejoin }),
  });
  if (options.rejoin === undefined) await console.until(() => console.lineId === 1);
  return console;
}
