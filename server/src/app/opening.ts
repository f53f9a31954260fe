/** From a request to open a session to what connects and starts its terminal. */
import type { OpenSession } from '@sallyport/shared/api/sessions';
import type { Target } from '@sallyport/shared/api/targets';
import type { Actor, AuditLog } from '../audit/contract.ts';
import type { OpenRequest, OpenTerminal, OpeningPort } from '../broker/contract.ts';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import { type Caller, checkStepUp } from '../http/route.ts';
import { type Action, decide } from '../policy.ts';
import { Secret } from '../secret.ts';
import type { Storage } from '../storage/contract.ts';
import { parseHost, parseUser } from '../targets/address.ts';
import type { CheckedEndpoint } from '../targets/address-policy.ts';
import { HostKeyChangedError, judgeHostKey, verifyHostKey } from '../targets/host-keys.ts';
import type { Inventory } from '../targets/inventory.ts';
import { createHostKeyStore } from '../targets/pins.ts';
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
  /** Whether the address would be connected to now. */
  readonly mayReach: (ip: string, port: number) => boolean;
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

/** A refusal is audited before it is answered, as at every other door. @throws SallyportError */
async function must({ subject, actor }: Caller, action: Action, { audit }: OpeningDeps): Promise<void> {
  const decision = decide(subject, action, null);
  if (decision.allowed) return;
  const detail = { why: decision.why };
  await audit.append({ type: 'policy.refused', actor, subject: action, outcome: 'refused', detail });
  throw new SallyportError(decision.code, `${action} refused: ${decision.why}`);
}

async function placeOf(to: OpenSession['to'], caller: Caller, deps: OpeningDeps): Promise<Place> {
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
  };
}

/** As `POST /api/credentials` asks for it: this is a second door to the vault. @throws SallyportError */
async function mustStore(caller: Caller, deps: OpeningDeps): Promise<void> {
  await must(caller, 'credential.write', deps);
  checkStepUp(caller.principal, 'credential.write', deps.clock);
}

/** What the person chose, else what the target has, else ask. */
async function identityOf(
  choice: OpenSession['credential'],
  { target, name }: Pick<Place, 'target' | 'name'>,
  caller: Caller,
  deps: OpeningDeps,
): Promise<() => Promise<Identity>> {
  const stored = (id: string) => async (): Promise<Identity> => {
    await deps.audit.append({
      type: 'credential.used',
      actor: caller.actor,
      subject: `credential:${id}`,
      outcome: 'ok',
      detail: { target: name },
    });
    const opened = await deps.credentials.open(id);
    return opened.user === '' && target !== null ? { ...opened, user: target.user } : opened;
  };
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
    if (target?.credentialId !== null && target !== null) {
      await must(caller, 'credential.use', deps);
      return stored(target.credentialId);
    }
    return () => Promise.resolve({ kind: 'ask', user: target?.user ?? '' });
  }
  const { kind, user, secret, passphrase, saveAs } = choice.typed;
  if (user !== '' && parseUser(user).value === null) throw new SallyportError('bad_request', 'user: not a user name');
  if (saveAs !== null && kind !== 'ask') {
    await mustStore(caller, deps);
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
  const pins = createHostKeyStore({ storage: { hostKeys: deps.hostKeys }, clock: deps.clock });
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
    // Somebody else may have pinned a key of this address while the question stood.
    const verdict = judgeHostKey(key, await pins.find('', key.host, key.port));
    if (verdict.kind === 'known') return true;
    if (verdict.kind === 'changed') throw new HostKeyChangedError(verdict.expected, key.fingerprint);
    await deps.audit.append({ type: 'hostkey.accepted', actor: caller.actor, subject, outcome: 'ok', detail });
    await pins.pin(key, '', caller.principal.user.name);
    return true;
  };
  try {
    await verifyHostKey(key, '', pins, accept);
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

/** Whether the place is what it was when it was opened: in the inventory, at the address it had, with what it offered. */
async function isUnchanged(place: Place, kind: OpenSession['kind'], { inventory }: OpeningDeps): Promise<boolean> {
  if (place.target === null) return true;
  const now = await inventory.byId(place.target.id);
  return now !== null && now.host === place.host && now.port === place.port && now.offers.includes(kind);
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
  const place = await placeOf(body.to, caller, deps);
  const { target } = place;
  if (target !== null && !target.offers.includes(body.kind))
    throw new SallyportError('bad_request', `the target does not offer ${body.kind}`);
  const identity = await identityOf(body.credential, place, caller, deps);
  let reached: Pick<Connection, 'ip' | 'port'> | null = null;
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
    mayStay: async () =>
      (reached === null || deps.mayReach(reached.ip, reached.port)) && (await isUnchanged(place, body.kind, deps)),
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
    reached = connection;
    port.facts({ protection: connection.protection, ...(as.user === '' ? {} : { identity: as.user }) });
    try {
      // Until now nobody could ask about its address.
      if (!(await request.mayStay())) throw new SallyportError('grant_removed', 'the place was changed meanwhile');
      if (target !== null) await deps.inventory.opened(target.id);
      return await start(body.kind, connection, place, port, size, signal, deps.clock);
    } catch (error) {
      await connection.close();
      throw error;
    }
  };
  return { request, openTerminal };
}
