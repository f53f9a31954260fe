/** Security contexts of another implementation for the lab's WinRM service: a script that takes and gives JSON lines. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { MessageSealing } from '../../../server/src/transports/wsman/auth/contract.ts';
import type { LabAcceptor } from './acceptors.ts';

/** What a script answers; which of it depends on what it was asked. */
export interface ContextAnswer {
  readonly id?: number;
  readonly error?: string;
  readonly token?: string;
  readonly isComplete?: boolean;
  readonly name?: string;
  readonly header?: string;
  readonly data?: string;
  readonly isDelegated?: boolean;
  readonly given?: readonly (readonly string[])[];
}
export interface ContextChildOptions {
  /** The script and its arguments. */
  readonly args: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** What it offers in `WWW-Authenticate`. */
  readonly challenges: readonly string[];
  /** `protocol` of sealed bodies, by the scheme that was spoken. */
  readonly protocolOf: (scheme: string) => string;
  /** Longest plain part that is sealed at once. */
  readonly maxPart?: number;
  /** Somebody has signed in. */
  readonly signedIn?: (answer: ContextAnswer) => void;
}
export interface ContextChild {
  readonly acceptor: LabAcceptor;
  /** @throws Error with what the script says */
  ask(request: Readonly<Record<string, string | number>>): Promise<ContextAnswer>;
  readonly stop: () => Promise<void>;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const bytes = (part: string | undefined): Buffer => Buffer.from(part ?? '', 'base64');

/** @throws Error when it does not start; what it said stands in the output of the test */
export async function startContextChild(options: ContextChildOptions): Promise<ContextChild> {
  const child = spawn('/usr/bin/python3', options.args, { env: options.env, stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const waiting = new Map<number, (answer: ContextAnswer) => void>();
  child.once('exit', () => {
    for (const answer of waiting.values()) answer({ error: 'the acceptor has ended' });
  });
  let count = 0;
  const lines = createInterface({ input: child.stdout });
  await Promise.race([
    once(lines, 'line'),
    exited.then(() => {
      throw new Error('the acceptor did not start');
    }),
  ]);
  lines.on('line', (line) => {
    const answer = JSON.parse(line) as ContextAnswer;
    waiting.get(answer.id ?? -1)?.(answer);
    waiting.delete(answer.id ?? -1);
  });
  const ask: ContextChild['ask'] = (request) =>
    new Promise((resolve, reject) => {
      const id = ++count;
      waiting.set(id, (answer) => {
        if (answer.error === undefined) resolve(answer);
        else reject(new Error(answer.error));
      });
      child.stdin.write(`${JSON.stringify({ ...request, id })}\n`);
    });
  let contexts = 0;
  return {
    ask,
    acceptor: () => acceptorOf(++contexts, ask, options),
    stop: async () => {
      child.stdin.end();
      await exited;
    },
  };
}

/** One connection. */
function acceptorOf(
  context: number,
  ask: ContextChild['ask'],
  { challenges, protocolOf, maxPart = Number.MAX_SAFE_INTEGER, signedIn }: ContextChildOptions,
): ReturnType<LabAcceptor> {
  let sealing: MessageSealing | null = null;
  const sealingOf = (scheme: string): MessageSealing => ({
    ...{ protocol: protocolOf(scheme), label: 'lab', maxPart },
    async seal(plain) {
      const { header, data } = await ask({ op: 'close', context, data: text(plain) });
      return { signature: bytes(header), sealed: bytes(data) };
    },
    async unseal({ signature, sealed }) {
      return bytes((await ask({ op: 'open', context, header: text(signature), data: text(sealed) })).data);
    },
  });
  return {
    get isBound() {
      return sealing !== null;
    },
    get sealing() {
      return sealing;
    },
    async take(authorization) {
      const [scheme = '', token = ''] = (authorization ?? '').split(' ');
      if (token === '') return { kind: 'refused', challenges };
      try {
        const answer = await ask({ op: 'accept', context, scheme, token });
        const challenge = `${scheme} ${answer.token ?? ''}`.trimEnd();
        if (answer.isComplete !== true) return { kind: 'refused', challenges: [challenge] };
        sealing = sealingOf(scheme);
        signedIn?.(answer);
        const last = answer.token === '' ? {} : { token: challenge };
        return { kind: 'accepted', user: answer.name ?? '', ...last };
      } catch {
        return { kind: 'refused', challenges };
      }
    },
  };
}
