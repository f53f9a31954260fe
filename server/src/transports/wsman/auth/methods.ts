/** From the method of a target to what signs in. winrm-auth.md sections 1, 2 and 9. */
import type { WsManMethod, WsManSettings } from '@sallyport/shared/api/wsman';
import { SallyportError } from '../../../errors.ts';
import type { Secret } from '../../../secret.ts';
import { basicSignIn } from './basic.ts';
import type { HttpSignIn } from './contract.ts';
import { digestSignIn } from './digest.ts';

/** Who signs in. */
export interface HttpIdentity {
  readonly kind: 'password';
  /** As typed: `user`, `DOMAIN\user` or `user@realm`. */
  readonly user: string;
  readonly password: Secret;
}
export interface SignInRequest {
  /** The target's host as the user typed it. */
  readonly host: string;
  readonly settings: WsManSettings;
  readonly identity: HttpIdentity;
  /** TLS stands, and its certificate was verified or is on record. Without it the target may be anybody. */
  readonly isAuthenticated: boolean;
}

/** @throws SallyportError when the method may not be used there */
type MakeSignIn = (request: SignInRequest) => HttpSignIn;

/** The password, or what it can be guessed from, is seen by whoever answers. */
const overVerifiedTls =
  (make: MakeSignIn): MakeSignIn =>
  (request) => {
    if (!request.isAuthenticated)
      throw new SallyportError(
        'wsman_clear_refused',
        `${request.settings.method} needs HTTPS with a verified certificate`,
      );
    return make(request);
  };

const notYet: MakeSignIn = ({ settings }) => {
  throw new SallyportError('target_auth_unsupported', `this gateway does not know ${settings.method}`);
};

const METHODS: Readonly<Record<WsManMethod, MakeSignIn>> = {
  default: notYet,
  negotiate: notYet,
  kerberos: notYet,
  basic: overVerifiedTls(({ identity }) => basicSignIn(identity)),
  digest: overVerifiedTls(({ identity }) => digestSignIn(identity)),
  credssp: notYet,
  certificate: notYet,
  'negotiate-implicit': notYet,
};

/** What signs in with the method of the target, and with no other. @throws SallyportError */
export const createSignIn = (request: SignInRequest): HttpSignIn => METHODS[request.settings.method](request);
