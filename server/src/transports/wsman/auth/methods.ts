/** From the method of a target to what signs in. winrm-auth.md sections 1, 2 and 9. */
import type { WsManMethod, WsManSettings } from '@sallyport/shared/api/wsman';
import { SallyportError } from '../../../errors.ts';
import { Secret } from '../../../secret.ts';
import type { Identity } from '../../contract.ts';
import { basicSignIn } from './basic.ts';
import { certificateSignIn } from './certificate.ts';
import type { HttpSignIn } from './contract.ts';
import { credSspSignIn } from './credssp.ts';
import { digestSignIn } from './digest.ts';
import type { Delegation } from './kerberos/messages.ts';
import type { Kerberos, KerberosIdentity, KerberosOptions } from './kerberos/sign-in.ts';
import { negotiateSignIn } from './negotiate.ts';
import { ntlmSignIn } from './ntlm.ts';

/** A user with a password. */
export interface PasswordIdentity {
  readonly kind: 'password';
  /** As typed: `user`, `DOMAIN\user` or `user@realm`. */
  readonly user: string;
  readonly password: Secret;
}
/** Who signs in. `certificate`: TLS has it already. `gateway`: the gateway's own account. */
export type HttpIdentity = PasswordIdentity | { readonly kind: 'certificate' } | { readonly kind: 'gateway' };
/** The gateway's own account in Kerberos. It makes everybody the same user at a target. */
export interface GatewayAccount {
  /** The principal, for people. */
  readonly name: string;
  readonly identity: KerberosIdentity;
  /** Whether an administrator of the gateway's host has named this target for it. */
  mayUse(host: string): boolean;
}
export interface SignInRequest {
  /** The target's host as the user typed it. */
  readonly host: string;
  readonly settings: WsManSettings;
  readonly identity: HttpIdentity;
  /** TLS stands, and its certificate was verified or is on record. Without it the target may be anybody. */
  readonly isAuthenticated: boolean;
  /** For CredSSP: allowed for the target, and the person has said yes for this session. */
  readonly isDelegationAllowed: boolean;
  /** That of the gateway; null where it has none. */
  readonly kerberos: Kerberos | null;
  /** Null, or not given, where none is configured. */
  readonly gateway?: GatewayAccount | null;
}

/**
 * The account for a target that is signed in to as the gateway; null for every other target.
 * @throws SallyportError implicit_not_allowed, target_auth_unsupported
 */
export function gatewayAccountFor(
  kind: Identity['kind'],
  { host, settings, gateway }: Pick<SignInRequest, 'host' | 'settings' | 'gateway'>,
): GatewayAccount | null {
  const isWanted = settings.method === 'negotiate-implicit';
  if (!isWanted && kind !== 'gateway') return null;
  if (!isWanted || kind !== 'gateway') throw unusable(kind, settings.method);
  if (gateway?.mayUse(host) !== true)
    throw new SallyportError('implicit_not_allowed', `the gateway's own account is not allowed at ${host}`);
  return gateway;
}

/** Kerberos alone: NTLM has no tickets, and the gateway no password. Never delegated. */
function asGateway(request: SignInRequest): HttpSignIn {
  const { kerberos, settings, identity } = request;
  const account = gatewayAccountFor(identity.kind, request);
  if (account === null || kerberos === null)
    throw new SallyportError('kerberos_unavailable', 'this gateway has no Kerberos');
  const { service, includePort: isPortNamed } = settings.spn;
  const options = { identity: account.identity, scheme: 'Negotiate', service, isPortNamed } as const;
  return negotiateSignIn({ kerberos: kerberos.signIn(options), ntlm: null });
}

interface PasswordRequest extends SignInRequest {
  readonly identity: PasswordIdentity;
}
type SpnService = WsManSettings['spn']['service'];

/** @throws SallyportError when the method may not be used there */
type MakeSignIn = (request: PasswordRequest) => HttpSignIn;

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

/** @throws SallyportError kerberos_unavailable */
function kerberosSignIn(
  request: PasswordRequest,
  scheme: KerberosOptions['scheme'],
  service: SpnService = request.settings.spn.service,
  delegation: Delegation = request.settings.ticketDelegation,
): HttpSignIn {
  const { kerberos, identity, settings } = request;
  if (kerberos === null) throw new SallyportError('kerberos_unavailable', 'this gateway has no Kerberos');
  const { includePort } = settings.spn;
  // A secret of its own: it is wiped when the sign-in is closed.
  const password = new Secret(identity.password.reveal());
  const who = { kind: 'password', user: identity.user, password } as const;
  return kerberos.signIn({ identity: who, scheme, service, isPortNamed: includePort, delegation });
}

const hasRealm = ({ kerberos, identity }: PasswordRequest): boolean =>
  kerberos !== null && kerberos.principalOf(identity.user) !== null;

const credSsp: MakeSignIn = (request) => {
  const { identity, settings, isAuthenticated, isDelegationAllowed } = request;
  const service = settings.spn.credSspService;
  return credSspSignIn({
    ...{ user: identity.user, password: identity.password, service, isDelegationAllowed, isAuthenticated },
    isTrusted: settings.isTrustedForNtlm,
    kerberos: hasRealm(request) ? kerberosSignIn(request, 'Negotiate', service, 'never') : null,
  });
};

const negotiate: MakeSignIn = (request) => {
  const { identity, settings, isAuthenticated } = request;
  const { user, password } = identity;
  const isTrusted = settings.isTrustedForNtlm;
  return negotiateSignIn({
    kerberos: hasRealm(request) ? kerberosSignIn(request, 'Negotiate') : null,
    ntlm: ntlmSignIn({ user, password, isAuthenticated, isTrusted, service: settings.spn.service }),
  });
};

/** Methods that need a password. */
const METHODS: Readonly<Record<Exclude<WsManMethod, 'certificate' | 'negotiate-implicit'>, MakeSignIn>> = {
  // What it asks for beside Negotiate, for addresses, holds for every NTLM here: TLS that proves the target, or a trusted one.
  default: negotiate,
  negotiate,
  kerberos: (request) => kerberosSignIn(request, 'Kerberos'),
  basic: overVerifiedTls(({ identity }) => basicSignIn(identity)),
  digest: overVerifiedTls(({ identity }) => digestSignIn(identity)),
  credssp: credSsp,
};

const unusable = (kind: Identity['kind'], method: WsManMethod): SallyportError =>
  new SallyportError('target_auth_unsupported', `${kind} is no credential for ${method}`);

/** What signs in with the method of the target, and with no other. @throws SallyportError */
export function createSignIn(request: SignInRequest): HttpSignIn {
  const { identity, settings } = request;
  const { method } = settings;
  if (method === 'certificate') {
    if (identity.kind !== 'certificate') throw unusable(identity.kind, method);
    return certificateSignIn();
  }
  if (method === 'negotiate-implicit') return asGateway(request);
  if (identity.kind !== 'password') throw unusable(identity.kind, method);
  return METHODS[method]({ ...request, identity });
}
