/** Where a page is. One component of `src/pages` per `name`. */
export type Route =
  | { readonly name: 'home' }
  | { readonly name: 'setup' }
  | { readonly name: 'signIn' }
  | { readonly name: 'targets'; readonly id: string | null }
  | { readonly name: 'access'; readonly id: string }
  | { readonly name: 'console'; readonly id: string | null }
  | { readonly name: 'sessions' }
  | { readonly name: 'replay'; readonly id: string }
  | { readonly name: 'audit'; readonly tab: 'ledger' | 'events' }
  | { readonly name: 'settings'; readonly section: SettingsSection }
  | { readonly name: 'missing'; readonly path: string };

/** Parts of the settings page, in the order shown. */
export const SETTINGS_SECTIONS = [
  'account',
  'appearance',
  'tokens',
  'users',
  'roles',
  'credentials',
  'authority',
  'host-keys',
  'ranges',
  'retention',
] as const;
/** One part of the settings page. */
export type SettingsSection = (typeof SETTINGS_SECTIONS)[number];

const isSection = (text: string): text is SettingsSection => SETTINGS_SECTIONS.some((section) => section === text);

/** @param path relative to the base of the page, without query, with or without a leading slash */
export function parseRoute(path: string): Route {
  const [head = '', second = '', ...rest] = path.replace(/^\/+|\/+$/g, '').split('/');
  const id = second === '' ? null : second;
  if (head === 'targets' && id !== null && rest.join('/') === 'access') return { name: 'access', id };
  if (rest.length > 0) return { name: 'missing', path };
  switch (head) {
    case '':
      return { name: 'home' };
    case 'setup':
      return { name: 'setup' };
    case 'sign-in':
      return { name: 'signIn' };
    case 'targets':
      return { name: 'targets', id };
    case 'console':
      return { name: 'console', id };
    case 'sessions':
      return { name: 'sessions' };
    case 'replay':
      return id === null ? { name: 'sessions' } : { name: 'replay', id };
    case 'audit':
      return { name: 'audit', tab: second === 'events' ? 'events' : 'ledger' };
    case 'settings':
      return { name: 'settings', section: isSection(second) ? second : 'account' };
    default:
      return { name: 'missing', path };
  }
}

/** @returns the path of a route relative to the base of the page; `./` for home, so that it is a link by itself */
export function pathOf(route: Route): string {
  switch (route.name) {
    case 'home':
      return './';
    case 'setup':
      return 'setup';
    case 'signIn':
      return 'sign-in';
    case 'targets':
      return route.id === null ? 'targets' : `targets/${route.id}`;
    case 'access':
      return `targets/${route.id}/access`;
    case 'console':
      return route.id === null ? 'console' : `console/${route.id}`;
    case 'sessions':
      return 'sessions';
    case 'replay':
      return `replay/${route.id}`;
    case 'audit':
      return route.tab === 'ledger' ? 'audit' : `audit/${route.tab}`;
    case 'settings':
      return `settings/${route.section}`;
    case 'missing':
      return route.path;
  }
}

/** Words in the title of the browser tab. */
export const ROUTE_TITLES: Readonly<Record<Route['name'], string>> = {
  home: 'Where to?',
  setup: 'Set up',
  signIn: 'Sign in',
  targets: 'Targets',
  access: 'Access to other machines',
  console: 'Console',
  sessions: 'Sessions',
  replay: 'Replay',
  audit: 'Audit',
  settings: 'Settings',
  missing: 'Nothing here',
};

/** Routes that are shown without a sign-in. */
export const isOpenToAll = (route: Route): boolean => route.name === 'setup' || route.name === 'signIn';

/** @returns the path below the base, or null when the address is not below it */
export function pathBelow(base: URL, url: URL): string | null {
  if (url.origin !== base.origin) return null;
  const folder = base.pathname.replace(/[^/]*$/, '');
  return url.pathname.startsWith(folder) ? url.pathname.slice(folder.length) : null;
}
