/** Targets, "Where to?" and the probe. */
import { isDeepStrictEqual } from 'node:util';
import {
  ProbeBody,
  ProbePortsBody,
  TargetBody,
  WhereToBody,
  type Target,
  type WhereTo,
} from '@sallyport/shared/api/targets';
import type { WsManSettings } from '@sallyport/shared/api/wsman';
import { TargetId } from '@sallyport/shared/ids';
import { z } from 'zod';
import { SallyportError } from '../../errors.ts';
import { decide } from '../../policy.ts';
import { parseHost, parseUser } from '../../targets/address.ts';
import { readLine } from '../../targets/where-to-line.ts';
import type { RoutesJoin } from '../ports.ts';
import { RateLimiter } from '../rate-limiter.ts';
import { checkStepUp, userRoute, type Caller, type Route } from '../route.ts';

/** Targets shown for a line. */
const MAX_MATCHES = 8;
const PROBES_PER_MINUTE = 30;
const PROBE_MS = 30_000;

/** What is for administrators only is not there for others. */
const visible = (targets: readonly Target[], { subject }: Caller): readonly Target[] =>
  targets.filter(
    ({ administratorOnly }) => decide(subject, 'target.list', { ownerId: null, administratorOnly }).allowed,
  );

/** The host in the one spelling under which its host keys are pinned. @throws SallyportError bad_name */
function withHost<T extends { readonly host: string }>(body: T): T {
  const host = parseHost(body.host);
  if (host.value === null) throw new SallyportError('bad_name', 'the host is neither a name nor an address');
  return { ...body, host: host.value };
}

/** @throws SallyportError bad_name */
function checkUser({ user }: Pick<TargetBody, 'user'>): void {
  if (user !== '' && parseUser(user).value === null) throw new SallyportError('bad_name', 'the user is no user name');
}

/**
 * Who points a stored credential at a machine of their own reads it there: that is a sensitive act like any other to the
 * vault. The password is asked for once more when the credential would go where it did not go before;
 * those of the targets behind a jump host go where that leads, and what WinRM trusts and how it signs in counts as a place.
 */
const leadsCredentialElsewhere = (body: TargetBody, before: Target | null, isHop = false): boolean =>
  (body.credentialId !== null || body.usingCredentials.length > 0 || isHop) &&
  (before === null ||
    body.usingCredentials.some((id) => !before.usingCredentials.includes(id)) ||
    before.credentialId !== body.credentialId ||
    before.host !== body.host ||
    before.port !== body.port ||
    before.viaTargetId !== body.viaTargetId ||
    !isDeepStrictEqual(before.wsman, body.wsman));

/** Exact name first, then the same address, then names that hold the line. */
function matches(line: string, targets: readonly Target[], address: WhereTo['address']): readonly Target[] {
  const wanted = line.toLowerCase();
  const rank = ({ name, host, port }: Target): number => {
    if (name.toLowerCase() === wanted) return 0;
    if (address !== null && host.toLowerCase() === address.host) return port === address.port ? 1 : 2;
    return name.toLowerCase().includes(wanted) || host.toLowerCase().includes(wanted) ? 3 : 9;
  };
  return targets
    .map((target) => ({ target, rank: rank(target) }))
    .filter((entry) => entry.rank < 9)
    .sort((a, b) => a.rank - b.rank || (b.target.lastOpenedAt ?? 0) - (a.target.lastOpenedAt ?? 0))
    .slice(0, MAX_MATCHES)
    .map(({ target }) => target);
}

/** `/api/where-to` connects to nothing; `/api/probe` connects and sends no credential. */
function whereToRoutes({ inventory, probe, probePorts, clock }: RoutesJoin): readonly Route[] {
  const probes = new RateLimiter(PROBES_PER_MINUTE, 60_000, clock);
  return [
    userRoute({
      method: 'POST',
      path: '/api/where-to',
      action: 'target.list',
      body: WhereToBody,
      handle: async ({ body }, caller): Promise<WhereTo> => {
        const { address, notHonoured, problem } = readLine(body.line);
        const targets = matches(body.line, visible(await inventory.list(), caller), address);
        return { targets: [...targets], address, notHonoured: [...notHonoured], problem };
      },
    }),
    userRoute({
      method: 'POST',
      path: '/api/probe',
      action: 'target.probe',
      body: ProbeBody,
      handle: async ({ body: asked, reply }, caller) => {
        probes.take(caller.subject.userId);
        const body = 'host' in asked ? withHost(asked) : asked;
        const gone = new AbortController();
        reply.raw.once('close', () => {
          gone.abort();
        });
        return probe(caller, body, AbortSignal.any([gone.signal, AbortSignal.timeout(PROBE_MS)]));
      },
    }),
    userRoute({
      method: 'POST',
      path: '/api/probe/ports',
      action: 'target.probe',
      body: ProbePortsBody,
      handle: async ({ body }, caller) => {
        probes.take(caller.subject.userId);
        const { host } = withHost(body);
        return { ports: await probePorts(caller, host, AbortSignal.timeout(PROBE_MS)) };
      },
    }),
  ];
}

/** Method and way, and everything that is less than the best of it. */
function weakenedOf({ tls, method, trust, ...wsman }: WsManSettings): string {
  const weak = {
    'CA not checked': tls && trust.pin === '' && trust.skipCaCheck,
    'name not checked': tls && trust.pin === '' && trust.skipCnCheck,
    'trusted for NTLM': wsman.isTrustedForNtlm,
    'trusted for delegation': wsman.isTrustedForDelegation,
    'redirects granted': wsman.redirects,
  };
  const names = Object.entries(weak).flatMap(([name, isSo]) => (isSo ? [name] : []));
  return [tls ? 'HTTPS' : 'HTTP', method, ...names].join(', ');
}

/** What the audit log keeps of a target: where it is, the way to it, and what is weakened for it. */
const auditedDetail = ({ host, port, viaTargetId, relaxations, usingCredentials, wsman }: TargetBody) => ({
  ...{ host, port },
  ...(wsman === null ? {} : { winrm: weakenedOf(wsman) }),
  ...(viaTargetId === null ? {} : { via: viaTargetId }),
  ...(usingCredentials.length === 0 ? {} : { 'for commands': usingCredentials.join(' ') }),
  ...(relaxations.length === 0 ? {} : { relaxations: relaxations.join(' ') }),
});

/** `/api/targets`, `/api/where-to`, `/api/probe`. */
export function targetRoutes(join: RoutesJoin): readonly Route[] {
  const { inventory, audit, broker, clock } = join;
  const lists = new RateLimiter(PROBES_PER_MINUTE, 60_000, clock);
  const params = z.strictObject({ id: TargetId });
  const mustExist = async (id: string): Promise<Target> => {
    const target = await inventory.byId(id);
    if (target === null) throw new SallyportError('not_found', 'no such target');
    return target;
  };
  return [
    ...whereToRoutes(join),
    userRoute({
      method: 'GET',
      path: '/api/targets',
      action: 'target.list',
      handle: async (_input, caller) => ({ targets: visible(await inventory.list(), caller) }),
    }),
    userRoute({
      method: 'POST',
      path: '/api/targets',
      action: 'target.write',
      body: TargetBody,
      handle: async ({ body: asked }, { actor, principal }) => {
        const body = withHost(asked);
        checkUser(body);
        if (leadsCredentialElsewhere(body, null)) checkStepUp(principal, 'target.write', clock);
        if ((await inventory.byName(body.name)) !== null)
          throw new SallyportError('name_taken', 'target name is taken');
        await inventory.check(null, body);
        const detail = auditedDetail(body);
        await audit.append({ type: 'target.created', actor, subject: `target:${body.name}`, outcome: 'ok', detail });
        return inventory.create(body);
      },
    }),
    userRoute({
      method: 'GET',
      path: '/api/targets/:id/shells',
      action: 'session.open',
      params,
      handle: async ({ params: { id } }, caller) => {
        lists.take(caller.subject.userId);
        return { shells: await join.listShells(caller, id, AbortSignal.timeout(PROBE_MS)) };
      },
    }),
    userRoute({
      method: 'PUT',
      path: '/api/targets/:id',
      action: 'target.write',
      params,
      body: TargetBody,
      handle: async ({ params: { id }, body: asked }, { actor, principal }) => {
        const body = withHost(asked);
        checkUser(body);
        const before = await mustExist(id);
        const { name } = before;
        const isHop = (await inventory.list()).some(({ viaTargetId }) => viaTargetId === id);
        if (leadsCredentialElsewhere(body, before, isHop)) checkStepUp(principal, 'target.write', clock);
        await inventory.check(id, body);
        const detail = { ...auditedDetail(body), name: body.name };
        await audit.append({ type: 'target.changed', actor, subject: `target:${name}`, outcome: 'ok', detail });
        const target = await inventory.change(id, body);
        await broker.recheck(null);
        return target;
      },
    }),
    userRoute({
      method: 'DELETE',
      path: '/api/targets/:id',
      action: 'target.write',
      params,
      handle: async ({ params: { id } }, { actor }) => {
        const { name } = await mustExist(id);
        await inventory.checkDelete(id);
        await audit.append({ type: 'target.deleted', actor, subject: `target:${name}`, outcome: 'ok' });
        await inventory.delete(id);
        await broker.recheck(null);
      },
    }),
  ];
}
