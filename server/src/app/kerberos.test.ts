import { describe, expect, it } from 'vitest';
import { parseRealm } from '../config/realms.ts';
import { ConfigSchema } from '../config/settings.ts';
import { toConfiguration } from '../transports/wsman/auth/kerberos/realms.ts';
import { codeOf } from '../errors.ts';
import { gatewayAccount, kerberosSettings } from './kerberos.ts';

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

describe("the gateway's own account", () => {
  const account = (more: Partial<Parameters<typeof gatewayAccount>[0]>) =>
    gatewayAccount({
      ...{ gatewayPrincipal: null, gatewayKeytab: null, gatewayTicketCache: null, gatewayIdentityHosts: [] },
      ...more,
    });
  const refusal = (more: Parameters<typeof account>[0]): string => {
    try {
      return account(more) === null ? 'none' : 'made';
    } catch (error) {
      return codeOf(error);
    }
  };
  const gatewayPrincipal = 'sallyport@CORP.EXAMPLE';

  it('is none unless it is configured whole', () => {
    expect(account({})).toBeNull();
    expect(refusal({ gatewayPrincipal })).toBe('config_invalid');
    expect(refusal({ gatewayIdentityHosts: ['a'] })).toBe('config_invalid');
    expect(refusal({ gatewayKeytab: '/k' })).toBe('config_invalid');
    expect(refusal({ gatewayPrincipal, gatewayKeytab: '/k', gatewayTicketCache: 'FILE:/c' })).toBe('config_invalid');
    expect(account({ gatewayPrincipal, gatewayKeytab: '/k' })).toMatchObject({
      ...{ name: gatewayPrincipal, identity: { kind: 'keytab', principal: gatewayPrincipal, file: '/k' } },
    });
    expect(account({ gatewayPrincipal, gatewayTicketCache: 'FILE:/c' })?.identity).toEqual({
      ...{ kind: 'ccache', name: 'FILE:/c' },
    });
  });

  it('may be used at no host but those that are named', () => {
    const may = (hosts: readonly string[], host: string): boolean =>
      account({ gatewayPrincipal, gatewayKeytab: '/k', gatewayIdentityHosts: [...hosts] })?.mayUse(host) === true;
    expect(may([], 'web01')).toBe(false);
    expect(may(['web01', '*.corp.example'], 'WEB01')).toBe(true);
    expect(may(['*.corp.example'], 'a.b.Corp.example.')).toBe(true);
    for (const host of ['corp.example', 'xcorp.example', 'a.corp.example.evil', 'web01', '10.0.0.1'])
      expect(may(['*.corp.example', 'web010'], host)).toBe(false);
    const parsed = ConfigSchema.shape.gatewayIdentityHosts;
    for (const text of ['*', '*.', 'a b', '*.*.x', '-a', '']) expect(parsed.safeParse([text]).success).toBe(false);
    expect(parsed.safeParse(['web01', '*.corp.example', '10.0.0.1']).success).toBe(true);
  });
});
