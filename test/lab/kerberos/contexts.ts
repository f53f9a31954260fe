/** Kerberos for the lab's WinRM service: contexts.py is its acceptor, so that not our own code is on both sides. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { MessageSealing } from '../../../server/src/transports/wsman/auth/contract.ts';
import type { LabAcceptor } from '../wsman/acceptors.ts';

interface Answer {
  readonly id?: number;
  readonly error?: string;
  readonly token?: string;
  readonly isComplete?: boolean;
  readonly name?: string;
  readonly header?: string;
  readonly data?: string;
  readonly isDelegated?: boolean;
}
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const bytes = (part: string | undefined): Buffer => Buffer.from(part ?? '', 'base64');

export interface KerberosContexts {
  readonly acceptor: LabAcceptor;
  /** For each sign-in: whether the service saw GSS_C_DELEG_FLAG and got a ticket of the user. */
  readonly delegated: readonly boolean[];
  /** Who signed in. */
  readonly names: readonly string[];
  stop(): Promise<void>;
}

/** @throws Error with what it said when it does not start */
export async function startKerberosContexts(keytab: string): Promise<KerberosContexts> {
  const child = spawn('/usr/bin/python3', [path.join(import.meta.dirname, 'contexts.py'), keytab], {
    env: { LC_ALL: 'C', GSS_MECH_CONFIG: '/dev/null', KRB5RCACHENAME: 'none:', KRB5_CONFIG: '/dev/null' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const waiting = new Map<number, (answer: Answer) => void>();
  let count = 0;
  const lines = createInterface({ input: child.stdout });
  await Promise.race([
    once(lines, 'line'),
    exited.then(() => {
      throw new Error('the acceptor did not start');
    }),
  ]);
  lines.on('line', (line) => {
    const answer = JSON.parse(line) as Answer;
    waiting.get(answer.id ?? -1)?.(answer);
    waiting.delete(answer.id ?? -1);
  });
  const ask = (request: Readonly<Record<string, string | number>>): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const id = ++count;
      waiting.set(id, (answer) => {
        if (answer.error === undefined) resolve(answer);
        else reject(new Error(answer.error));
      });
      child.stdin.write(`${JSON.stringify({ ...request, id })}\n`);
    });

  let contexts = 0;
  const delegated: boolean[] = [];
  const names: string[] = [];
  const acceptor: LabAcceptor = () => {
    const context = ++contexts;
    let sealing: MessageSealing | null = null;
    const sealingOf = (scheme: string): MessageSealing => ({
      protocol: `application/HTTP-${scheme === 'Kerberos' ? 'Kerberos' : 'SPNEGO'}-session-encrypted`,
      label: 'lab',
      maxPart: Number.MAX_SAFE_INTEGER,
      async seal(plain) {
        const { header, data } = await ask({ op: 'close', context, data: text(plain) });
        return { signature: bytes(header), sealed: bytes(data) };
      },
      async unseal({ signature, sealed }) {
        return bytes((await ask({ op: 'open', context, header: text(signature), data: text(sealed) })).data);
      },
    });
    const offers = { kind: 'refused', challenges: ['Negotiate', 'Kerberos'] } as const;
    return {
      get isBound() {
        return sealing !== null;
      },
      get sealing() {
        return sealing;
      },
      async take(authorization) {
        const [scheme = '', token = ''] = (authorization ?? '').split(' ');
        if (token === '') return offers;
        try {
          const answer = await ask({ op: 'accept', context, scheme, token });
          const challenge = `${scheme} ${answer.token ?? ''}`;
          if (answer.isComplete !== true) return { kind: 'refused', challenges: [challenge] };
          sealing = sealingOf(scheme);
          delegated.push(answer.isDelegated === true);
          names.push(answer.name ?? '');
          return { kind: 'accepted', user: answer.name ?? '', token: challenge };
        } catch {
          return offers;
        }
      },
    };
  };
  return {
    ...{ acceptor, delegated, names },
    async stop() {
      child.stdin.end();
      await exited;
    },
  };
}
