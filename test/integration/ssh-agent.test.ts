/** Signing in with keys that stay in a real ssh-agent, at a real sshd. */
import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Connection, Identity } from '../../server/src/transports/contract.ts';
import { createKeyAgent } from '../../server/src/transports/ssh/agent.ts';
import { fingerprintOf } from '../../server/src/transports/ssh/host-key.ts';
import { type LabAgent, startAgent } from '../lab/agent.ts';
import { makeAuthority, type LabAuthority } from '../lab/certificates.ts';
import { openKeyRing, type LabKeyName } from '../lab/keys.ts';
import { codeOfRejection, connectLab } from '../lab/ssh-target.ts';
import { startSshd, type LabSshd } from '../lab/sshd.ts';

const ring = openKeyRing();
const fingerprint = (name: LabKeyName): string =>
  fingerprintOf(Buffer.from(ring.keys[name].publicLine.split(' ')[1] ?? '', 'base64'));
const open: Connection[] = [];
let agent: LabAgent;
let lab: LabSshd;
let authority: LabAuthority;
beforeAll(async () => {
  [agent, lab] = await Promise.all([startAgent(), startSshd({ subsystem: null, methods: ['publickey'] })]);
  authority = makeAuthority();
});
afterAll(async () => {
  await Promise.all(open.map((connection) => connection.close()));
  await Promise.all([agent.stop(), lab.stop()]);
  authority.remove();
});
afterEach(() => agent.removeAll());

const identity = (name: LabKeyName, path: string | null = agent.socket): Identity => ({
  kind: 'agent',
  user: lab.user,
  agent: createKeyAgent(path),
  fingerprint: fingerprint(name),
});
async function connect(to: LabSshd, as: Identity): Promise<Connection> {
  const connection = await connectLab(to, as);
  open.push(connection);
  return connection;
}

describe('a key of the agent', () => {
  it.each<[LabKeyName, string]>([
    ['ed25519', 'ED25519'],
    ['ecdsa256', 'ECDSA'],
    ['ecdsa384Pem', 'ECDSA'],
    ['rsa', 'RSA'],
  ])('signs in: %s', async (name, kind) => {
    agent.add(ring.keys[name]);
    await connect(lab, identity(name));
    await lab.logged(
      new RegExp(`Accepted publickey for ${lab.user} .*: ${kind} ${fingerprint(name).replaceAll('+', '\\+')}`),
    );
  });

  it('is the only one that is offered, though the agent holds more than sshd would take', async () => {
    const names = ['ecdsa384Pem', 'rsa', 'ecdsa256', 'ed25519'] as const;
    for (const name of names) agent.add(ring.keys[name]);
    const strict = await startSshd({
      subsystem: null,
      methods: ['publickey'],
      lines: ['AuthorizedKeysFile none', 'LogLevel DEBUG1'],
    });
    try {
      expect(await codeOfRejection(connect(strict, identity('ed25519')))).toBe('target_auth_failed');
      await strict.logged(/Disconnected from|Connection (?:closed|reset) by/);
      expect(strict.log().match(/trying public key file|userauth_pubkey: publickey test|test pkalg/g)?.length).toBe(1);
    } finally {
      await strict.stop();
    }
  });

  it('signs in by its certificate, where the agent has one', async () => {
    const strict = await startSshd({
      subsystem: null,
      methods: ['publickey'],
      lines: ['AuthorizedKeysFile none', `TrustedUserCAKeys ${authority.publicFile}`],
    });
    try {
      for (const name of ['ed25519', 'rsa'] as const) {
        agent.add(ring.keys[name], authority.sign(ring.keys[name].publicLine, `agent ${name}`, [lab.user]));
        await (await connect(strict, identity(name))).close();
        await strict.logged(new RegExp(`Accepted publickey for .*-CERT .* ID agent ${name} `));
      }
    } finally {
      await strict.stop();
    }
  });

  it('does not have to be bothered with an expired certificate: the bare key signs in', async () => {
    const old = authority.sign(ring.keys.ed25519.publicLine, 'old', [lab.user], ['-V', '-2h:-1h']);
    agent.add(ring.keys.ed25519, old);
    await connect(lab, identity('ed25519'));
    expect(lab.log()).not.toContain('ID old');
  });
});

describe('without a signature nothing is signed in', () => {
  it('when the agent has no such key', async () => {
    agent.add(ring.keys.rsa);
    expect(await codeOfRejection(connect(lab, identity('ed25519')))).toBe('agent_key_missing');
  });

  it('when no agent is configured, or nobody is at the socket', async () => {
    expect(await codeOfRejection(connect(lab, identity('ed25519', null)))).toBe('agent_unavailable');
    expect(await codeOfRejection(connect(lab, identity('ed25519', '/nonexistent/agent')))).toBe('agent_unavailable');
  });

  it('when the agent is locked', async () => {
    agent.add(ring.keys.ed25519, undefined, ['-c']); // Asks somebody at the host, and nobody is there.
    expect(await codeOfRejection(connect(lab, identity('ed25519')))).toBe('agent_refused');
  });
});

describe('what calls itself an agent', () => {
  let directory: string;
  let server: Server;
  let answer: (socket: Socket) => void;
  beforeAll(async () => {
    directory = mkdtempSync(path.join(tmpdir(), 'sallyport-no-agent-'));
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => answer(socket));
    });
    server.listen(path.join(directory, 'sock'));
    await once(server, 'listening');
  });
  afterAll(async () => {
    server.close();
    await once(server, 'close');
    rmSync(directory, { recursive: true, force: true });
  });
  const frame = (body: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    return Buffer.concat([length, body]);
  };
  it.each<[string, Buffer]>([
    ['cuts its answer off', frame(Buffer.from([12, 0, 0, 0, 1, 0, 0, 0, 9]))],
    ['claims a million keys', frame(Buffer.from([12, 0, 15, 66, 64]))],
    ['says nothing', frame(Buffer.alloc(0))],
    ['answers another question', frame(Buffer.from([14, 0, 0, 0, 0]))],
    ['never ends', Buffer.concat([Buffer.from([255, 255, 255, 255]), Buffer.alloc(300_000)])],
    ['closes early', Buffer.from([0, 0])],
  ])('%s: refused by name', async (_, bytes) => {
    answer = (socket) => socket.end(bytes);
    const listing = createKeyAgent(path.join(directory, 'sock')).list(new AbortController().signal);
    expect(await codeOfRejection(listing)).toBe('agent_unavailable');
  });

  it('that does not answer is left when the opening is cancelled', async () => {
    const abort = new AbortController();
    answer = () => abort.abort();
    const listing = createKeyAgent(path.join(directory, 'sock')).list(abort.signal);
    expect(await codeOfRejection(listing)).toBe('cancelled');
  });
});
