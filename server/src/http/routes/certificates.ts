/** The gateway's certificate authority, the keys of its agent, and what a certificate says. No private key is given out. */
import { AuthorityBody, CertificateBody, NewAuthority } from '@sallyport/shared/api/certificates';
import type { RoutesJoin } from '../ports.ts';
import { userRoute, type Route } from '../route.ts';

const AGENT_MS = 10_000;

/** `/api/authority`, `/api/agent`, `/api/certificates/read`. */
export const certificateRoutes = ({ authority, keyFacts, audit }: RoutesJoin): readonly Route[] => [
  userRoute({
    method: 'GET',
    path: '/api/authority',
    action: 'authority.read',
    handle: async () => ({ authority: await authority.facts() }),
  }),
  userRoute({
    method: 'POST',
    path: '/api/authority',
    action: 'authority.write',
    stepUp: true,
    body: NewAuthority,
    handle: async ({ body }, { actor, principal }) => {
      const detail = { replaces: body.replaces, sourceAddresses: body.sourceAddresses.join(' ') };
      await audit.append({ type: 'authority.created', actor, subject: 'authority', outcome: 'ok', detail });
      return authority.create(body, principal.user.name);
    },
  }),
  userRoute({
    method: 'PUT',
    path: '/api/authority',
    action: 'authority.write',
    stepUp: true,
    body: AuthorityBody,
    handle: async ({ body }, { actor }) => {
      const detail = { sourceAddresses: body.sourceAddresses.join(' ') };
      await audit.append({ type: 'authority.changed', actor, subject: 'authority', outcome: 'ok', detail });
      return authority.limit(body.sourceAddresses);
    },
  }),
  userRoute({
    method: 'GET',
    path: '/api/agent',
    action: 'credential.list',
    handle: () => keyFacts.agentState(AbortSignal.timeout(AGENT_MS)),
  }),
  userRoute({
    method: 'POST',
    path: '/api/certificates/read',
    action: 'credential.write',
    body: CertificateBody,
    handle: ({ body }) => Promise.resolve(keyFacts.readCertificate(body.certificate)),
  }),
];
