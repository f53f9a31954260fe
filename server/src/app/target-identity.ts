/** From a vault entry to what signs in at a target. What is used is audited first. */
import type { OpenSession } from '@sallyport/shared/api/sessions';
import type { Target } from '@sallyport/shared/api/targets';
import type { AuditLog } from '../audit/contract.ts';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import { type Caller, checkStepUp } from '../http/route.ts';
import { type Action, decide } from '../policy.ts';
import { Secret } from '../secret.ts';
import { parseUser } from '../targets/address.ts';
import type { Identity, KeyAgent } from '../transports/contract.ts';
import { describeUse, openClientCertificate } from '../transports/wsman/client-certificate.ts';
import type { Credentials } from '../vault/credentials.ts';
import { type CertificateAuthority, principalOf } from './authority.ts';
import { describeCertificate, keyReader } from './key-facts.ts';

export interface IdentityDeps {
  readonly credentials: Credentials;
  readonly authority: Pick<CertificateAuthority, 'issue'>;
  readonly agent: KeyAgent;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly clock: Clock;
  /** Principal of the gateway's own account; null where none is configured. */
  readonly gatewayName?: string | null;
}
/** For what an identity is opened. */
export interface IdentityUse {
  readonly caller: Caller;
  readonly sessionId: string;
  /** Name of the target, or of the hop. */
  readonly targetName: string;
  /** The target's own user name, for a credential without one. */
  readonly targetUser: string;
  /** Signs in at a machine on the way, not at the target. */
  readonly isHop: boolean;
}

/** What signs in, and what the person is shown of it before and while it is used. */
export interface OpenedIdentity {
  readonly identity: Identity;
  readonly note: string | null;
}

/**
 * Opens a vault entry for one connection. A certificate is issued, and audited, only when the target wants a key.
 * @throws SallyportError not_found, secret_unreadable, audit_unavailable, principal_refused
 */
export async function openIdentity(id: string, use: IdentityUse, deps: IdentityDeps): Promise<OpenedIdentity> {
  const { caller, sessionId, targetName, targetUser, isHop } = use;
  const { actor } = caller;
  const subject = `credential:${id}`;
  await deps.audit.append({
    ...{ type: 'credential.used', actor, subject, outcome: 'ok' },
    detail: { target: targetName, session: sessionId },
  });
  const opened = await deps.credentials.open(id);
  if (opened.kind === 'signed') {
    const personName = caller.principal.user.name;
    const issue = async () => {
      const { key, facts } = await deps.authority.issue({ user: opened.user, personName, sessionId, isHop });
      await deps.audit.append({
        ...{ type: 'certificate.issued', actor, subject: `session:${sessionId}`, outcome: 'ok' },
        detail: { target: targetName, ...facts },
      });
      return key;
    };
    const user = principalOf(opened.user, personName);
    return { identity: { kind: 'issued', user, issue }, note: `certificate of this gateway for ${user}` };
  }
  const user = opened.user === '' ? targetUser : opened.user;
  if (opened.kind === 'agent') {
    return { identity: { ...opened, user, agent: deps.agent }, note: `key ${opened.fingerprint} of the agent` };
  }
  if (opened.kind === 'certificate') {
    const certificate = openClientCertificate(opened.material, opened.passphrase);
    const name = opened.user === '' ? (certificate.facts.upn ?? targetUser) : opened.user;
    return { identity: { kind: 'certificate', user: name, certificate }, note: describeUse(certificate.facts) };
  }
  const certificate = opened.kind === 'privateKey' ? opened.certificate : null;
  const note = certificate === null ? null : describeCertificate(keyReader.readCertificate(certificate));
  return { identity: { ...opened, user }, note };
}

/** A refusal is audited before it is answered, as at every other door. @throws SallyportError */
export async function must(
  { subject, actor }: Caller,
  action: Action,
  { audit }: Pick<IdentityDeps, 'audit'>,
): Promise<void> {
  const decision = decide(subject, action, null);
  if (decision.allowed) return;
  const detail = { why: decision.why };
  await audit.append({ type: 'policy.refused', actor, subject: action, outcome: 'refused', detail });
  throw new SallyportError(decision.code, `${action} refused: ${decision.why}`);
}

/** As `POST /api/credentials` asks for it: this is a second door to the vault. @throws SallyportError */
async function mustStore(caller: Caller, deps: IdentityDeps): Promise<void> {
  await must(caller, 'credential.write', deps);
  checkStepUp(caller.principal, 'credential.write', deps.clock);
}

/** @throws SallyportError forbidden for a key of the agent, when the person may not use it */
async function checkKind(id: string, caller: Caller, deps: IdentityDeps): Promise<void> {
  if ((await deps.credentials.byId(id))?.kind === 'agent') await must(caller, 'agent.use', deps);
}

/** A jump host is entered with what it has in the vault; without that, the person is asked. What was chosen for the target never goes there. */
export async function hopIdentity(
  hop: Target,
  sessionId: string,
  caller: Caller,
  deps: IdentityDeps,
): Promise<Identity> {
  if (hop.credentialId === null) return { kind: 'ask', user: hop.user };
  await checkKind(hop.credentialId, caller, deps);
  const use = { caller, sessionId, targetName: hop.name, targetUser: hop.user, isHop: true };
  return (await openIdentity(hop.credentialId, use, deps)).identity;
}

/** What the person typed: nothing to open; of a certificate there is something to say. */
const typed = (identity: Identity) => () => {
  const line = identity.kind === 'privateKey' ? (identity.certificate ?? null) : null;
  const note = line === null ? null : describeCertificate(keyReader.readCertificate(line));
  return Promise.resolve<OpenedIdentity>({ identity, note });
};

/** What the person chose, else what the target has, else ask. @throws SallyportError forbidden, step_up_required, bad_request */
export async function identityOf(
  choice: OpenSession['credential'],
  { target, name }: { readonly target: Target | null; readonly name: string },
  caller: Caller,
  deps: IdentityDeps,
): Promise<(sessionId: string) => Promise<OpenedIdentity>> {
  const stored = async (id: string) => {
    await checkKind(id, caller, deps);
    const targetUser = target?.user ?? '';
    return (sessionId: string) =>
      openIdentity(id, { caller, sessionId, targetName: name, targetUser, isHop: false }, deps);
  };
  if (target?.wsman?.method === 'negotiate-implicit') return asGateway(choice, caller, deps);
  if (choice.by === 'vault') {
    await must(caller, 'credential.use', deps);
    // Else who has only the use of a credential sends it to a machine of their own choice, and reads it there.
    if (choice.credentialId !== target?.credentialId) {
      await must(caller, 'credential.list', deps);
      checkStepUp(caller.principal, 'credential.use', deps.clock);
    }
    return stored(choice.credentialId);
  }
  if (choice.by === 'default') {
    const thumbprint = target?.wsman?.certificateThumbprint ?? '';
    if (thumbprint !== '') {
      await must(caller, 'credential.use', deps);
      return stored(await idOfCertificate(thumbprint, deps));
    }
    if (target?.credentialId !== null && target !== null) {
      await must(caller, 'credential.use', deps);
      return stored(target.credentialId);
    }
    return typed({ kind: 'ask', user: target?.user ?? '' });
  }
  return typed(await typedIdentity(choice.typed, caller, deps));
}

/**
 * What signs in where nobody can be asked, as the session of `choice` did: its stored credential, or the gateway's own
 * account. Null where only the person can. The caller has the right to it: this asks no policy.
 * @throws SallyportError client_certificate_needed
 */
export async function identityWithout(
  choice: OpenSession['credential'],
  { target, name }: { readonly target: Target | null; readonly name: string },
  caller: Caller,
  deps: IdentityDeps,
): Promise<((sessionId: string) => Promise<OpenedIdentity>) | null> {
  if (target?.wsman?.method === 'negotiate-implicit') return () => Promise.resolve(gatewayItself(deps));
  if (choice.by === 'typed') return null;
  const thumbprint = target?.wsman?.certificateThumbprint ?? '';
  const own = thumbprint === '' ? (target?.credentialId ?? null) : await idOfCertificate(thumbprint, deps);
  const id = choice.by === 'vault' ? choice.credentialId : own;
  if (id === null) return null;
  const use = { caller, targetName: name, targetUser: target?.user ?? '', isHop: false };
  return (sessionId) => openIdentity(id, { ...use, sessionId }, deps);
}

/** How sessions name the gateway's own account. */
export const gatewayLabel = (name: string | null | undefined): string => `${name ?? 'nobody'} (the gateway itself)`;

/** Where the gateway signs in with its own account, no other credential is opened. @throws SallyportError bad_request, forbidden */
async function asGateway(choice: OpenSession['credential'], caller: Caller, deps: IdentityDeps) {
  if (choice.by !== 'default')
    throw new SallyportError('bad_request', 'credential: the gateway signs in there with its own account');
  await must(caller, 'credential.use', deps);
  return () => Promise.resolve(gatewayItself(deps));
}

const gatewayItself = ({ gatewayName }: IdentityDeps): OpenedIdentity => ({
  identity: { kind: 'gateway', user: gatewayLabel(gatewayName) },
  note: 'as the gateway itself',
});

/** The vault entry of a client certificate. @throws SallyportError client_certificate_needed */
async function idOfCertificate(
  thumbprint: string,
  { credentials }: Pick<IdentityDeps, 'credentials'>,
): Promise<string> {
  const found = (await credentials.list()).find(({ clientCertificate }) =>
    [clientCertificate?.sha1, clientCertificate?.sha256].includes(thumbprint),
  );
  if (found === undefined)
    throw new SallyportError('client_certificate_needed', `no certificate ${thumbprint} in the vault`);
  return found.id;
}

type Typed = Extract<OpenSession['credential'], { readonly by: 'typed' }>['typed'];

async function typedIdentity(
  { kind, user, secret, passphrase, certificate, saveAs }: Typed,
  caller: Caller,
  deps: IdentityDeps,
): Promise<Identity> {
  if (user !== '' && parseUser(user).value === null) throw new SallyportError('bad_request', 'user: not a user name');
  if (certificate !== null && kind !== 'privateKey')
    throw new SallyportError('bad_request', 'certificate: only beside a private key');
  if (certificate !== null) keyReader.readCertificate(certificate); // Before anything is kept or opened.
  if (saveAs !== null && kind !== 'ask') {
    await mustStore(caller, deps);
    await deps.audit.append({
      ...{ type: 'credential.created', actor: caller.actor, subject: `credential:${saveAs}`, outcome: 'ok' },
      detail: { kind },
    });
    await deps.credentials.create({ label: saveAs, kind, user, secret, passphrase, certificate });
  }
  if (kind === 'password') return { kind, user, password: new Secret(secret) };
  if (kind === 'ask') return { kind, user };
  const opened = { key: new Secret(secret), passphrase: passphrase === null ? null : new Secret(passphrase) };
  return { kind, user, ...opened, certificate };
}
