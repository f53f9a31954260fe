/** Basic, over verified TLS only. RFC 7617; winrm-auth.md section 7. */
import { SallyportError } from '../../../errors.ts';
import type { Secret } from '../../../secret.ts';
import type { HttpSignIn, SignInStep } from './contract.ts';

/** @throws SallyportError bad_name when the user name cannot be sent so */
export function basicSignIn({ user, password }: { readonly user: string; readonly password: Secret }): HttpSignIn {
  if (user.includes(':')) throw new SallyportError('bad_name', 'a user name with a colon');
  const authorize = (): string => `Basic ${Buffer.from(`${user}:${password.reveal()}`, 'utf8').toString('base64')}`;
  const done: SignInStep = { kind: 'done', session: { mechanism: 'Basic', sealing: null, authorize } };
  return {
    begin: () => ({ next: () => Promise.resolve(done), close: () => undefined }),
    close: () => Promise.resolve(),
  };
}
