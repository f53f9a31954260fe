import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress } from './address.ts';

describe('address grammar', () => {
  it.each([
    ['web01', { host: 'web01', port: null, user: '' }],
    ['ann@web01:2222', { host: 'web01', port: 2222, user: 'ann' }],
    ['Web01.Example.TEST', { host: 'web01.example.test', port: null, user: '' }],
    ['CONTOSO\\ann@web01', { host: 'web01', port: null, user: 'CONTOSO\\ann' }],
    ['ann@contoso.test@web01', { host: 'web01', port: null, user: 'ann@contoso.test' }],
    ['svc$@db_1:22', { host: 'db_1', port: 22, user: 'svc$' }],
    ['Zoë@web01', { host: 'web01', port: null, user: 'Zoë' }],
    ['[::1]:22', { host: '::1', port: 22, user: '' }],
    ['::1', { host: '::1', port: null, user: '' }],
    ['ann@[2001:DB8::7]:2222', { host: '2001:db8::7', port: 2222, user: 'ann' }],
    ['192.0.2.7:65535', { host: '192.0.2.7', port: 65535, user: '' }],
    ['ssh://ann@web01:22/', { host: 'web01', port: 22, user: 'ann' }],
    ['xn--bcher-kva.example', { host: 'xn--bcher-kva.example', port: null, user: '' }],
  ])('reads %s', (text, value) => {
    expect(parseAddress(text)).toEqual({ value, problem: null });
  });

  it.each([
    '', '@', 'ann@', '@web01', '-oProxyCommand=id', '-oProxyCommand=id@web01', 'ann@-web01', 'web01:', 'web01:0',
    'web01:65536', 'web01:22x', 'web01:-1', 'web01:+22', 'web 01', 'web01 -p 22', 'web01;id', 'web01|id', '$(id)', '`id`', 'web01\n',
    'ann:secret@web01', "ann'@web01", 'ann"@web01', 'a\\b\\c@web01', 'ann\\@web01', 'ann @web01', '../etc', 'web01/..', 'web01.', '.web01', 'web..01',
    'web01-', `${'a'.repeat(64)}.test`, 'a.'.repeat(130) + 'b', `${'u'.repeat(257)}@web01`, 'bücher.example', 'web01\u0000', 'ｗeb01', '127｡0｡0｡1',
    '[::1', '::1]', '[::1]x', '[::1]:', '[web01]', '[127.0.0.1]', 'fe80::1%eth0', '[fe80::1%25eth0]:22', '1:2:3', 'http://web01',
    '\u202eweb01', 'ann\u202e@web01', 'ann\u0007@web01',
  ])('refuses %j', (text) => {
    const { value, problem } = parseAddress(text.endsWith('\n') ? `${text}x` : text);
    expect(value).toBeNull();
    expect(problem).toMatch(/./);
  }); // prettier-ignore

  it.each(['2130706433', '017700000001', '0x7f000001', '0x7f.0.0.1', '0177.0.0.1', '127.1', '127.0.1', '127.0.0.01', '1.2.3.4.5',
    '256.1.1.1', '127.0.0.0x1', '0', '0x', '00000000177.1', '3232235777:22', 'ann@0x7F.1'])('refuses the number spelling %s', (text) => {
    expect(parseAddress(text).value).toBeNull();
  }); // prettier-ignore

  it('gives back what it reads, whatever is written', () => {
    const label = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}[a-z]$/);
    const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
    const user = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9._-]{0,20}$/);
    fc.assert(
      fc.property(host, fc.option(user), fc.option(fc.integer({ min: 1, max: 65535 })), (name, who, port) => {
        const text = `${who === null ? '' : `${who}@`}${name}${port === null ? '' : `:${String(port)}`}`;
        expect(parseAddress(text).value).toEqual({ host: name, port, user: who ?? '' });
      }),
    );
  });

  it('never throws and never gives a host outside the grammar', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const { value } = parseAddress(text);
        if (value !== null) expect(value.host).toMatch(/^[a-z0-9_][a-z0-9_.:-]*$|^::/);
      }),
      { numRuns: 2000 },
    );
  });
});
