/**
 * Our gateway as `npm run build` made it, with the defaults of the product: people signed in, events audited, sessions
 * recorded and sealed, policy asked for each message. Only the count of sessions that one person may open is raised.
 * The client acknowledges as the page does: what it has taken, once 64 KiB are due. docs/wire.md section 3.
 */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { OpenedSession } from '@sallyport/shared/api/sessions';
import type { Credential, Target } from '@sallyport/shared/api/targets';
import type { WsManSettings } from '@sallyport/shared/api/wsman';
import { SUBPROTOCOL, type ClientMessage, type ServerMessage } from '@sallyport/shared/wire/control';
import { ACK_EVERY_BYTES } from '@sallyport/shared/wire/credit';
import { encodeInput, parseServerFrame } from '@sallyport/shared/wire/frames';
import type { WebSocket } from 'ws';
import { ConsolePage } from '../../lab/console-page.ts';
import { LAB_PASSWORD, type LabGateway, Person, PROGRAM, startGateway } from '../../lab/gateway.ts';
import { acceptHostKey, addLabTarget } from '../../lab/journeys.ts';
import type { Adapter, Channel, Server, ShellHost, StartOptions } from '../channel.ts';
import { newSocket } from './web-socket.ts';

interface OursState {
  readonly url: string;
  readonly targetId: string;
  /** Login cookies of the people who share the sessions. */
  readonly cookies: readonly string[];
  /** Of who set the gateway up. */
  readonly adminCookie: string | null;
}

/** Sources that the built program must not be older than. */
const SOURCES = ['server/src', 'server/psrp/src', 'server/wsman/src', 'shared/src'];

/** @throws Error when there is no built program, or a source is newer: a stale build would be measured */
function requireFreshBuild(): void {
  const root = path.join(import.meta.dirname, '../../..');
  if (!existsSync(PROGRAM)) throw new Error('no built program: npm run build');
  const builtAt = statSync(PROGRAM).mtimeMs;
  for (const source of SOURCES)
    for (const file of readdirSync(path.join(root, source), { recursive: true, encoding: 'utf8' }))
      if (file.endsWith('.ts') && !file.endsWith('.test.ts')) {
        const name = path.join(root, source, file);
        if (statSync(name).mtimeMs > builtAt)
          throw new Error(`${source}/${file} is newer than the build: npm run build`);
      }
}

const ENVIRONMENT = {
  SALLYPORT_SESSIONS_PER_USER: '100',
  SALLYPORT_SESSION_OPENS_PER_MINUTE: '10000',
  SALLYPORT_LOG_LEVEL: 'warn',
};

/** A target whose host key is pinned, and people who are signed in. */
async function prepare(gateway: LabGateway, shell: ShellHost, users: number): Promise<Omit<OursState, 'url'>> {
  const admin = await gateway.setUp();
  await admin.post('/api/step-up', { password: LAB_PASSWORD });
  const target = await addLabTarget(admin, { ...shell, keys: { ed25519: { privateKey: shell.privateKey } } });
  const first = await ConsolePage.open(admin, sessionBody(target.id));
  await acceptHostKey(first);
  await first.untilLive();
  first.send({ type: 'close' });
  await first.untilClosed();
  const cookies: string[] = [];
  for (let number = 1; number <= users; number += 1) {
    const name = `user${String(number)}`;
    await admin.post('/api/users', { name, role: 'operator', password: LAB_PASSWORD });
    cookies.push((await gateway.signIn(name)).cookie ?? '');
  }
  return { targetId: target.id, cookies, adminCookie: admin.cookie };
}

/** Prepares, then starts anew: what is measured has not just hashed the passwords of twenty people. */
async function start({ shell, users, directory }: StartOptions): Promise<Server> {
  requireFreshBuild();
  const dataDir = mkdtempSync(path.join(directory, 'ours-'));
  const options = { dataDir, env: ENVIRONMENT };
  const before = await startGateway(options);
  let prepared: Omit<OursState, 'url'>;
  try {
    prepared = await prepare(before, shell, users);
  } finally {
    await before.stop();
  }
  const gateway = await startGateway(options);
  const state: OursState = { url: gateway.url, ...prepared };
  return { pid: gateway.pid, state, stop: () => gateway.stop() };
}

const sessionBody = (targetId: string, kind: 'pty' | 'powershell' = 'pty') => ({
  to: { by: 'target', targetId },
  kind,
  credential: { by: 'default' },
  cols: 80,
  rows: 24,
});

/** Turns `sallyport.v1` into a byte channel. */
class OursChannel implements Channel {
  readonly #socket: WebSocket;
  #sink: ((bytes: Buffer) => void) | null = null;
  #early: Buffer[] = [];
  #offset = 0;
  #acked = 0;
  #isHeld = false;
  #closeWhy = '';
  readonly live: Promise<void>;
  #isLive: () => void = () => undefined;
  #failed: (error: Error) => void = () => undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.live = new Promise((resolve, reject) => {
      this.#isLive = resolve;
      this.#failed = reject;
    });
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#frame(data);
      else this.#control(JSON.parse(data.toString('utf8')) as ServerMessage); // The gateway's own messages.
    });
    socket.on('error', this.#failed);
    socket.on('close', (code: number, reason: Buffer) => {
      this.#failed(new Error(`ours: closed (${String(code)} ${reason.toString('utf8')} ${this.#closeWhy})`));
    });
  }

  #control(message: ServerMessage): void {
    if (message.type === 'attached') {
      this.#offset = message.offset;
      this.#acked = message.offset;
      if (message.phase === 'live') this.#isLive();
    } else if (message.type === 'phase' && message.phase === 'live') this.#isLive();
    else if (message.type === 'ended') this.#closeWhy = message.message;
    else if (message.type === 'question') this.#failed(new Error(`ours: asks for ${message.question.kind}`));
  }

  #frame(data: Buffer): void {
    const frame = parseServerFrame(data);
    if (frame === null) throw new Error('ours: not a frame of the gateway');
    const bytes = Buffer.from(frame.bytes.buffer, frame.bytes.byteOffset, frame.bytes.length);
    this.#offset += bytes.length;
    if (this.#sink === null) this.#early.push(bytes);
    else this.#sink(bytes);
    this.#acknowledge();
  }

  #acknowledge(): void {
    if (this.#isHeld || this.#offset - this.#acked < ACK_EVERY_BYTES) return;
    this.#acked = this.#offset;
    this.send({ type: 'ack', offset: this.#offset });
  }

  send(message: ClientMessage): void {
    this.#socket.send(JSON.stringify(message));
  }
  write(text: string): void {
    this.#socket.send(encodeInput(Buffer.from(text)));
  }
  onData(sink: (bytes: Buffer) => void): void {
    this.#sink = sink;
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) sink(bytes);
  }
  onClose(closed: (why: string) => void): void {
    this.#socket.on('close', (code: number, reason: Buffer) => {
      closed(`${String(code)} ${reason.toString('utf8')}`);
    });
  }
  pause(): void {
    this.#socket.pause();
  }
  resume(): void {
    this.#socket.resume();
  }
  /** From the last acknowledgement on, which goes out now; what comes then is what the gateway sends on credit. */
  holdAcks(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (this.#offset === this.#acked) return;
    this.#acked = this.#offset;
    this.send({ type: 'ack', offset: this.#offset });
  }
  close(): void {
    this.#socket.resume();
    if (this.#socket.readyState === this.#socket.OPEN) this.send({ type: 'close' });
  }
}

let next = 0;

async function open({ url, targetId, cookies }: OursState): Promise<Channel> {
  const person = new Person(url);
  person.cookie = cookies[next++ % cookies.length] ?? null;
  const { ticket } = await person.post<OpenedSession>('/api/sessions', sessionBody(targetId));
  const socket = newSocket(`${url.replace(/^http/, 'ws')}/api/sessions/socket`, {
    headers: person.headers(),
    protocol: SUBPROTOCOL,
  });
  const channel = new OursChannel(socket);
  await once(socket, 'open');
  channel.send({ type: 'attach', ticket, cols: 80, rows: 24, offset: null, takeOver: false });
  await channel.live; // What is typed before the shell is there is dropped.
  return channel;
}

/** Opens a PowerShell console; the prompt is still to come. @param targetId default: that over SSH */
export async function openPowerShell(state: unknown, targetId?: string): Promise<ConsolePage> {
  const { url, targetId: overSsh, cookies } = state as OursState; // What `start` returned.
  const person = new Person(url);
  person.cookie = cookies[next++ % cookies.length] ?? null;
  return ConsolePage.open(person, sessionBody(targetId ?? overSsh, 'powershell'));
}

/** A target over WinRM on this machine, its certificate accepted. @returns its id */
export async function addWinRmTarget(
  state: unknown,
  port: number,
  wsman: WsManSettings,
  { user, password }: { readonly user: string; readonly password: string },
): Promise<string> {
  const { url, adminCookie } = state as OursState; // What `start` returned.
  const admin = new Person(url);
  admin.cookie = adminCookie;
  await admin.post('/api/step-up', { password: LAB_PASSWORD });
  const credential = await admin.post<Credential>('/api/credentials', {
    ...{ label: `winrm ${String(port)}`, kind: 'password', user, secret: password, passphrase: null },
  });
  const target = await admin.post<Target>('/api/targets', {
    ...{ name: `winrm${String(port)}`, transport: 'wsman', host: 'localhost', port, subsystem: 'powershell' },
    ...{ offers: ['powershell'], credentialId: credential.id, user, connectTimeoutMs: 30_000, notes: '', wsman },
  });
  const first = await ConsolePage.open(admin, sessionBody(target.id, 'powershell'));
  const { question } = await first.untilMessage('question');
  if (question.kind !== 'hostKey') throw new Error(`asked ${question.kind}`);
  first.send({ type: 'answer', id: question.id, answer: { kind: 'accept' } });
  await first.untilMessage('prompt', 1, 60_000);
  first.send({ type: 'close' });
  await first.untilClosed();
  return target.id;
}

export const ours: Adapter = {
  name: 'ours',
  start,
  open: (state) => open(state as OursState), // What `start` returned, maybe through JSON.
};
