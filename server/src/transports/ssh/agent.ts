/**
 * Asks an ssh-agent for its keys and for signatures: draft-miller-ssh-agent, sections 4.4 and 4.5. Over a UNIX socket, over
 * the pipe of Windows' OpenSSH, or Pageant: ssh2 reaches all three, its own messages leave out certificates. Only the first
 * was run (with OpenSSH's ssh-agent); the two of Windows are from reading.
 */
import type { Duplex } from 'node:stream';
import ssh2 from 'ssh2';
import { SallyportError, toError } from '../../errors.ts';
import type { AgentKey, KeyAgent } from '../contract.ts';
import { sshString, uint32, WireReader } from './wire.ts';

/** An agent with as many keys as sshd takes certificates and more; beyond it is no agent. */
const MAX_ANSWER_BYTES = 256 * 1024;
const MAX_KEYS = 256;
const MAX_COMMENT_CHARS = 256;
/** An agent that asks somebody at the gateway's host before it signs gets this long. */
const ANSWER_MS = 10_000;

const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;
const RSA_FLAGS = { sha256: 2, sha512: 4 } as const;

const unavailable = (why: string, cause?: unknown): SallyportError =>
  new SallyportError('agent_unavailable', `agent: ${why}`, cause === undefined ? {} : { cause: toError(cause) });

interface Answer {
  readonly type: number;
  readonly body: WireReader;
}
const readAnswer = (frame: Buffer): Answer => {
  const body = new WireReader(frame, () => unavailable('its answer is cut off'));
  return { type: body.uint8(), body };
};

type GetStream = (callback: (error: Error | null | undefined, stream: Duplex) => void) => void;
/** @param path of a socket or pipe, or `pageant` */
function openStream(path: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const agent = ssh2.createAgent(path) as unknown as { getStream: GetStream };
    agent.getStream((error, stream) => {
      if (error instanceof Error) reject(unavailable('it cannot be reached', error));
      else resolve(stream);
    });
  });
}

/** One question, one answer, one connection. */
async function ask(path: string, question: Buffer, signal: AbortSignal): Promise<Answer> {
  const stream = await openStream(path);
  const answer = new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const abort = (): void => reject(new SallyportError('cancelled', 'asking the agent was cancelled'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    const timer = setTimeout(() => reject(unavailable('it does not answer')), ANSWER_MS);
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MAX_ANSWER_BYTES) reject(unavailable('its answer is too long'));
      if (length < 4) return;
      const bytes = Buffer.concat(chunks);
      const end = 4 + bytes.readUInt32BE(0);
      if (length >= end) resolve(bytes.subarray(4, end));
    });
    stream.once('error', (error) => reject(unavailable('its connection broke', error)));
    stream.once('close', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      reject(unavailable('it closed the connection'));
    });
    stream.write(sshString(question));
  });
  try {
    return readAnswer(await answer);
  } finally {
    stream.on('error', () => undefined);
    stream.destroy();
  }
}

function readKeys({ type, body }: Answer): AgentKey[] {
  if (type !== IDENTITIES_ANSWER) throw unavailable('it does not list its keys');
  const count = body.uint32();
  if (count > MAX_KEYS) throw unavailable(`it holds more than ${MAX_KEYS} keys`);
  return Array.from({ length: count }, () => ({
    blob: Buffer.from(body.string()),
    comment: body.text().slice(0, MAX_COMMENT_CHARS),
  }));
}

/** @param path null when none is configured: it then refuses */
export function createKeyAgent(path: string | null): KeyAgent {
  const reach = (question: Buffer, signal: AbortSignal): Promise<Answer> =>
    path === null ? Promise.reject(unavailable('none is configured')) : ask(path, question, signal);
  return {
    list: async (signal) => readKeys(await reach(Buffer.from([REQUEST_IDENTITIES]), signal)),
    async sign(blob, data, hash, signal) {
      const flags = uint32(hash === null ? 0 : RSA_FLAGS[hash]);
      const question = Buffer.concat([Buffer.from([SIGN_REQUEST]), sshString(blob), sshString(data), flags]);
      const { type, body } = await reach(question, signal);
      if (type !== SIGN_RESPONSE) throw new SallyportError('agent_refused', 'agent: it does not sign with that key');
      return Buffer.from(body.string());
    },
  };
}
