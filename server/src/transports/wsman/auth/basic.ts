/** Basic, over verified TLS only. RFC 7617; winrm-auth.md sections 1 and 7. */
import { SallyportError } from '../../../errors.ts';
import type { Secret } from '../../../secret.ts';
import { findChallenge } from './challenges.ts';
import type { HttpSignIn, SignInAnswer, SignInStep } from './contract.ts';

/**
 * The first connection asks what the target offers, with an empty request: a target that has Basic switched off is not sent
 * the password. @throws SallyportError bad_name when the user name cannot be sent so; (from `next`) wsman_method_disabled
 */
export function basicSignIn({ user, password }: { readonly user: string; readonly password: Secret }): HttpSignIn {
  if (user.includes(':')) throw new SallyportError('bad_name', 'a user name with a colon');
  const authorize = (): string => `Basic ${Buffer.from(`${user}:${password.reveal()}`, 'utf8').toString('base64')}`;
  const done: SignInStep = { kind: 'done', session: { mechanism: 'Basic', sealing: null, authorize } };
  let isOffered = false;
  const next = async (answer: SignInAnswer | null): Promise<SignInStep> => {
    if (isOffered) return done;
    if (answer === null) return { kind: 'send', authorization: '' };
    if (answer.status === 401 && findChallenge(answer.challenges, 'Basic') === null)
      throw new SallyportError('wsman_method_disabled', 'the target does not offer Basic');
    isOffered = true;
    return done;
  };
  return {
    begin: () => ({ next, close: () => undefined }),
    close: () => Promise.resolve(),
  };
}
