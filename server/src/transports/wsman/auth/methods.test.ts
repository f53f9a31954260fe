import { WsManSettings } from '@sallyport/shared/api/wsman';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../../secret.ts';
import type { HttpSignIn } from './contract.ts';
import type { Kerberos, KerberosOptions } from './kerberos/sign-in.ts';
import { createSignIn } from './methods.ts';

/** What Kerberos is asked for by settings. */
function asked(settings: unknown): KerberosOptions[] {
  const seen: KerberosOptions[] = [];
  const kerberos = {
    principalOf: (user: string) => user,
    signIn: (options: KerberosOptions): HttpSignIn => {
      seen.push(options);
      return { begin: () => { throw new Error('not begun'); }, close: () => Promise.resolve() }; // prettier-ignore
    },
  } as unknown as Kerberos;
  createSignIn({
    host: 'win01',
    settings: WsManSettings.parse(settings),
    identity: { kind: 'password', user: 'CORP\\ann', password: new Secret('x') },
    ...{ isAuthenticated: true, isDelegationAllowed: true, kerberos },
  });
  return seen;
}

describe('the name of the service', () => {
  it.each([
    ['kerberos', {}, { scheme: 'Kerberos', service: 'HTTP', isPortNamed: false, delegation: 'never' }],
    ['kerberos', { service: 'WSMAN' }, { scheme: 'Kerberos', service: 'WSMAN', isPortNamed: false }],
    ['negotiate', { service: 'HOST', includePort: true }, { scheme: 'Negotiate', service: 'HOST', isPortNamed: true }],
    ['default', {}, { scheme: 'Negotiate', service: 'HTTP', isPortNamed: false }],
    // The delegation policies of Windows name WSMAN, whatever the others have.
    ['credssp', { service: 'HOST' }, { scheme: 'Negotiate', service: 'WSMAN', delegation: 'never' }],
    ['credssp', { credSspService: 'HTTP' }, { scheme: 'Negotiate', service: 'HTTP', delegation: 'never' }],
  ] as const)('for %s with %j is that of the settings', (method, spn, expected) => {
    expect(asked({ method, spn })).toEqual([expect.objectContaining(expected)]);
  });
});
