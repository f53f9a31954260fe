/** Every route of the API; the matrix of identities is generated from this table. */
import type { RoutesJoin } from '../ports.ts';
import type { Route } from '../route.ts';
import { accountRoutes } from './account.ts';
import { credentialRoutes } from './credentials.ts';
import { hostKeyRoutes } from './host-keys.ts';
import { certificateRoutes } from './certificates.ts';
import { auditRoutes, ledgerRoutes } from './evidence.ts';
import { fileRoutes } from './files.ts';
import { invokeRoutes } from './invoke.ts';
import { recordingRoutes } from './recordings.ts';
import { sessionRoutes } from './sessions.ts';
import { settingsRoutes } from './settings.ts';
import { targetRoutes } from './targets.ts';
import { tokenRoutes, userRoutes } from './users.ts';

/** In the order of the page's navigation. */
export const apiRoutes = (join: RoutesJoin): readonly Route[] => [
  ...accountRoutes(join),
  ...userRoutes(join),
  ...tokenRoutes(join),
  ...targetRoutes(join),
  ...credentialRoutes(join),
  ...certificateRoutes(join),
  ...hostKeyRoutes(join),
  ...sessionRoutes(join),
  ...fileRoutes(join),
  ...recordingRoutes(join),
  ...ledgerRoutes(join),
  ...auditRoutes(join),
  ...settingsRoutes(join),
  ...invokeRoutes(join),
];
