/** Host keys on record: those that somebody accepted, and the lines of imported `known_hosts` files. */
import { ImportKnownHosts, type KnownHostsReport } from '@sallyport/shared/api/host-keys';
import { HostKeyId } from '@sallyport/shared/ids';
import { z } from 'zod';
import { SallyportError } from '../../errors.ts';
import { readKnownHosts } from '../../targets/known-hosts.ts';
import type { RoutesJoin } from '../ports.ts';
import { userRoute, type Route } from '../route.ts';

/** `/api/host-keys/known-hosts`. */
const knownHostRoutes = ({ hostKeys, audit }: RoutesJoin): readonly Route[] => [
  userRoute({
    method: 'GET',
    path: '/api/host-keys/known-hosts',
    action: 'hostkey.list',
    handle: async () => ({ lines: await hostKeys.lines() }),
  }),
  userRoute({
    method: 'GET',
    path: '/api/host-keys/known-hosts/file',
    action: 'hostkey.list',
    query: z.strictObject({ hashed: z.enum(['0', '1']).default('0') }),
    handle: async ({ query: { hashed } }, { actor }) => {
      const detail = { hashed: hashed === '1' };
      await audit.append({ type: 'hostkey.exported', actor, subject: 'known_hosts', outcome: 'ok', detail });
      return { text: await hostKeys.file(detail.hashed) };
    },
  }),
  userRoute({
    method: 'POST',
    path: '/api/host-keys/known-hosts',
    action: 'hostkey.accept',
    stepUp: true,
    body: ImportKnownHosts,
    handle: async ({ body }, { actor, principal }): Promise<KnownHostsReport> => {
      const { lines, problems, problemCount } = readKnownHosts(body.text);
      const fresh = await hostKeys.fresh(
        lines.map(({ marker, hosts, keyType, key }) => ({ marker, hosts, keyType, key })),
      );
      const count = (marker: string): number => fresh.filter((line) => line.marker === marker).length;
      const detail = { lines: fresh.length, revoked: count('revoked'), unsupported: count('cert-authority') };
      if (fresh.length > 0) {
        await audit.append({ type: 'hostkey.imported', actor, subject: 'known_hosts', outcome: 'ok', detail });
        await hostKeys.add(fresh, principal.user.name);
      }
      const { revoked, unsupported } = detail;
      const known = lines.length - fresh.length;
      return { imported: fresh.length, known, revoked, unsupported, problems: [...problems], problemCount };
    },
  }),
];

/** `/api/host-keys`. */
export const hostKeyRoutes = (join: RoutesJoin): readonly Route[] => {
  const { hostKeys, audit } = join;
  /** What the audit log calls it. */
  const named = async (id: string): Promise<{ subject: string; fingerprint: string } | null> => {
    const pin = (await hostKeys.list()).find((candidate) => candidate.id === id);
    if (pin !== undefined) return { subject: `${pin.host}:${pin.port}`, fingerprint: pin.fingerprint };
    const line = (await hostKeys.lines()).find((candidate) => candidate.id === id);
    if (line === undefined) return null;
    const names = line.isHashed ? 'a hashed name' : line.hosts.slice(0, 200);
    return { subject: `known_hosts: ${line.marker} ${names}`, fingerprint: line.fingerprint };
  };
  return [
    ...knownHostRoutes(join),
    userRoute({
      method: 'GET',
      path: '/api/host-keys',
      action: 'hostkey.list',
      handle: async () => ({ hostKeys: await hostKeys.list() }),
    }),
    userRoute({
      method: 'DELETE',
      path: '/api/host-keys/:id',
      action: 'hostkey.delete',
      stepUp: true,
      params: z.strictObject({ id: HostKeyId }),
      handle: async ({ params: { id } }, { actor }) => {
        const found = await named(id);
        if (found === null) throw new SallyportError('not_found', 'no such host key');
        const { subject, fingerprint } = found;
        await audit.append({ type: 'hostkey.deleted', actor, subject, outcome: 'ok', detail: { fingerprint } });
        await hostKeys.delete(id);
      },
    }),
  ];
};
