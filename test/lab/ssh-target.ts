/** Connects to a lab server the way the product does, for tests that need a connection and not the connecting. */
import { systemClock } from '../../server/src/clock.ts';
import { SallyportError } from '../../server/src/errors.ts';
import { Secret } from '../../server/src/secret.ts';
import type {
  Connection,
  ConnectPort,
  ConnectRequest,
  HostKey,
  Identity,
} from '../../server/src/transports/contract.ts';
import { createSshConnector, type SshConnectorOptions } from '../../server/src/transports/ssh/connector.ts';
import type { LabSshd } from './sshd.ts';

/** The limits of security.md section 4. */
export const TIMEOUTS = { tcpMs: 10_000, handshakeMs: 20_000, loginMs: 30_000 } as const;

/** Signs in as the lab's user with its Ed25519 key. */
export const labIdentity = (lab: LabSshd): Identity => ({
  kind: 'privateKey',
  user: lab.user,
  key: new Secret(lab.keys.ed25519.privateKey),
  passphrase: null,
});

/** A request to the loopback address where the lab listens. */
export const labRequest = (
  lab: Pick<LabSshd, 'host' | 'port'>,
  identity: Identity,
  timeouts: ConnectRequest['timeouts'] = TIMEOUTS,
): ConnectRequest => ({
  endpoint: { host: lab.host, port: lab.port, resolve: () => Promise.resolve(lab.host) },
  identity,
  timeouts,
});

/** A person who accepts every host key, and refuses to answer; notes what was asked and shown. */
export class LabPort implements ConnectPort {
  readonly steps: string[] = [];
  readonly hostKeys: HostKey[] = [];
  readonly banners: string[] = [];
  readonly asked: unknown[] = [];
  readonly #answers: Partial<Pick<ConnectPort, 'checkHostKey' | 'askSecret' | 'askKeyboard'>>;
  constructor(answers: Partial<Pick<ConnectPort, 'checkHostKey' | 'askSecret' | 'askKeyboard'>> = {}) {
    this.#answers = answers;
  }
  async checkHostKey(key: HostKey): Promise<void> {
    this.hostKeys.push(key);
    await this.#answers.checkHostKey?.(key);
  }
  askSecret(...question: Parameters<ConnectPort['askSecret']>): Promise<Secret | null> {
    this.asked.push(question);
    return this.#answers.askSecret?.(...question) ?? Promise.resolve(null);
  }
  askKeyboard(...question: Parameters<ConnectPort['askKeyboard']>): Promise<readonly Secret[] | null> {
    this.asked.push(question);
    return this.#answers.askKeyboard?.(...question) ?? Promise.resolve(null);
  }
  banner(text: string): void {
    this.banners.push(text);
  }
  step(name: string): void {
    this.steps.push(name);
  }
}

/** A signed-in connection to the lab. */
export const connectLab = (
  lab: LabSshd,
  identity: Identity = labIdentity(lab),
  options: Partial<SshConnectorOptions> = {},
): Promise<Connection> =>
  createSshConnector({ clock: systemClock, ...options }).connect(
    labRequest(lab, identity),
    new LabPort(),
    new AbortController().signal,
  );

/** The code with which `promise` rejects; fails when it resolves. */
export async function codeOfRejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof SallyportError) return error.code;
    throw error;
  }
  throw new Error('expected a rejection');
}
