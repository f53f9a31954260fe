/** Vault entries and pinned host keys. A stored secret is never given out. */
import { NewCredential } from '@sallyport/shared/api/targets';
import { CredentialId } from '@sallyport/shared/ids';
import { z } from 'zod';
import { SallyportError } from '../../errors.ts';
import { parseUser } from '../../targets/address.ts';
import type { RoutesJoin } from '../ports.ts';
import { userRoute, type Route } from '../route.ts';

/** `/api/credentials`. */
export const credentialRoutes = ({ credentials, audit }: RoutesJoin): readonly Route[] => [
  userRoute({
    method: 'GET',
    path: '/api/credentials',
    action: 'credential.list',
    handle: async () => ({ credentials: await credentials.list() }),
  }),
  userRoute({
    method: 'POST',
    path: '/api/credentials',
    action: 'credential.write',
    stepUp: true,
    body: NewCredential,
    handle: async ({ body }, { actor }) => {
      if (body.user !== '' && parseUser(body.user).value === null)
        throw new SallyportError('bad_name', 'the user is no user name');
      const detail = { kind: body.kind, user: body.user };
      const subject = `credential:${body.label}`;
      await audit.append({ type: 'credential.created', actor, subject, outcome: 'ok', detail });
      return credentials.create(body);
    },
  }),
  userRoute({
    method: 'DELETE',
    path: '/api/credentials/:id',
    action: 'credential.write',
    stepUp: true,
    params: z.strictObject({ id: CredentialId }),
    handle: async ({ params: { id } }, { actor }) => {
      const credential = await credentials.byId(id);
      if (credential === null) throw new SallyportError('not_found', 'no such credential');
      const subject = `credential:${credential.label}`;
      await audit.append({ type: 'credential.deleted', actor, subject, outcome: 'ok' });
      await credentials.delete(id);
    },
  }),
];
