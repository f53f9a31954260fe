import { describe, expect, it } from 'vitest';
import { parseRealm } from '../config/realms.ts';
import { toConfiguration } from '../transports/wsman/auth/kerberos/realms.ts';
import { kerberosSettings } from './kerberos.ts';

describe('realms of the configuration', () => {
  it('reads realm, short name and KDCs', () => {
    expect(parseRealm('CORP.EXAMPLE/CORP=dc1.corp.example [fd00::1]:88')).toEqual({
      ...{ name: 'CORP.EXAMPLE', netbiosName: 'CORP', domains: [] },
      kdcs: ['dc1.corp.example', '[fd00::1]:88'],
    });
    expect(parseRealm('CORP.EXAMPLE')).toEqual({ name: 'CORP.EXAMPLE', netbiosName: null, kdcs: [], domains: [] });
    for (const text of ['', 'A=', 'A B', 'A/=b', 'A=b\nc', 'A=b;c', '-A', 'A={'])
      expect({ text, realm: parseRealm(text) }).toEqual({ text, realm: null });
  });

  it('takes every realm that was read into the configuration of Kerberos, and asks DNS only for one without KDCs', () => {
    const settings = (...kerberosRealms: string[]) => kerberosSettings({ kerberosRealms, kerberosConfigFile: null });
    expect(settings('A.EXAMPLE=dc.a.example').findsKdcsInDns).toBe(false);
    const both = settings('A.EXAMPLE/A=dc.a.example:88 10.0.0.1', 'B.EXAMPLE');
    expect(both.findsKdcsInDns).toBe(true);
    expect(toConfiguration(both)).toContain('A.EXAMPLE = {\nkdc = dc.a.example:88\nkdc = 10.0.0.1\n}');
  });
});
