import { describe, expect, it } from 'vitest';
import { SETTINGS_SECTIONS, isOpenToAll, parseRoute, pathBelow, pathOf, type Route } from './routes.ts';

const ROUTES: Route[] = [
  { name: 'home' },
  { name: 'setup' },
  { name: 'signIn' },
  { name: 'targets', id: null },
  { name: 'targets', id: 'new' },
  { name: 'access', id: 'abc' },
  { name: 'console', id: null },
  { name: 'console', id: 'abc' },
  { name: 'sessions' },
  { name: 'replay', id: 'abc' },
  { name: 'audit', tab: 'ledger' },
  { name: 'audit', tab: 'events' },
  ...SETTINGS_SECTIONS.map((section): Route => ({ name: 'settings', section })),
];

describe('routes', () => {
  it('come back from their own path', () => {
    for (const route of ROUTES) expect(parseRoute(pathOf(route).replace('./', ''))).toEqual(route);
  });

  it('calls a path of nobody missing', () => {
    expect(parseRoute('nowhere')).toEqual({ name: 'missing', path: 'nowhere' });
    expect(parseRoute('targets/a/b').name).toBe('missing');
  });

  it('shows only set-up and sign-in to a stranger', () => {
    expect(ROUTES.filter(isOpenToAll).map((route) => route.name)).toEqual(['setup', 'signIn']);
  });

  it('reads paths below a sub-path and none outside', () => {
    const base = new URL('https://gate.example.test/ops/sallyport/');
    expect(pathBelow(base, new URL('https://gate.example.test/ops/sallyport/sessions?x=1'))).toBe('sessions');
    expect(pathBelow(base, new URL('https://gate.example.test/ops/sallyport/'))).toBe('');
    expect(pathBelow(base, new URL('https://gate.example.test/ops'))).toBeNull();
    expect(pathBelow(base, new URL('https://elsewhere.example.test/ops/sallyport/'))).toBeNull();
  });
});
