import { leaveSession, listSessions } from './api/sessions.ts';
import { listTargets } from './api/targets.ts';
import type { IconName } from './components/icons.ts';
import type { ConsoleSession } from './console/console-session.svelte.ts';
import { consoles } from './console/consoles.svelte.ts';
import { router } from './router/router.svelte.ts';
import type { Route } from './router/routes.ts';
import { account } from './state/account.svelte.ts';
import { layers } from './state/layers.svelte.ts';
import { preferences } from './state/preferences.svelte.ts';
import { formatDuration } from './time.ts';
import { WAY_NAMES, addressOf, waysOf } from './targets/target-words.ts';

/** One row of the command palette. */
export interface PaletteEntry {
  readonly key: string;
  readonly icon: IconName;
  readonly name: string;
  readonly remark: string;
  /** Its chord, as shown. */
  readonly keys: string;
  /** Names of machines are evidence. */
  readonly mono: boolean;
  run(): void;
}

const act = (
  key: string,
  icon: IconName,
  name: string,
  run: () => void,
  more: Partial<PaletteEntry> = {},
): PaletteEntry => ({
  key,
  icon,
  name,
  remark: '',
  keys: '',
  mono: false,
  run,
  ...more,
});
const page = (icon: IconName, name: string, route: Route, keys = ''): PaletteEntry =>
  act(`page ${name}`, icon, name, () => router.go(route), { keys });

function pages(): PaletteEntry[] {
  const all: readonly (readonly [string, PaletteEntry])[] = [
    ['account.read', page('search', 'Where to?', { name: 'home' }, 'Ctrl O')],
    ['session.open', page('console', 'Console', { name: 'console', id: null })],
    ['target.list', page('target', 'Targets', { name: 'targets', id: null })],
    ['target.write', page('plus', 'Add target', { name: 'targets', id: 'new' })],
    ['session.list', page('sessions', 'Sessions', { name: 'sessions' })],
    ['ledger.read', page('audit', 'Ledger', { name: 'audit', tab: 'ledger' })],
    ['audit.read', page('chain', 'Audit events', { name: 'audit', tab: 'events' })],
    ['user.list', page('users', 'Users', { name: 'settings', section: 'users' })],
    ['token.list', page('key', 'API tokens', { name: 'settings', section: 'tokens' })],
    ['authority.read', page('verified', 'Certificate authority', { name: 'settings', section: 'authority' })],
    ['hostkey.list', page('pin', 'Host keys', { name: 'settings', section: 'host-keys' })],
    ['account.read', page('settings', 'Settings', { name: 'settings', section: 'account' })],
  ];
  return all.filter(([action]) => account.may(action)).map(([, entry]) => entry);
}

function looks(): PaletteEntry[] {
  const { theme, utc } = preferences;
  return [
    act('dark', 'moon', 'Dark theme', () => (preferences.theme = 'dark'), { remark: theme === 'dark' ? 'now' : '' }),
    act('light', 'sun', 'Light theme', () => (preferences.theme = 'light'), { remark: theme === 'light' ? 'now' : '' }),
    act('system', 'settings', 'Theme as the system', () => (preferences.theme = 'system'), {
      remark: theme === 'system' ? 'now' : '',
    }),
    act('utc', 'clock', utc ? 'Times in the zone of this browser' : 'Times in UTC', () => (preferences.utc = !utc)),
    act('reader', 'eye', 'Screen reader mode', () => (preferences.screenReader = !preferences.screenReader), {
      keys: 'Alt Shift S',
      remark: preferences.screenReader ? 'on' : 'off',
    }),
    act('keys', 'info', 'List of keys', () => (layers.keysOpen = true), { keys: '?' }),
  ];
}

/** The gateway lets go of it; what runs goes on at the target. */
function leave({ id }: ConsoleSession, keptMs: number | null): PaletteEntry {
  const kept = keptMs === null ? 'as long as the target says' : `for ${formatDuration(keptMs)}`;
  const run = (): void => {
    leaveSession(id).catch((error: unknown) => {
      layers.say(error instanceof Error ? error.message : 'The session could not be left.');
    });
  };
  return act('leave', 'detach', 'Leave running', run, { remark: `kept at the target ${kept}` });
}

/** Acts on the session that is shown. */
function ofSession(): PaletteEntry[] {
  const { route } = router;
  const session = consoles.open.find(({ id }) => route.name === 'console' && route.id === id);
  if (session === undefined || !session.isController) return [];
  return [
    act('stop', 'stop', 'Stop command', () => session.client.stop(), { remark: session.name, keys: 'Ctrl C' }),
    act('files', 'copy', 'Files of this session', () => (layers.filesOf = { id: session.id, name: session.name }), {
      remark: session.name,
    }),
    ...(session.facts?.leavable === undefined ? [] : [leave(session, session.facts.leavable.keptMs)]),
    act('end', 'mark-ended', 'End this session', () => session.client.close(), { remark: session.name }),
  ];
}

/** Everything that the palette offers now; targets and sessions are left out when they cannot be listed. */
export async function paletteEntries(): Promise<PaletteEntry[]> {
  const [targets, sessions] = await Promise.all([listTargets().catch(() => []), listSessions().catch(() => [])]);
  const opens = account.may('session.open')
    ? targets.flatMap((target) =>
        waysOf(target).map((kind) =>
          act(`${target.id} ${kind}`, 'console', target.name, () => void open(target.id, kind), {
            remark: `${WAY_NAMES[kind]}, ${addressOf(target)}`,
            mono: true,
          }),
        ),
      )
    : [];
  const live = sessions
    .filter(({ phase, userId }) => phase !== 'ended' && userId === account.me?.userId)
    .map(({ id, facts, attached, phase }) =>
      act(
        `session ${id}`,
        attached ? 'mark-live' : 'mark-detached',
        facts.targetName,
        () => router.go({ name: 'console', id }),
        {
          remark: attached ? 'open session' : phase === 'left' ? 'left running, pick up' : 'detached session',
          mono: true,
        },
      ),
    );
  return [...ofSession(), ...live, ...opens, ...pages(), ...looks()];
}

async function open(targetId: string, kind: 'powershell' | 'pty'): Promise<void> {
  try {
    await consoles.connect({ by: 'target', targetId }, kind);
  } catch (error) {
    layers.say(error instanceof Error ? error.message : 'The session could not be opened.');
  }
}

/** Entries that hold every word of the search; those whose name begins with it come first. */
export function filterEntries(entries: readonly PaletteEntry[], search: string): PaletteEntry[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const [first = ''] = words;
  const hits = entries.filter(({ name, remark }) =>
    words.every((word) => `${name} ${remark}`.toLowerCase().includes(word)),
  );
  const rank = ({ name }: PaletteEntry): number => (name.toLowerCase().startsWith(first) ? 0 : 1);
  return hits.toSorted((a, b) => rank(a) - rank(b));
}
