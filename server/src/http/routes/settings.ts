/** What an administrator may change while the gateway runs. */
import { SettingsBody } from '@sallyport/shared/api/settings';
import type { RoutesJoin } from '../ports.ts';
import { userRoute, type Route } from '../route.ts';

/** `/api/settings`. */
export const settingsRoutes = ({ settings, audit, broker }: RoutesJoin): readonly Route[] => [
  userRoute({
    method: 'GET',
    path: '/api/settings',
    action: 'settings.read',
    handle: () => Promise.resolve(settings.get()),
  }),
  userRoute({
    method: 'PUT',
    path: '/api/settings',
    action: 'settings.write',
    stepUp: true,
    body: SettingsBody,
    handle: async ({ body }, { actor }) => {
      settings.check(body);
      const detail = { ...body, targetRanges: body.targetRanges.join(' ') };
      await audit.append({ type: 'settings.changed', actor, subject: 'settings', outcome: 'ok', detail });
      const changed = await settings.set(body);
      await broker.recheck(null);
      return changed;
    },
  }),
];
