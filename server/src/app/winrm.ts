/** Opening a target over WinRM: its certificate on record or accepted, then the connection that its pool goes over. */
import { visibleText } from '@sallyport/shared/terminal-output/visible-text';
import type { OpeningPort } from '../broker/contract.ts';
import { codeOf, SallyportError } from '../errors.ts';
import type { Caller } from '../http/route.ts';
import { decide } from '../policy.ts';
import { parseHost } from '../targets/address.ts';
import { fingerprintOf } from '../targets/host-keys.ts';
import type { NewQuestion } from '../terminals/contract.ts';
import type { PowerShellTerminalOptions } from '../terminals/powershell/terminal-options.ts';
import type { ConnectPort, Endpoint } from '../transports/contract.ts';
import type {
  Redirection,
  WsManConnection,
  WsManConnector,
  WsManConnectRequest,
  WsManPort,
} from '../transports/wsman/contract.ts';
import { certificateChanged, faultWords } from '../transports/wsman/errors.ts';
import type { PresentedCertificate } from '../transports/wsman/tls.ts';
import { addressOf } from './chain.ts';
import type { IdentityDeps } from './target-identity.ts';
import type { HostKeyStore } from '../targets/pins.ts';

/** Certificates are kept beside host keys under this type. */
const X509 = 'x509';
const RETRYING = 'The connection to the target broke. It is being made again; the session goes on when it stands.';
const CREATE_AGAIN = 'The target makes no session yet. It is asked again for a while.';

export interface WinRmDeps extends Pick<IdentityDeps, 'audit'> {
  readonly hostKeys: HostKeyStore;
  readonly winrm: WsManConnector;
}
export interface WinRmOpening {
  readonly caller: Caller;
  readonly port: Pick<OpeningPort, 'ask' | 'notice' | 'sessionId'>;
  readonly signal: AbortSignal;
  readonly deps: WinRmDeps;
}
/** The place of a certificate. */
interface Place {
  readonly host: string;
  readonly port: number;
  readonly via: string;
}

/**
 * A certificate on record decides alone. Without one it must be good by itself, or be accepted by who may: the event comes
 * first, then it is on record.
 * @throws SallyportError tls_certificate_changed, tls_certificate_untrusted
 */
export async function checkCertificate(
  presented: PresentedCertificate,
  problem: string | null,
  place: Place,
  { caller, port, signal, deps }: WinRmOpening,
): Promise<'verified' | 'pinned'> {
  const { host, port: at, via } = place;
  const key = Buffer.from(presented.leaf).toString('base64');
  const fingerprint = fingerprintOf(key);
  const subject = addressOf(host, at);
  const detail = { type: X509, fingerprint, ...(via === '' ? {} : { via }) };
  const pinned = async (): Promise<boolean> => {
    const pins = (await deps.hostKeys.find(via, host, at)).filter(({ keyType }) => keyType === X509);
    if (pins.length === 0) return false;
    if (pins.some((pin) => pin.key === key)) return true;
    await deps.audit.append({ type: 'hostkey.changed', actor: caller.actor, subject, outcome: 'refused', detail });
    const expected = pins.map((pin) => fingerprintOf(pin.key));
    throw certificateChanged(fingerprint, expected);
  };
  if (await pinned()) return 'pinned';
  if (problem === null) return 'verified';
  const untrusted = (): SallyportError => new SallyportError('tls_certificate_untrusted', `certificate: ${problem}`);
  if (!decide(caller.subject, 'hostkey.accept', null).allowed) throw untrusted();
  const question = {
    ...{ kind: 'hostKey', from: 'gateway', fromName: 'gateway', host, port: at, via, keyType: X509 },
    ...{ fingerprint, problem, chain: [...presented.chain], mayAccept: true },
  } satisfies NewQuestion;
  if ((await port.ask(question, signal)).kind !== 'accept') throw untrusted();
  // Somebody else may have accepted another one while the question stood.
  if (await pinned()) return 'pinned';
  await deps.audit.append({ type: 'hostkey.accepted', actor: caller.actor, subject, outcome: 'ok', detail });
  await deps.hostKeys.pin({ host, port: at, type: X509, key, fingerprint }, via, caller.principal.user.name);
  return 'pinned';
}

type OwnChoice = Extract<NewQuestion, { kind: 'choice' }>;
/** What the gateway asks on its own account: what it is about, fact by fact, and the name of the act. */
interface Consent extends Pick<OwnChoice, 'caption' | 'message'> {
  readonly facts: NonNullable<OwnChoice['facts']>;
  readonly yes: string;
}

/** Not to connect is the default, and no single key says yes. */
async function isConfirmed(
  { yes, ...consent }: Consent,
  { port, signal }: Pick<WinRmOpening, 'port' | 'signal'>,
): Promise<boolean> {
  const question = {
    ...{ kind: 'choice', from: 'gateway', fromName: 'gateway', ...consent, defaults: [1], multiple: false },
    choices: [yes, 'Do not connect'].map((label) => ({ label, hotKey: null, help: '' })),
  } satisfies NewQuestion;
  const answer = await port.ask(question, signal);
  return answer.kind === 'choice' && answer.indexes[0] === 0;
}

/** What, to whom, why, and what may come of it. @param user '' = who signs in is asked for afterwards */
function delegationConsent(user: string, { host, port }: Pick<Endpoint, 'host' | 'port'>): Consent {
  const whose = user === '' ? 'the password that you type next' : `the password of ${user}`;
  return {
    caption: `Hand the password over to ${host}?`,
    message: `This target signs in by CredSSP. It does not get a proof that you know the password: it gets the password itself.`,
    facts: [
      { name: 'What', value: `${whose}, readable` },
      { name: 'To', value: addressOf(host, port) },
      {
        name: 'Why you are asked',
        value:
          'An administrator allowed it for this target, so that commands there can go on to other machines in your name. Each session asks anew.',
      },
      {
        name: 'What may come of it',
        value: `${host}, or whoever has taken it over, can sign in with it anywhere, after this session too, until the password is changed.`,
      },
      {
        name: 'If you are not sure',
        value: 'Do not connect. "Access to other machines" at the target lists ways that need no password there.',
      },
    ],
    yes: 'Hand it over',
  };
}

/** The act is audited before the password can leave. */
async function confirmDelegation(
  user: string,
  endpoint: Pick<Endpoint, 'host' | 'port'>,
  opening: WinRmOpening,
): Promise<boolean> {
  const isAllowed = await isConfirmed(delegationConsent(user, endpoint), opening);
  await opening.deps.audit.append({
    ...{ type: 'credential.delegated', actor: opening.caller.actor, subject: endpoint.host },
    ...{ outcome: isAllowed ? 'ok' : 'refused', detail: { user, session: opening.port.sessionId } },
  });
  return isAllowed;
}

/** The act is audited before a ticket of the gateway is used. */
async function useGateway(
  account: string,
  { host, port }: Pick<Endpoint, 'host' | 'port'>,
  { caller, deps, port: { sessionId: session } }: WinRmOpening,
): Promise<void> {
  const event = {
    type: 'gateway.identityUsed',
    actor: caller.actor,
    subject: addressOf(host, port),
    outcome: 'ok',
  } as const;
  await deps.audit.append({ ...event, detail: { account, session } });
}

/** Methods in which Kerberos may be what signs in, and gives tickets away where the settings say so. */
const WITH_TICKETS: ReadonlySet<string> = new Set(['default', 'negotiate', 'kerberos']);

/** The event comes before a ticket can leave; the target may get none, for example of a server that is not marked for it. */
async function noteTicketDelegation(
  { endpoint, settings, identity }: WsManConnectRequest,
  { caller, deps, port }: WinRmOpening,
): Promise<void> {
  if (settings.ticketDelegation === 'never' || !WITH_TICKETS.has(settings.method)) return;
  const user = 'user' in identity ? identity.user : '';
  await deps.audit.append({
    ...{ type: 'credential.delegated', actor: caller.actor, subject: endpoint.host, outcome: 'ok' },
    detail: { user, ticket: settings.ticketDelegation, session: port.sessionId },
  });
}

/** Shown and audited; to another machine only when the person says so. @throws SallyportError wsman_redirect_refused, bad_name */
async function followRedirect(
  from: Pick<Endpoint, 'host' | 'port'>,
  to: Redirection,
  isElsewhere: boolean,
  endpointAt: (host: string, port: number) => Endpoint,
  { caller, port, signal, deps }: WinRmOpening,
): Promise<Endpoint> {
  const host = parseHost(to.host);
  if (host.value === null) {
    await noteRefusedRedirect(from, to.host, { caller, deps, port });
    throw new SallyportError('wsman_redirect_refused', 'redirected to no host');
  }
  const address = `${to.isTls ? 'https' : 'http'}://${addressOf(host.value, to.port)}/${to.applicationName}${to.query}`;
  const note = (outcome: 'ok' | 'refused') =>
    deps.audit.append({
      ...{ type: 'winrm.redirected', actor: caller.actor, subject: addressOf(from.host, from.port), outcome },
      detail: { to: address, session: port.sessionId },
    });
  port.notice('info', 'redirected', `The target sends the connection on to ${address}.`);
  const endpoint = endpointAt(host.value, to.port);
  // Nobody is asked about a place that is not gone to. What is connected to is resolved and checked again.
  await endpoint.resolve(signal).catch(async (refusal: unknown) => {
    if (codeOf(refusal) === 'target_address_refused') await note('refused');
    throw refusal;
  });
  if (isElsewhere) {
    const consent = {
      caption: `Sign in at ${host.value} instead?`,
      message: 'The target sends the connection on to another machine. What signs in would be the same credential.',
      facts: [
        { name: 'From', value: addressOf(from.host, from.port) },
        { name: 'To', value: address },
        { name: 'Why you are asked', value: 'Whoever answers for the target chose this address.' },
      ],
      yes: 'Sign in there',
    };
    if (!(await isConfirmed(consent, { port, signal }))) {
      await note('refused');
      throw new SallyportError('wsman_redirect_refused', `not confirmed: ${address}`);
    }
  }
  await note('ok');
  return endpoint;
}

/** A redirection that is not followed, whatever it names. */
async function noteRefusedRedirect(
  from: Pick<Endpoint, 'host' | 'port'>,
  to: string,
  { caller, deps, port: { sessionId: session } }: Pick<WinRmOpening, 'caller' | 'deps' | 'port'>,
): Promise<void> {
  await deps.audit.append({
    ...{ type: 'winrm.redirected', actor: caller.actor, subject: addressOf(from.host, from.port), outcome: 'refused' },
    detail: { to: visibleText(to, 1000), session },
  });
}

/**
 * Connects and tells the page what protects the session. @returns the connection, and the place that it leads to, which is
 * another one than the target's own where that redirected @throws SallyportError
 */
export async function connectWinRm(
  request: WsManConnectRequest,
  via: string,
  endpointAt: (host: string, port: number) => Endpoint,
  asks: Pick<ConnectPort, 'askSecret' | 'askUser' | 'step'>,
  opening: WinRmOpening,
): Promise<{ readonly connection: WsManConnection; readonly at: Pick<Endpoint, 'host' | 'port'> }> {
  // Where the way leads now: redirections may follow each other.
  let at: Pick<Endpoint, 'host' | 'port'> = request.endpoint;
  const redirected: WsManPort['redirected'] = async (to, isElsewhere) => {
    const endpoint = await followRedirect(at, to, isElsewhere, endpointAt, opening);
    at = endpoint;
    return endpoint;
  };
  await noteTicketDelegation(request, opening);
  const connection = await opening.deps.winrm.connect(
    request,
    {
      ...asks,
      checkCertificate: (presented, problem, { host, port }) =>
        checkCertificate(presented, problem, { host, port, via }, opening),
      confirmDelegation: (user) => confirmDelegation(user, at, opening),
      useGateway: (account) => useGateway(account, at, opening),
      redirected,
      redirectRefused: (to) => noteRefusedRedirect(at, to, opening),
    },
    opening.signal,
  );
  try {
    await opening.deps.audit.append({
      ...{ type: 'winrm.connected', actor: opening.caller.actor, subject: addressOf(at.host, at.port) },
      outcome: 'ok',
      detail: {
        session: opening.port.sessionId,
        protection: connection.protection,
        ...(connection.weakened.length === 0 ? {} : { weakened: connection.weakened.join(', ') }),
        ...(via === '' ? {} : { via }),
      },
    });
  } catch (error) {
    await connection.close();
    throw error;
  }
  return { connection, at };
}

/** A shell whose end the target did not confirm is written down: what ran in it may go on there. */
export const noteNotDeleted =
  (
    { host, port: at }: Pick<Endpoint, 'host' | 'port'>,
    { caller, deps, port: { sessionId: session } }: Pick<WinRmOpening, 'caller' | 'port' | 'deps'>,
  ) =>
  (shellId: string): void => {
    const event = { type: 'winrm.notDeleted', actor: caller.actor, subject: addressOf(host, at) } as const;
    // The session is over; an audit log that cannot be written raises its own alarm.
    deps.audit.append({ ...event, outcome: 'failed', detail: { session, shellId } }).catch(() => undefined);
  };

/** The pool of a connection, with what the page is told of it. */
export const poolOf = (
  connection: WsManConnection,
  port: Pick<OpeningPort, 'notice'>,
  notDeleted: (shellId: string) => void,
) =>
  connection.openPool({
    shellCreated: () => undefined,
    retrying: (refusal) => {
      const text = refusal === null ? RETRYING : `${CREATE_AGAIN}\n${faultWords(refusal)}`;
      port.notice('warning', 'target_retrying', text);
    },
    notDeleted,
  });

/** What the target's settings say of opening and of stopping, for a console over the connection. */
export const consoleLimits = ({
  openLeftMs,
  options: { cancelTimeoutMs },
}: Pick<WsManConnection, 'openLeftMs' | 'options'>): Pick<PowerShellTerminalOptions, 'openMs' | 'cancelMs'> => ({
  ...(openLeftMs === null ? {} : { openMs: openLeftMs }),
  ...(cancelTimeoutMs === null ? {} : { cancelMs: cancelTimeoutMs }),
});
