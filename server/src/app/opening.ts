/** From a request to open a session to what connects and starts its terminal. */
import type { OpenSession } from '@sallyport/shared/api/sessions';
import type { Target } from '@sallyport/shared/api/targets';
import type { Actor, AuditLog } from '../audit/contract.ts';
import type { OpenRequest, OpenTerminal, OpeningPort } from '../broker/contract.ts';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import type { Caller } from '../http/route.ts';
import { type Subject, decide } from '../policy.ts';
import { randomId } from '../random.ts';
import { Secret } from '../secret.ts';
import type { Storage } from '../storage/contract.ts';
import { parseHost, parseUser } from '../targets/address.ts';
import type { CheckedEndpoint } from '../targets/address-policy.ts';
import { verifyHostKey } from '../targets/host-keys.ts';
import type { Inventory } from '../targets/inventory.ts';
import type { Terminal } from '../terminals/contract.ts';
import { openPtyTerminal } from '../terminals/pty.ts';
import { openPowerShellTerminal } from '../terminals/powershell/terminal.ts';
import type { ConnectPort, Connection, Connector, HostKey, Identity } from '../transports/contract.ts';
import type { Credentials } from '../vault/credentials.ts';

export interface OpeningDeps {
  readonly inventory: Inventory;
  readonly credentials: Credentials;
  readonly hostKeys: Storage['hostKeys'];
  readonly connector: Connector;
  readonly endpoint: (host: string, port: number, actor: Actor) => CheckedEndpoint;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly clock: Clock;
}

/** security.md section 4: TCP 10 s, handshake 20 s, the whole sign-in by the target's own limit. */
export const timeoutsOf = (loginMs: number) => ({ tcpMs: 10_000, handshakeMs: 20_000, loginMs });

interface Place {
  readonly target: Target | null;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly subsystem: string;
  readonly connectTimeoutMs: number;
}

function must(subject: Subject, action: 'session.openAdHoc' | 'credential.use'): void {
  const decision = decide(subject, action, null);
  if (!decision.allowed) throw new SallyportError(decision.code, `${action} refused: ${decision.why}`);
}

async function placeOf(to: OpenSession['to'], subject: Subject, deps: OpeningDeps): Promise<Place> {
  if (to.by === 'target') {
    const target = await deps.inventory.byId(to.targetId);
    if (target === null || (target.administratorOnly && subject.role !== 'administrator'))
      throw new SallyportError('not_found', 'no such target');
    return {
      target,
      name: target.name,
      host: target.host,
      port: target.port,
      subsystem: target.subsystem,
      connectTimeoutMs: target.connectTimeoutMs,
    };
  }
  must(subject, 'session.openAdHoc');
  const host = parseHost(to.host);
  if (host.value === null) throw new SallyportError('bad_request', `host: ${host.problem}`);
  return {
    target: null,
    name: host.value,
    host: host.value,
    port: to.port,
    subsystem: to.subsystem === '' ? 'powershell' : to.subsystem,
    connectTimeoutMs: 30_000,
  };
}

/** What the person chose, else what the target has, else ask. */
async function identityOf(
  choice: OpenSession['credential'],
  target: Target | null,
  caller: Caller,
  deps: OpeningDeps,
): Promise<() => Promise<Identity>> {
  const stored = (id: string) => async (): Promise<Identity> => {
    await deps.audit.append({
      type: 'credential.used',
      actor: caller.actor,
      subject: `credential:${id}`,
      outcome: 'ok',
      detail: { target: target?.name ?? '' },
    });
    const opened = await deps.credentials.open(id);
    return opened.user === '' && target !== null ? { ...opened, user: target.user } : opened;
  };
  if (choice.by === 'vault') {
    must(caller.subject, 'credential.use');
    return stored(choice.credentialId);
  }
  if (choice.by === 'default') {
    if (target?.credentialId !== null && target !== null) return stored(target.credentialId);
    return () => Promise.resolve({ kind: 'ask', user: target?.user ?? '' });
  }
  const { kind, user, secret, passphrase, saveAs } = choice.typed;
  if (user !== '' && parseUser(user).value === null) throw new SallyportError('bad_request', 'user: not a user name');
  if (saveAs !== null && kind !== 'ask') {
    const decision = decide(caller.subject, 'credential.write', null);
    if (!decision.allowed) throw new SallyportError(decision.code, 'credential.write refused');
    await deps.audit.append({
      type: 'credential.created',
      actor: caller.actor,
      subject: `credential:${saveAs}`,
      outcome: 'ok',
      detail: { kind },
    });
    await deps.credentials.create({ label: saveAs, kind, user, secret, passphrase });
  }
  if (kind === 'password') return () => Promise.resolve({ kind, user, password: new Secret(secret) });
  if (kind === 'privateKey')
    return () =>
      Promise.resolve({
        kind,
        user,
        key: new Secret(secret),
        passphrase: passphrase === null ? null : new Secret(passphrase),
      });
  return () => Promise.resolve({ kind: 'ask', user });
}

/** Shows an unknown key to who may accept it, then pins it; the event comes first. */
async function checkHostKey(
  key: HostKey,
  caller: Caller,
  port: OpeningPort,
  signal: AbortSignal,
  deps: OpeningDeps,
): Promise<void> {
  const subject = `${key.host}:${key.port}`;
  const detail = { type: key.type, fingerprint: key.fingerprint };
  const accept = async (): Promise<boolean> => {
    if (!decide(caller.subject, 'hostkey.accept', null).allowed) return false;
    const question = {
      kind: 'hostKey',
      from: 'gateway',
      fromName: 'gateway',
      host: key.host,
      port: key.port,
      keyType: key.type,
      fingerprint: key.fingerprint,
      mayAccept: true,
    } as const;
    if ((await port.ask(question, signal)).kind !== 'accept') return false;
    await deps.audit.append({ type: 'hostkey.accepted', actor: caller.actor, subject, outcome: 'ok', detail });
    await deps.hostKeys.insert({
      id: randomId(),
      via: '',
      host: key.host,
      port: key.port,
      keyType: key.type,
      key: key.key,
      acceptedBy: caller.principal.user.name,
      acceptedAt: deps.clock.now(),
    });
    return true;
  };
  try {
    await verifyHostKey(
      key,
      '',
      {
        find: async (via, host, p) =>
          (await deps.hostKeys.find(via, host, p)).map((pin) => ({ keyType: pin.keyType, key: pin.key })),
      },
      accept,
    );
  } catch (error) {
    if (error instanceof SallyportError && error.code === 'host_key_changed')
      await deps.audit.append({ type: 'hostkey.changed', actor: caller.actor, subject, outcome: 'refused', detail });
    throw error;
  }
}

function connectPort(
  name: string,
  caller: Caller,
  port: OpeningPort,
  signal: AbortSignal,
  deps: OpeningDeps,
): ConnectPort {
  return {
    checkHostKey: (key) => checkHostKey(key, caller, port, signal, deps),
    async askSecret(purpose, user, message) {
      const answer = await port.ask(
        { kind: 'secret', from: 'gateway', fromName: 'gateway', purpose, user, message },
        signal,
      );
      return answer.kind === 'text' ? new Secret(answer.text) : null;
    },
    async askKeyboard(title, instructions, prompts) {
      const answer = await port.ask(
        { kind: 'keyboard', from: 'target', fromName: name, title, instructions, prompts: [...prompts] },
        signal,
      );
      return answer.kind === 'texts' ? answer.texts.map((text) => new Secret(text)) : null;
    },
    banner: (text) => port.notice('info', 'banner', text),
    step: (step) => port.step(step),
  };
}

/** Makes a terminal of an open connection. */
export type StartTerminal = typeof startTerminal;

async function startTerminal(
  kind: OpenSession['kind'],
  connection: Connection,
  place: Pick<Place, 'name' | 'subsystem'>,
  port: OpeningPort,
  size: { readonly cols: number; readonly rows: number },
  signal: AbortSignal,
  clock: Clock,
): Promise<Terminal> {
  if (kind === 'pty') return openPtyTerminal({ connection, ...size, events: port, clock });
  return openPowerShellTerminal({
    openChannel: (events) => connection.openSubsystem(place.subsystem, events),
    closeConnection: () => connection.close(),
    targetName: place.name,
    ...size,
    events: port,
    clock,
    signal,
  });
}

/**
 * @param start what runs on the connection, when it is no console
 * @throws SallyportError not_found, forbidden, bad_request
 */
export async function planSession(
  body: OpenSession,
  caller: Caller,
  deps: OpeningDeps,
  start: StartTerminal = startTerminal,
): Promise<{ request: OpenRequest; openTerminal: OpenTerminal }> {
  const place = await placeOf(body.to, caller.subject, deps);
  const { target } = place;
  if (target !== null && !target.offers.includes(body.kind))
    throw new SallyportError('bad_request', `the target does not offer ${body.kind}`);
  const identity = await identityOf(body.credential, target, caller, deps);
  const request: OpenRequest = {
    targetId: target?.id ?? null,
    targetName: place.name,
    address: place.host.includes(':') ? `[${place.host}]:${place.port}` : `${place.host}:${place.port}`,
    isDemoTarget: target?.isDemo ?? false,
    administratorOnly: target?.administratorOnly ?? false,
    identity: body.credential.by === 'typed' ? body.credential.typed.user : (target?.user ?? ''),
    kind: body.kind,
    cols: body.cols,
    rows: body.rows,
  };
  const openTerminal: OpenTerminal = async (port, size, signal) => {
    const as = await identity();
    const endpoint = deps.endpoint(place.host, place.port, caller.actor);
    const pins = await deps.hostKeys.find('', place.host, place.port);
    const connection = await deps.connector.connect(
      {
        endpoint,
        identity: as,
        timeouts: timeoutsOf(place.connectTimeoutMs),
        pinnedTypes: pins.map(({ keyType }) => keyType),
      },
      connectPort(place.name, caller, port, signal, deps),
      signal,
    );
    port.facts({ protection: connection.protection, ...(as.user === '' ? {} : { identity: as.user }) });
    if (target !== null) await deps.inventory.opened(target.id);
    try {
      return await start(body.kind, connection, place, port, size, signal, deps.clock);
    } catch (error) {
      await connection.close();
      throw error;
    }
  };
  return { request, openTerminal };
}
