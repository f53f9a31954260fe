/** The composition root: builds the rooms and joins them. docs/architecture.md. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { Server as TlsServer } from 'node:tls';
import { openAuditLog } from '../audit/log.ts';
import { type Actor, GATEWAY_ACTOR } from '../audit/contract.ts';
import { createAuditView } from '../audit/view.ts';
import { createBroker } from '../broker/broker.ts';
import type { Broker } from '../broker/contract.ts';
import { type Clock, systemClock } from '../clock.ts';
import { isLoopbackHost, rangeMatcher } from '../config/addresses.ts';
import { checkFrontDoor, type FrontDoor, openFrontDoor } from '../config/front-door.ts';
import type { Config } from '../config/settings.ts';
import { SallyportError, codeOf } from '../errors.ts';
import { requireOrigin } from '../http/front-door.ts';
import { loadPage, servePage } from '../http/page.ts';
import { serveProbes } from '../http/probes.ts';
import { registerRoutes } from '../http/route.ts';
import { requesterOf } from '../http/routes/account.ts';
import { apiRoutes } from '../http/routes/index.ts';
import { type HttpServer, createServer } from '../http/server.ts';
import { openIdentity } from '../identity/identity.ts';
import { createLedger } from '../ledger/ledger.ts';
import type { Log } from '../log/log.ts';
import { createMetrics } from '../metrics/metrics.ts';
import type { RecordingKeys } from '../recording/contract.ts';
import { createRecordings } from '../recording/recordings.ts';
import type { Storage } from '../storage/contract.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import {
  type AllowedRange,
  createAddressGate,
  createFarGate,
  farRefusalOf,
  refusalOf,
} from '../targets/address-policy.ts';
import type { Subject } from '../policy.ts';
import { type Inventory, createInventory } from '../targets/inventory.ts';
import { createKnownHosts } from '../targets/known-host-lines.ts';
import { createHostKeyStore } from '../targets/pins.ts';
import { createKeyAgent } from '../transports/ssh/agent.ts';
import { createSshConnector } from '../transports/ssh/connector.ts';
import { Kerberos } from '../transports/wsman/auth/kerberos/sign-in.ts';
import { createWsManConnector } from '../transports/wsman/connector.ts';
import type { Vault } from '../vault/contract.ts';
import { type Credentials, createCredentials } from '../vault/credentials.ts';
import { openVault } from '../vault/open.ts';
import { prepareSockets, serveSockets } from '../ws/plugin.ts';
import { hostKeyAdmin, openSettings, recordingAdmin } from './admin.ts';
import { createAlerts } from './alerts.ts';
import { noteTargetOpened } from './chain.ts';
import { createAuthority } from './authority.ts';
import { type Certificate, type CertificateFiles, readCertificate, watchCertificate } from './certificate.ts';
import { invokeScript } from './invoke.ts';
import { TargetLeftShells } from './ending-shells.ts';
import { gatewayAccount, kerberosSettings } from './kerberos.ts';
import { keyFactsOf, keyReader } from './key-facts.ts';
import { planSession } from './opening.ts';
import { planPickUp } from './picking-up.ts';
import { openDoors, testConnection } from './probing.ts';
import { LiveSessionFiles } from './session-files.ts';
import { listShells } from './shells.ts';
import { answerRecovery } from './recovery.ts';
import { collectAtRest, processHeap } from './resting-heap.ts';
import { keepRetention, repeat, watchSpace } from './upkeep.ts';

export interface GatewayOptions {
  readonly log: Log;
  readonly version: string;
  /** Beside configuration and settings: exactly the demo's own target. */
  readonly extraRanges?: readonly AllowedRange[];
  /** The default port may move on to the next free one. */
  readonly mayMovePort: boolean;
}
export interface Gateway {
  readonly publicUrl: string;
  /** One-time link for the first administrator; null when there is one. */
  readonly setupLink: string | null;
  readonly inventory: Inventory;
  readonly credentials: Credentials;
  readonly hostKeys: Storage['hostKeys'];
  /** Ends every session with a reason, seals, signs, closes. Idempotent. */
  close(): Promise<void>;
}

/** Ports tried after the default one. */
const PORTS_TRIED = 20;
/** Rights of everybody with a session are looked at anew this often. security.md T13 */
const RECHECK_EVERY_MS = 30_000;
const DRAIN_MS = 20_000;
const REQUEST_MS = 10_000;

function recordingKeys(vault: Vault): RecordingKeys {
  const placeOf = (id: string) => ({ table: 'recordings', row: id, field: 'key' });
  return {
    create(id) {
      const key = randomBytes(32);
      return { key, sealed: vault.seal(placeOf(id), key) };
    },
    open: (id, sealed) => vault.open(placeOf(id), sealed).revealBytes(),
  };
}

/** Ends the sessions of who may not have them any more. security.md T13 */
async function rechecked(broker: Pick<Broker, 'recheck'>, userId: string | null, log: Log): Promise<void> {
  await broker.recheck(userId).catch((error: unknown) => {
    log.error({ err: error, code: codeOf(error) }, 'RecheckFailed'); // Tried again within 30 s.
  });
}

/** What signs in elsewhere: with certificates of its own, keys of an agent, tickets. */
const signersOf = (config: Config, storage: Storage, vault: Vault, clock: Clock) => ({
  authority: createAuthority({ storage, vault, clock }),
  agent: createKeyAgent(config.agentSocket),
  kerberos: new Kerberos(kerberosSettings(config), clock),
  gatewayAccount: gatewayAccount(config),
});

/** Everything below the door: storage, proof, people, machines, sessions. */
async function openRooms(config: Config, options: GatewayOptions) {
  const clock = systemClock;
  const { log } = options;
  const alerts = createAlerts(log, () => clock.monotonic());
  const keyDirectory = path.join(config.dataDir, 'keys');
  const storage = await openStorage({
    file: path.join(config.dataDir, 'sallyport.db'),
    onMigrated: alerts.migrated,
  });
  const vault = await openVault({ keyDirectory, storage, onUnreadable: alerts.unreadable });
  const audit = await openAuditLog({
    storage,
    keyDirectory,
    spoolFile: path.join(config.dataDir, 'spool', 'audit.jsonl'),
    onCheckpoint: ({ sequence, hash, signature }) => log.info({ sequence, hash, signature }, 'AuditCheckpoint'),
    onSpooling: (isSpooling) =>
      isSpooling
        ? log.error({}, 'AuditSpooling: the database is away, events wait in the spool')
        : log.info({}, 'AuditSpoolDrained'),
  });
  await alerts.open(audit);
  const settings = await openSettings(storage);
  const people = await openIdentity({
    storage,
    audit,
    clock,
    limits: () => ({
      idleMs: settings.get().idleMinutes * 60_000,
      absoluteMs: settings.get().absoluteHours * 3_600_000,
    }),
  });
  const { identity } = people;
  const recordings = createRecordings({
    directory: config.recordingsDir ?? path.join(config.dataDir, 'recordings'),
    catalogue: storage.recordings,
    keys: recordingKeys(vault),
    clock,
    onSealed: () => audit.checkpoint(),
  });
  const ledger = createLedger({ storage, sealer: vault, clock });
  const subjectOf = async (userId: string): Promise<Subject | null> => {
    const user = await storage.users.byId(userId);
    return user === null || user.disabled ? null : { userId, role: user.role, tokenScopes: null };
  };
  const inventory = createInventory({ storage, clock, maxObjectBytes: config.maxObjectMiB * 1024 * 1024 });
  const leftShells = new TargetLeftShells({ inventory, clock });
  const broker = createBroker({
    recordings,
    ledger,
    audit,
    sessions: storage.sessions,
    clock,
    log,
    limits: {
      sessionsPerUser: config.sessionsPerUser,
      opensPerMinute: config.sessionOpensPerMinute,
      leftPerTarget: config.leftSessionsPerTarget,
    },
    detachedHours: () => settings.get().detachedHours,
    subjectOf,
    hasRecording: async (id) => recordingAdmin(storage, recordings).exists(id),
    leftShells,
  });
  const knownHosts = createKnownHosts({ storage, clock });
  const pins = createHostKeyStore({ storage, knownHosts, clock });
  const credentials = createCredentials({ storage, vault, clock, keys: keyReader });
  const keys = signersOf(config, storage, vault, clock);
  const files = new LiveSessionFiles({ inventory, audit, clock });
  identity.onEnded((ended) => {
    broker.loginsEnded(ended);
    // Detached sessions may be of a login that ended long ago: what counts is what the person may do now.
    if (ended.why === 'changed' || ended.why === 'revoked') void rechecked(broker, ended.userId, log);
  });
  return {
    ...{ clock, storage, vault, audit, settings, subjectOf },
    ...{ people, identity, recordings, ledger, broker, leftShells, knownHosts, pins, inventory, credentials, files },
    ...keys,
  };
}
type Rooms = Awaited<ReturnType<typeof openRooms>>;

/** The only maker of endpoints: ranges of configuration, settings and demo; never ourselves. */
function gateOf(rooms: Rooms, config: Config, options: GatewayOptions, ownPort: () => number) {
  const rules = () => ({
    allowed: [
      ...[...config.targetRanges, ...rooms.settings.get().targetRanges].map((range) => ({ range, port: null })),
      ...(options.extraRanges ?? []),
    ],
    own: [{ host: '0.0.0.0', port: ownPort() }],
  });
  const endpoint = (host: string, port: number, actor: Actor, isBeyond = false) =>
    (isBeyond ? createFarGate : createAddressGate)({
      rules,
      refused: async ({ ip, reason }) => {
        await rooms.audit.append({
          type: 'ssrf.refused',
          actor,
          subject: `${host}:${port}`,
          outcome: 'refused',
          detail: { ip, reason, ...(isBeyond ? { behind: 'a jump host' } : {}) },
        });
      },
    })(host, port);
  const mayReach = (address: string, port: number, isBeyond: boolean): boolean =>
    (isBeyond ? farRefusalOf : refusalOf)(address, port, rules()) === null;
  return { endpoint, mayReach };
}

function certificateOf(config: Config): { files: CertificateFiles; inUse: Certificate } | null {
  if (config.tlsCertFile === null || config.tlsKeyFile === null) return null;
  const files = { certFile: config.tlsCertFile, keyFile: config.tlsKeyFile };
  return { files, inUse: readCertificate(files) };
}

/** @throws SallyportError port_in_use */
async function listenAt(
  app: HttpServer['app'],
  listen: { readonly host: string; readonly port: number },
  mayMove: boolean,
): Promise<void> {
  for (let port = listen.port; ; port++) {
    try {
      await app.listen({ host: listen.host, port });
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
      if (!mayMove || port >= listen.port + PORTS_TRIED)
        throw new SallyportError('port_in_use', `port ${port} is in use`, { cause: error });
    }
  }
}

/** The port that is really listened on: not the configured one when that was 0 or taken. */
function portOf(app: HttpServer['app']): number | null {
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : null;
}

async function serveDoor(config: Config, options: GatewayOptions, rooms: Rooms) {
  const listen = checkFrontDoor(config);
  let door: FrontDoor = openFrontDoor(config, listen.port);
  let isDraining = false;
  const { clock, audit, identity, broker, storage, recordings } = rooms;
  const metrics = createMetrics({ withProcess: true });
  const certificate = certificateOf(config);
  const isTrustedProxy = rangeMatcher(config.trustedProxies);
  const { app, refused } = await createServer({
    ...{ identity, audit, clock, log: options.log, metrics, isTrustedProxy, isLoopback: isLoopbackHost },
    door: () => door,
    tls: certificate?.inUse ?? null,
    requestTimeoutMs: REQUEST_MS,
    prepare: prepareSockets,
  });
  const { endpoint, mayReach } = gateOf(rooms, config, options, () => portOf(app) ?? listen.port);
  const connector = createSshConnector({ clock, targetOpened: noteTargetOpened(rooms.audit) });
  const winrm = createWsManConnector({ clock, kerberos: rooms.kerberos, gateway: rooms.gatewayAccount });
  const opening = {
    ...rooms,
    gatewayName: rooms.gatewayAccount?.name ?? null,
    hostKeys: rooms.pins,
    connector,
    winrm,
    endpoint,
    mayReach,
    maxObjectBytes: config.maxObjectMiB * 1024 * 1024,
  };
  rooms.leftShells.use(opening);
  const routes = apiRoutes({
    ...rooms,
    ...{ version: options.version, door: () => door, log: options.log, metrics },
    auditView: createAuditView(storage, audit),
    ...{ users: rooms.people.users, tokens: rooms.people.tokens },
    hostKeys: hostKeyAdmin(storage, rooms.knownHosts),
    keyFacts: keyFactsOf(rooms.agent, config.agentSocket !== null),
    recordingAdmin: recordingAdmin(storage, recordings),
    sessionOpensPerMinute: config.sessionOpensPerMinute,
    planSession: (caller, body) => planSession(body, caller, opening),
    probe: (caller, body, signal) => testConnection(body, caller, opening, signal),
    listShells: (caller, id, signal) => listShells(id, caller, { broker, opening }, signal),
    probePorts: (caller, host, signal) => openDoors(host, caller, opening, signal),
    invoke: (caller, body, signal) => invokeScript(body, caller, { broker, opening }, signal),
  });
  await app.register(
    async (scope) => {
      registerRoutes(scope, routes, refused);
      serveSockets(scope, {
        ...{ identity, broker, clock, log: options.log, metrics },
        pickUp: (caller, id, { cols, rows }) =>
          broker.pickUp(requesterOf(caller), id, (reopen) => planPickUp(reopen, caller, { cols, rows }, opening)),
        requireOrigin: (request) => requireOrigin(request.headers, door),
        principalOf: (request) => request.principal,
        routeConfig: { access: { kind: 'user', action: 'session.attach' }, isSocket: true },
      });
      serveProbes(scope, {
        metrics,
        readiness: [
          { name: 'storage', check: () => storage.values.get('ready').then(() => undefined) },
          {
            name: 'recordings',
            check: async () => {
              if ((await recordings.space()).state === 'refused')
                throw new SallyportError('recording_space', 'too little room');
            },
          },
        ],
        isDraining: () => isDraining,
        securityContact: () => `${door.publicUrl}/`,
      });
      servePage(scope, loadPage(config.webDir ?? path.join(import.meta.dirname, '..', 'web'), door.basePath));
      await Promise.resolve();
    },
    { prefix: door.basePath },
  );
  await listenAt(app, listen, options.mayMovePort);
  door = openFrontDoor(config, portOf(app) ?? listen.port);
  return { app, door, metrics, certificate, drain: () => (isDraining = true) };
}

type Served = Omit<Awaited<ReturnType<typeof serveDoor>>, 'drain'>;

/** What runs by itself, from when the gateway listens. @returns stops it */
function startUpkeep(
  config: Config,
  options: GatewayOptions,
  rooms: Rooms,
  { app, door, metrics, certificate }: Served,
): () => void {
  const { clock, recordings, audit, settings, people, broker } = rooms;
  const { log } = options;
  const stops = [
    repeat(clock, RECHECK_EVERY_MS, log, 'RecheckFailed', () => broker.recheck(null)),
    repeat(clock, RECHECK_EVERY_MS, log, 'LeftSessionsNotEnded', () => broker.endOverdue()),
    watchSpace({ recordings, metrics, clock, log }),
    collectAtRest(processHeap(), clock, log),
    keepRetention({ recordings, audit, clock, log, days: () => settings.get().retentionDays }),
    answerRecovery({
      ...{ dataDir: config.dataDir, publicUrl: door.publicUrl, clock, log },
      admit: (hash) => people.admitRecovery(hash),
    }),
    ...(certificate !== null && app.server instanceof TlsServer
      ? [watchCertificate({ ...certificate, server: app.server, clock, log })]
      : []),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/**
 * Starts the gateway. @throws SallyportError config_invalid, insecure_listen, port_in_use, data_locked, schema_newer,
 * key_missing, key_mismatch
 */
export async function startGateway(config: Config, options: GatewayOptions): Promise<Gateway> {
  checkFrontDoor(config);
  gatewayAccount(config);
  const rooms = await openRooms(config, options);
  const { audit, broker, identity, people, storage, inventory, credentials } = rooms;
  try {
    await audit.append({
      type: 'gateway.start',
      actor: GATEWAY_ACTOR,
      subject: 'gateway',
      outcome: 'ok',
      detail: { version: options.version },
    });
    const lost = await broker.recover();
    if (lost > 0) options.log.warn({ sessions: lost }, 'SessionsLost');
    const setupToken = await identity.issueSetupToken();
    const served = await serveDoor(config, options, rooms);
    const { app, door, drain } = served;
    const stopUpkeep = startUpkeep(config, options, rooms, served);
    let closing: Promise<void> | null = null;
    const close = async (): Promise<void> => {
      drain();
      stopUpkeep();
      await broker.closeAll('draining', DRAIN_MS);
      await app.close();
      const event = { type: 'gateway.stop', actor: GATEWAY_ACTOR, subject: 'gateway', outcome: 'ok' } as const;
      // A stop cannot be refused: without its event it is in the log, and what is open is closed all the same.
      await audit.append(event).catch((error: unknown) => {
        options.log.error({ code: codeOf(error) }, 'StopNotAudited');
      });
      people.close();
      rooms.kerberos.close();
      await audit.close();
      await storage.close();
    };
    return {
      publicUrl: door.publicUrl,
      setupLink: setupToken === null ? null : `${door.publicUrl}/setup#${setupToken}`,
      inventory,
      credentials,
      hostKeys: storage.hostKeys,
      close: () => (closing ??= close()),
    };
  } catch (error) {
    options.log.error({ code: codeOf(error) }, 'StartFailed');
    people.close();
    await audit.close();
    await storage.close();
    throw error;
  }
}
