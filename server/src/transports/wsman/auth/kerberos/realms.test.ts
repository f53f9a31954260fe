import { describe, expect, it } from 'vitest';
import { NO_REALMS, toConfiguration, toPrincipal, type KerberosSettings } from './realms.ts';

const settings: KerberosSettings = {
  ...NO_REALMS,
  realms: [
    { name: 'CORP.EXAMPLE', kdcs: ['dc1.corp.example', '10.0.0.1:88'], domains: ['example.com'], netbiosName: 'CORP' },
    { name: 'LAB.EXAMPLE', kdcs: ['[fd00::1]:88'], domains: [], netbiosName: null },
  ],
};

describe('realms', () => {
  it('writes a configuration that asks no DNS for names', () => {
    const text = toConfiguration(settings);
    for (const line of ['dns_canonicalize_hostname = false', 'rdns = false', 'qualify_shortname = ""'])
      expect(text.split('\n')).toContain(line);
    expect(text).toContain('CORP.EXAMPLE = {\nkdc = dc1.corp.example\nkdc = 10.0.0.1:88\n}');
    expect(text).toContain('\n.example.com = CORP.EXAMPLE\n');
    expect(text).not.toMatch(/rc4|des3|arcfour|default_realm|primary_kdc|admin_server/);
  });

  it('refuses names that would break out of their line', () => {
    const realm = { name: 'A', kdcs: [], domains: [], netbiosName: null };
    for (const broken of [{ name: 'A\nB' }, { kdcs: ['a }\nkdc = b'] }, { domains: ['x = y'] }, { name: '' }])
      expect(() => toConfiguration({ ...NO_REALMS, realms: [{ ...realm, ...broken }] })).toThrow('not ');
    expect(() => toConfiguration({ ...NO_REALMS, defaultRealm: 'A B' })).toThrow('not a realm');
  });

  it.each([
    ['CORP\\ada', 'ada@CORP.EXAMPLE'],
    ['corp.example\\ada', 'ada@CORP.EXAMPLE'],
    ['ada@corp.example', 'ada@CORP.EXAMPLE'],
    ['ada@Example.com', 'ada@CORP.EXAMPLE'],
    ['ada.l@x@lab.example', 'ada.l\\@x@LAB.EXAMPLE'],
    ['CORP\\a/b\\c', 'a\\/b\\\\c@CORP.EXAMPLE'],
    ['ada', null],
    ['.\\ada', null],
    ['OTHER\\ada', null],
    ['ada@other.example', null],
    ['CORP\\', null],
    ['CORP\\a\u0000b', null],
  ])('takes %j for %j', (typed, principal) => {
    expect(toPrincipal(typed, settings)).toBe(principal);
  });

  it('takes a bare name into the default realm, and other domains for realms only where DNS may be asked', () => {
    expect(toPrincipal('ada', { ...settings, defaultRealm: 'LAB.EXAMPLE' })).toBe('ada@LAB.EXAMPLE');
    const open = { ...settings, findsKdcsInDns: true };
    expect(toPrincipal('ada@new.example', open)).toBe('ada@NEW.EXAMPLE');
    expect(toPrincipal('NEW\\ada', open)).toBeNull();
  });
});
