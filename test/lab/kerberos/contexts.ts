/** Kerberos for the lab's WinRM service: contexts.py is its acceptor, so that not our own code is on both sides. */
import path from 'node:path';
import type { LabAcceptor } from '../wsman/acceptors.ts';
import { startContextChild } from '../wsman/context-child.ts';

export interface KerberosContexts {
  readonly acceptor: LabAcceptor;
  /** For each sign-in: whether the service saw GSS_C_DELEG_FLAG and got a ticket of the user. */
  readonly delegated: readonly boolean[];
  /** Who signed in. */
  readonly names: readonly string[];
  stop(): Promise<void>;
}

/** @throws Error when it does not start */
export async function startKerberosContexts(keytab: string): Promise<KerberosContexts> {
  const delegated: boolean[] = [];
  const names: string[] = [];
  const child = await startContextChild({
    args: [path.join(import.meta.dirname, 'contexts.py'), keytab],
    env: { LC_ALL: 'C', GSS_MECH_CONFIG: '/dev/null', KRB5RCACHENAME: 'none:', KRB5_CONFIG: '/dev/null' },
    challenges: ['Negotiate', 'Kerberos'],
    protocolOf: (scheme) => `application/HTTP-${scheme === 'Kerberos' ? 'Kerberos' : 'SPNEGO'}-session-encrypted`,
    signedIn: ({ isDelegated, name }) => {
      delegated.push(isDelegated === true);
      names.push(name ?? '');
    },
  });
  return { acceptor: child.acceptor, stop: child.stop, delegated, names };
}
