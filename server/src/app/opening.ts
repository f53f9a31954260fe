/** From a request to open a session to what connects and starts its terminal. */
import { isDeepStrictEqual } from 'node:util';
import type { ErrorCode } from '@sallyport/shared/error-codes';
import type { OpenSession } from '@sallyport/shared/api/sessions';
import type { Target } from '@sallyport/shared/api/targets';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import type { Actor, AuditType } from '../audit/contract.ts';
import type { OpenRequest, OpenTerminal, OpeningPort } from '../broker/contract.ts';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import type { Caller } from '../http/route.ts';
import { decide } from '../policy.ts';
import { Secret } from '../secret.ts';
import { parseHost, parseUser } from '../targets/address.ts';
import type { CheckedEndpoint } from '../targets/address-policy.ts';
import { HostKeyChangedError, judgeHostKey, verifyHostKey } from '../targets/host-keys.ts';
import type { Inventory } from '../targets/inventory.ts';
import type { HostKeyStore } from '../targets/pins.ts';
import type { LeftTerminal, NewQuestion, Terminal } from '../terminals/contract.ts';
import { openPtyTerminal } from '../terminals/pty.ts';
import { poolOverBytes } from '../terminals/powershell/byte-pool.ts';
import type { PowerShellTerminalOptions } from '../terminals/powershell/terminal-options.ts';
import { openPowerShellTerminal } from '../terminals/powershell/terminal.ts';
import type { LendCredentials } from '../terminals/powershell/using.ts';
import type { ConnectPort, Connection, Connector, HostKey, Identity, OpenPool } from '../transports/contract.ts';
import {
  type ChainDeps,
  type Leg,
  type Reached,
  addressOf,
  checkHops,
  connectChain,
  hopLabel,
  legsOf,
  noteAlgorithms,
} from './chain.ts';
import { lenderOf, type LendingDeps } from './lending.ts';
import { sshFiles, WinRmFiles } from './files-ways.ts';
import { reopenOf } from './reopening.ts';
import type { FilesWay, SessionFilesOwner } from './session-files.ts';
import { gatewayLabel, type IdentityDeps, hopIdentity, identityOf, must } from './target-identity.ts';
import type { WsManConnectRequest, WsManConnection } from '../transports/wsman/contract.ts';
import { type WinRmDeps, connectWinRm, consoleLimits, noteNotDeleted, poolOf } from './winrm.ts';

export interface OpeningDeps extends IdentityDeps, WinRmDeps, LendingDeps {
  readonly files: Pick<SessionFilesOwner, 'attach'>;
  readonly inventory: Inventory;
  readonly hostKeys: HostKeyStore;
  readonly connector: Connector;
  /** Of one object that a target sends, whatever the target's settings say. */
  readonly maxObjectBytes: number;
  /** @param isBeyond behind a jump host, which resolves the name and makes the connection */
  readonly endpoint: (host: string, port: number, actor: Actor, isBeyond: boolean) => CheckedEndpoint;
  /** Whether the address, or behind a jump host the name, would be connected to now. */
  readonly mayReach: (address: string, port: number, isBeyond: boolean) => boolean;
}

/** security.md section 4: TCP 10 s, handshake 20 s, the whole sign-in by the target's own limit. */
export const timeoutsOf = (loginMs: number) => ({ tcpMs: 10_000, handshakeMs: 20_000, loginMs });

/** Where a session goes. */
export interface Place {
  readonly target: Target | null;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly subsystem: string;
  readonly connectTimeoutMs: number;
  /** Over WinRM; null over SSH. */
  readonly wsman: WsManSettings | null;
  /** The jump hosts on the way, first hop first. */
  readonly hops: readonly Target[];
}

/** @throws SallyportError not_found, forbidden, bad_request, jump_chain */
export async function placeOf(to: OpenSession['to'], caller: Caller, deps: OpeningDeps): Promise<Place> {
  if (to.by === 'target') {
    const target = await deps.inventory.byId(to.targetId);
    if (target === null || (target.administratorOnly && caller.subject.role !== 'administrator'))
      throw new SallyportError('not_found', 'no such target');
    return {
      target,
      name: target.name,
      host: target.host,
      port: target.port,
      subsystem: target.subsystem,
      connectTimeoutMs: target.connectTimeoutMs,
      wsman: target.wsman,
      hops: checkHops(await deps.inventory.hopsOf(target), caller),
    };
  }
  await must(caller, 'session.openAdHoc', deps);
  const host = parseHost(to.host);
  if (host.value === null) throw new SallyportError('bad_request', `host: ${host.problem}`);
  return {
    target: null,
    name: host.value,
    host: host.value,
    port: to.port,
    subsystem: to.subsystem === '' ? 'powershell' : to.subsystem,
    connectTimeoutMs: 30_000,
    wsman: to.winrm === null ? null : WsManSettings.parse({ tls: to.winrm === 'https' }),
    hops: [],
  };
}

const REFUSED_KEYS: ReadonlyMap<ErrorCode, AuditType> = new Map([
  ['host_key_changed', 'hostkey.changed'],
  ['host_key_revoked', 'hostkey.revoked'],
]);

/** Shows an unknown key to who may accept it, then pins it; the event comes first. */
async function checkHostKey(
  key: HostKey,
  via: string,
  caller: Caller,
  port: Pick<OpeningPort, 'ask'>,
  signal: AbortSignal,
  deps: OpeningDeps,
): Promise<void> {
  const subject = `${key.host}:${key.port}`;
  const detail = { type: key.type, fingerprint: key.fingerprint, ...(via === '' ? {} : { via }) };
  const pins = deps.hostKeys;
  const accept = async (): Promise<boolean> => {
    if (!decide(caller.subject, 'hostkey.accept', null).allowed) return false;
    const question = {
      kind: 'hostKey',
      from: 'gateway',
      fromName: 'gateway',
      host: key.host,
      port: key.port,
      via,
      keyType: key.type,
      fingerprint: key.fingerprint,
      problem: '',
      chain: [],
      mayAccept: true,
    } satisfies NewQuestion;
    if ((await port.ask(question, signal)).kind !== 'accept') return false;
    // Somebody else may have pinned a key of this address while the question stood.
    const verdict = judgeHostKey(key, await pins.find(via, key.host, key.port));
    if (verdict.kind === 'known') return true;
    if (verdict.kind === 'changed') throw new HostKeyChangedError(verdict.expected, key.fingerprint);
    await deps.audit.append({ type: 'hostkey.accepted', actor: caller.actor, subject, outcome: 'ok', detail });
    await pins.pin(key, via, caller.principal.user.name);
    return true;
  };
  try {
    await verifyHostKey(key, via, pins, accept);
  } catch (error) {
    const type = error instanceof SallyportError ? REFUSED_KEYS.get(error.code) : undefined;
    if (type !== undefined) await deps.audit.append({ type, actor: caller.actor, subject, outcome: 'refused', detail });
    throw error;
  }
}

/** One opening, on its way. */
export interface Opening {
  readonly caller: Caller;
  readonly port: Pick<OpeningPort, 'sessionId' | 'ask' | 'notice' | 'step' | 'facts' | 'filesShell'>;
  readonly signal: AbortSignal;
  readonly deps: OpeningDeps;
  /** Of the person; '' = none is known. */
  readonly language: string;
  /** Filled while connecting: weak algorithms in use. */
  readonly weak: string[];
}

function connectPort(leg: Leg, name: string, { caller, port, signal, deps, weak }: Opening): ConnectPort {
  const { hop } = leg;
  return {
    negotiated: (agreed) => noteAlgorithms(agreed, leg, caller.actor, deps.audit, weak),
    checkHostKey: (key) => checkHostKey(key, leg.via, caller, port, signal, deps),
    async askSecret(purpose, user, words) {
      const message = hop === null ? words : `${words} at the jump host ${hopLabel(hop)}`;
      const answer = await port.ask(
        { kind: 'secret', from: 'gateway', fromName: 'gateway', purpose, user, message },
        signal,
      );
      return answer.kind === 'text' ? new Secret(answer.text) : null;
    },
    async askUser() {
      const at = hop === null ? name : `the jump host ${hopLabel(hop)}`;
      const asked = { title: 'Sign in', instructions: `Who signs in at ${at}?` };
      const prompts = [{ text: 'User name', echo: true }];
      const answer = await port.ask(
        { kind: 'keyboard', from: 'gateway', fromName: 'gateway', ...asked, prompts },
        signal,
      );
      const user = answer.kind === 'texts' ? (answer.texts[0] ?? '').trim() : '';
      if (user === '') return null;
      if (parseUser(user).value === null) throw new SallyportError('bad_name', 'the user is no user name');
      if (hop === null) port.facts({ identity: user });
      return user;
    },
    async askKeyboard(title, instructions, prompts) {
      const answer = await port.ask(
        { kind: 'keyboard', from: 'target', fromName: name, title, instructions, prompts: [...prompts] },
        signal,
      );
      return answer.kind === 'texts' ? answer.texts.map((text) => new Secret(text)) : null;
    },
    banner: (text) => port.notice('info', 'banner', text),
    step: (step) => port.step(hop === null ? step : `${hop.name}: ${step}`),
  };
}

/** What connecting needs of this room, for each machine on the way. */
export function chainDeps(place: Place, identity: () => Promise<Identity>, opening: Opening): ChainDeps {
  const { caller, deps, port: page } = opening;
  return {
    connector: deps.connector,
    endpoint: ({ host, port: at, via }) => deps.endpoint(host, at, caller.actor, via !== ''),
    pinnedTypes: ({ via, host, port: at }) => deps.hostKeys.typesOnRecord(via, host, at),
    request: async ({ hop }) => ({
      identity: await (hop === null ? identity() : hopIdentity(hop, page.sessionId, caller, deps)),
      timeouts: timeoutsOf((hop ?? place).connectTimeoutMs),
      relaxations: (hop ?? place.target)?.relaxations ?? [],
    }),
    port: (leg) => connectPort(leg, leg.hop?.name ?? place.name, opening),
  };
}

/** What stands when the sign-in is done. */
export interface Reachable {
  /** SSH; null over WinRM. */
  readonly connection: Connection | null;
  readonly openPool: OpenPool;
  /** What the target's settings say of opening and of stopping; null over SSH. */
  readonly limits: Pick<PowerShellTerminalOptions, 'openMs' | 'cancelMs'> | null;
  /** WinRM; null over SSH. */
  readonly shells: Pick<WsManConnection, 'listShells' | 'deleteShell'> | null;
  readonly files: FilesWay;
  /** Ends the shell of files that a gateway left which was killed; what the target does not confirm is audited. */
  endFilesShell(shellId: string | undefined): Promise<void>;
  readonly protection: string;
  readonly weakened: readonly string[];
  readonly reached: readonly Reached[];
  /** Where to go on, when the target sent elsewhere only now; null when it did not. */
  redirection(error: unknown): Promise<WsManConnectRequest | null>;
  close(): Promise<void>;
}
/** Makes a terminal of an open connection. */
export type StartTerminal = (...way: Parameters<typeof startTerminal>) => Promise<Terminal>;
type Way = Reachable & { readonly lend: LendCredentials };

/** A console. @param rejoin what it goes on with */
export async function startTerminal(
  kind: OpenSession['kind'],
  { connection, openPool, lend, ...way }: Way,
  place: Pick<Place, 'name'>,
  port: OpeningPort,
  size: { readonly cols: number; readonly rows: number },
  signal: AbortSignal,
  clock: Clock,
  rejoin?: LeftTerminal,
): Promise<Terminal> {
  if (kind === 'pty') {
    if (connection === null) throw new SallyportError('bad_request', 'there is no plain shell over WinRM');
    return openPtyTerminal({ connection, ...size, events: port, clock });
  }
  return openPowerShellTerminal({
    openPool,
    lend,
    closeConnection: () => way.close(),
    targetName: place.name,
    ...size,
    events: port,
    clock,
    signal,
    ...way.limits,
    ...(rejoin && { rejoin }),
  });
}

/** A shell that was found knows nothing of what stood on somebody's screen. */
const consoleAt =
  (shell: OpenSession['shell']): StartTerminal =>
  (kind, way, place, port, size, signal, clock) => {
    const unknown = { holder: null, pipelineId: null, remote: '', calls: [] };
    const rejoin = shell === undefined ? undefined : { ...shell, ...unknown };
    return startTerminal(kind, way, place, port, size, signal, clock, rejoin);
  };

/**
 * Signs in at the target, over SSH or WinRM, behind its jump hosts. @param led where the target has redirected to, or the
 * address that it had redirected a session to which is picked up
 */
export async function reach(
  place: Place,
  identity: () => Promise<Identity>,
  opening: Opening,
  led: WsManConnectRequest | string | null = null,
): Promise<Reachable> {
  const { signal, weak, port, language } = opening;
  const { maxObjectBytes } = opening.deps;
  const deps = chainDeps(place, identity, opening);
  const legs = legsOf(place.hops, place);
  const { wsman } = place;
  if (wsman === null) {
    const { connection, reached } = await connectChain(legs, deps, signal);
    const openPool = bounded(
      poolOverBytes((events) => connection.openSubsystem(place.subsystem, events)),
      maxObjectBytes,
    );
    const { protection } = connection;
    const hasPowerShell = place.target?.offers.includes('powershell') === true;
    const files = sshFiles(connection, { subsystem: place.subsystem, hasPowerShell }, opening.deps.clock);
    const redirection = () => Promise.resolve(null);
    const close = (): Promise<void> => connection.close();
    const none = { limits: null, shells: null, endFilesShell: () => Promise.resolve() };
    return { connection, openPool, ...none, files, protection, weakened: weak, reached, redirection, close };
  }
  const last = legs.at(-1);
  if (last === undefined) throw new SallyportError('internal', 'a way without an end');
  const hops = legs.length === 1 ? null : await connectChain(legs.slice(0, -1), deps, signal);
  const endpoint = deps.endpoint(last);
  const { connection, at } = await prepared(hops?.connection, async () => {
    const { identity: who, timeouts } = await deps.request(last);
    const through = hops === null ? {} : { through: hops.connection };
    const here: Pick<WsManConnectRequest, 'endpoint' | 'settings' | 'redirects' | 'at' | 'query'> =
      led === null || typeof led === 'string' ? { endpoint, settings: wsman, ...(led !== null && { at: led }) } : led;
    const { settings, redirects = 0, at: shellAt = '', query = '' } = here;
    const there = { endpoint: here.endpoint, settings, redirects, at: shellAt, query };
    const request = { ...there, identity: who, timeouts, language, ...through };
    const endpointAt = (host: string, to: number) => deps.endpoint({ ...last, host, port: to });
    return connectWinRm(request, last.via, endpointAt, deps.port(last), opening);
  });
  const notDeleted = noteNotDeleted(at, opening);
  const openPool = bounded(poolOf(connection, port, notDeleted), maxObjectBytes);
  const told = { shellCreated: (id: string) => port.filesShell(id), retrying: () => undefined, notDeleted };
  const files = new WinRmFiles(bounded(connection.openPool(told, 'files'), maxObjectBytes), opening.deps.clock);
  return {
    connection: null,
    openPool,
    limits: consoleLimits(connection),
    shells: connection,
    files,
    endFilesShell: async (shellId) => {
      if (shellId !== undefined) await connection.deleteShell(shellId).catch(() => notDeleted(shellId));
    },
    protection: connection.protection,
    weakened: [...weak, ...connection.weakened],
    reached: [...(hops?.reached ?? []), { ip: connection.ip, port: connection.port, isBeyond: last.via !== '' }],
    redirection: (error) => connection.redirection(error),
    close: () => files.close().finally(() => connection.close()),
  };
}

/** No object of a target may be larger than this gateway takes, whatever carries it. */
const bounded =
  (openPool: OpenPool, maxObjectBytes: number): OpenPool =>
  (options, events) =>
    openPool({ ...options, limits: { ...options.limits, maxObjectBytes } }, events);

/** What fails on the way closes the way. */
async function prepared<T>(through: Connection | undefined, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    await through?.close();
    throw error;
  }
}

/** Whether a machine is where it was, and reached in the way it was. */
const isSamePlace = (now: Target | undefined, then: Target): boolean =>
  now?.host === then.host &&
  now.port === then.port &&
  now.viaTargetId === then.viaTargetId &&
  isDeepStrictEqual(now.wsman, then.wsman);

/** Whether the place is what it was when it was opened: in the inventory, at the address and on the way it had, with what it offered. */
async function isUnchanged(place: Place, kind: OpenSession['kind'], { inventory }: OpeningDeps): Promise<boolean> {
  const { target, hops } = place;
  if (target === null) return true;
  const all = hops.length === 0 ? [await inventory.byId(target.id)] : await inventory.list();
  const now = (id: string): Target | undefined => all.find((one) => one?.id === id) ?? undefined;
  return (
    isSamePlace(now(target.id), target) &&
    now(target.id)?.offers.includes(kind) === true &&
    hops.every((hop) => isSamePlace(now(hop.id), hop))
  );
}

/** The user name at the target, as far as it is known before connecting. */
function nameOf({ credential }: OpenSession, target: Target | null, { gatewayName }: OpeningDeps): string {
  if (target?.wsman?.method === 'negotiate-implicit') return gatewayLabel(gatewayName);
  return credential.by === 'typed' ? credential.typed.user : (target?.user ?? '');
}

/**
 * @param start what runs on the connection, when it is no console
 * @param where the place that the target had redirected to, of a session that is picked up; null = the target's own
 * @throws SallyportError not_found, forbidden, bad_request
 */
export async function planSession(
  body: OpenSession,
  caller: Caller,
  deps: OpeningDeps,
  start: StartTerminal = consoleAt(body.shell),
  where: () => string | null = () => null,
): Promise<{ request: OpenRequest; openTerminal: OpenTerminal }> {
  const place = await placeOf(body.to, caller, deps);
  const { target } = place;
  const offers = target?.offers ?? (place.wsman === null ? ['powershell', 'pty'] : ['powershell']);
  if (!offers.includes(body.kind)) throw new SallyportError('bad_request', `the target does not offer ${body.kind}`);
  const identity = await identityOf(body.credential, place, caller, deps);
  const { wsman } = place;
  let reached: readonly Reached[] = [];
  const targetId = target?.id ?? null;
  const request: OpenRequest = {
    targetId,
    targetName: place.name,
    address: addressOf(place.host, place.port),
    via: place.hops.map(hopLabel),
    isDemoTarget: target?.isDemo ?? false,
    administratorOnly: target?.administratorOnly ?? false,
    identity: nameOf(body, target, deps),
    kind: body.kind,
    cols: body.cols,
    rows: body.rows,
    mayStay: async () =>
      reached.every(({ ip, port, isBeyond }) => deps.mayReach(ip, port, isBeyond)) &&
      (await isUnchanged(place, body.kind, deps)),
    reopen: wsman === null || body.kind === 'pty' ? null : reopenOf(body),
    keptMs: wsman?.idleTimeoutMs ?? null,
    ...(body.shell && { shell: body.shell.shellId }),
  };
  const openTerminal: OpenTerminal = async (port, size, signal) => {
    let user = '';
    let note: string | null = null;
    const noted = async (): Promise<Identity> => {
      const opened = await identity(port.sessionId);
      ({ note } = opened);
      ({ user } = opened.identity);
      if (note !== null) port.facts({ protection: note });
      return opened.identity;
    };
    const opening = { caller, port, signal, deps, language: body.language };
    const lend = lenderOf({ ...{ caller, targetId, targetName: place.name }, sessionId: port.sessionId }, deps);
    for (let led: WsManConnectRequest | string | null = where(); ;) {
      const way: Reachable = await reach(place, noted, { ...opening, weak: [] }, led);
      ({ reached } = way);
      const protection = [way.protection, note].filter((part) => part !== null).join('; ');
      port.facts({ protection, weakened: [...way.weakened], ...(user === '' ? {} : { identity: user }) });
      try {
        // Until now nobody could ask about its address.
        if (!(await request.mayStay())) throw new SallyportError('grant_removed', 'the place was changed meanwhile');
        if (target !== null) await deps.inventory.opened(target.id);
        deps.files.attach(port.sessionId, way.files, target, place.name);
        return await start(body.kind, { ...way, lend }, place, port, size, signal, deps.clock);
      } catch (error) {
        led = await way.redirection(error).finally(() => way.close());
        if (led === null) throw error;
      }
    }
  };
  return { request, openTerminal };
}
