/** Client certificate: TLS proves the user, and each request says so. winrm-auth.md section 7. */
import { SallyportError } from '../../../errors.ts';
import type { HttpSignIn, SignInAnswer, SignInStep } from './contract.ts';

/** DSP0226 annex C.3.4: HTTPS with mutual authentication. */
const PROFILE = 'http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual';

/**
 * An empty request first: the target may ask for the certificate only then, within the connection, and servers buffer the
 * body meanwhile.
 * @throws SallyportError (from `next`) client_certificate_refused, wsman_access_denied
 */
export function certificateSignIn(): HttpSignIn {
  const done: SignInStep = {
    kind: 'done',
    session: { mechanism: 'Certificate', sealing: null, authorize: () => PROFILE },
  };
  const next = async (answer: SignInAnswer | null): Promise<SignInStep> => {
    if (answer === null) return { kind: 'send', authorization: PROFILE };
    if (answer.status === 401) throw new SallyportError('client_certificate_refused', 'HTTP status 401');
    if (answer.status === 403) throw new SallyportError('wsman_access_denied', 'HTTP status 403');
    return done;
  };
  return { begin: () => ({ next, close: () => undefined }), close: () => Promise.resolve() };
}
