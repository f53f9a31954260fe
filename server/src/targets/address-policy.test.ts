import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SallyportError } from '../errors.ts';
import {
  createAddressGate,
  createFarGate,
  refusalOf,
  type AddressRules,
  type RefusalReason,
} from './address-policy.ts';
import { formatIp, isInRange, parseIp, parseIpRange } from './ip.ts';

const EVERYTHING: AddressRules = {
  allowed: [
    { range: '0.0.0.0/0', port: null },
    { range: '::/0', port: null },
  ],
  own: [],
};
const NOTHING: AddressRules = { allowed: [], own: [] };
const PRIVATE: AddressRules = { allowed: [{ range: '10.0.0.0/8', port: null }], own: [] };

describe('address rules', () => {
  it.each<[string, RefusalReason]>([
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'unspecified'],
    ['::', 'unspecified'],
    ['::0:0', 'unspecified'],
    ['224.0.0.1', 'multicast'],
    ['ff02::1', 'multicast'],
    ['255.255.255.255', 'broadcast'],
    ['169.254.169.254', 'link-local'],
    ['fe80::1', 'link-local'],
    ['febf::1', 'link-local'],
    ['fd00:ec2::254', 'metadata'],
    ['fd00:0ec2:0:0:0:0:0:0254', 'metadata'],
    ['::ffff:169.254.169.254', 'link-local'],
    ['::ffff:a9fe:a9fe', 'link-local'],
    ['0:0:0:0:0:ffff:169.254.169.254', 'link-local'],
    ['64:ff9b::169.254.169.254', 'link-local'],
    ['64:ff9b::a9fe:a9fe', 'link-local'],
    ['64:ff9b:1::a9fe:a9fe', 'link-local'],
    ['64:ff9b:1:a9fe:a9:fe00::', 'link-local'],
    ['2002:a9fe:a9fe::1', 'link-local'],
    ['2001:0:a9fe:a9fe::1', 'link-local'],
    ['2001:0:5db8:d822:0:0:5601:5601', 'link-local'],
    ['::169.254.169.254', 'link-local'],
    ['2001:db8::5efe:169.254.169.254', 'link-local'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:7f00:1', 'loopback'],
    ['64:ff9b::7f00:1', 'loopback'],
    ['2002:7f00:1::', 'loopback'],
    ['fe80::1%1', 'not-an-address'],
    ['2130706433', 'not-an-address'],
    ['0x7f.1', 'not-an-address'],
    ['0177.0.0.1', 'not-an-address'],
    ['127.1', 'not-an-address'],
    ['', 'not-an-address'],
  ])('refuses %s (%s) even when every range is allowed', (ip, reason) => {
    expect(refusalOf(ip, 22, EVERYTHING, [])).toBe(reason);
  });

  it('refuses what no range names, and allows what one does', () => {
    expect(refusalOf('10.1.2.3', 22, NOTHING, [])).toBe('outside-ranges');
    expect(refusalOf('10.1.2.3', 22, PRIVATE, [])).toBeNull();
    expect(refusalOf('11.1.2.3', 22, PRIVATE, [])).toBe('outside-ranges');
    expect(refusalOf('::ffff:10.1.2.3', 22, PRIVATE, [])).toBeNull();
    expect(refusalOf('64:ff9b::10.1.2.3', 22, PRIVATE, [])).toBeNull();
    expect(refusalOf('64:ff9b::11.1.2.3', 22, PRIVATE, [])).toBe('outside-ranges');
    expect(refusalOf('2001:db8::7', 22, PRIVATE, [])).toBe('outside-ranges');
    expect(refusalOf('2001:db8::7', 22, EVERYTHING, [])).toBeNull();
  });

  it('opens loopback only where a range in loopback says so, and only that port when it has one', () => {
    const demo = (port: number | null): AddressRules => ({ allowed: [{ range: '127.0.0.1', port }], own: [] });
    expect(refusalOf('127.0.0.1', 4022, demo(4022), [])).toBeNull();
    expect(refusalOf('127.0.0.1', 22, demo(4022), [])).toBe('loopback');
    expect(refusalOf('127.0.0.2', 4022, demo(4022), [])).toBe('loopback');
    expect(refusalOf('127.0.0.1', 22, demo(null), [])).toBeNull();
    expect(refusalOf('169.254.1.1', 22, { allowed: [{ range: '169.254.0.0/16', port: null }], own: [] }, [])).toBe(
      'link-local',
    );
  });

  it('never connects to what the gateway itself listens on', () => {
    const rules = (host: string): AddressRules => ({
      allowed: [...EVERYTHING.allowed, { range: '127.0.0.0/8', port: null }],
      own: [{ host, port: 8022 }],
    });
    expect(refusalOf('127.0.0.1', 8022, rules('127.0.0.1'), [])).toBe('own-listener');
    expect(refusalOf('::ffff:127.0.0.1', 8022, rules('127.0.0.1'), [])).toBe('own-listener');
    expect(refusalOf('127.0.0.1', 8023, rules('127.0.0.1'), [])).toBeNull();
    expect(refusalOf('127.9.9.9', 8022, rules('localhost'), [])).toBe('own-listener');
    expect(refusalOf('192.0.2.9', 8022, rules('0.0.0.0'), ['192.0.2.9'])).toBe('own-listener');
    expect(refusalOf('127.0.0.7', 8022, rules('::'), ['192.0.2.9'])).toBe('own-listener');
    expect(refusalOf('192.0.2.10', 8022, rules('0.0.0.0'), ['192.0.2.9'])).toBeNull();
  });

  it('agrees with the platform on what lies in a range', () => {
    const check = (address: string, range: string, prefix: number, family: 'ipv4' | 'ipv6'): void => {
      const oracle = new BlockList();
      oracle.addSubnet(range, prefix, family);
      const parsed = parseIpRange(`${range}/${String(prefix)}`);
      expect(parsed !== null && isInRange(parseIp(address) ?? [], parsed)).toBe(oracle.check(address, family));
    };
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 1, max: 32 }), (a, b, bits) => check(a, b, bits, 'ipv4')),
    );
    const v6 = fc.ipV6().filter((text) => !/^[0:]*:ffff:/i.test(text));
    fc.assert(fc.property(v6, v6, fc.integer({ min: 1, max: 128 }), (a, b, bits) => check(a, b, bits, 'ipv6')));
    const isStable = (text: string): boolean =>
      formatIp(parseIp(formatIp(parseIp(text) ?? [])) ?? []) === formatIp(parseIp(text) ?? []);
    fc.assert(fc.property(v6, isStable));
  });
});

describe('address gate', () => {
  const live = new AbortController().signal;
  const gateFor = (answers: Record<string, string[]>, rules: AddressRules) => {
    const refusals: string[] = [];
    const asked: string[] = [];
    const gate = createAddressGate({
      rules: () => rules,
      refused: ({ ip, reason }) => void refusals.push(`${ip} ${reason}`),
      lookup: (host) => {
        asked.push(host);
        const answer = answers[host];
        return answer === undefined ? Promise.reject(new Error('ENOTFOUND')) : Promise.resolve(answer);
      },
      interfaces: () => [],
    });
    return { gate, refusals, asked };
  };
  const codeOf = async (promise: Promise<unknown>): Promise<string> => {
    const error = await promise.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    return error instanceof SallyportError ? error.code : String(error);
  };

  it('gives the checked address of a name, in one spelling', async () => {
    const { gate } = gateFor({ web01: ['::ffff:10.0.0.5'] }, PRIVATE);
    expect(await gate('WEB01', 22).resolve(live)).toBe('10.0.0.5');
  });

  it('takes the first address in the ranges and leaves the others', async () => {
    const { gate } = gateFor({ web01: ['2001:db8::5', '192.0.2.5', '10.0.0.5'] }, PRIVATE);
    expect(await gate('web01', 22).resolve(live)).toBe('10.0.0.5');
  });

  it('refuses a name that also means a forbidden address, and tells it', async () => {
    const { gate, refusals } = gateFor({ web01: ['10.0.0.5', '169.254.169.254'] }, PRIVATE);
    expect(await codeOf(gate('web01', 22).resolve(live))).toBe('target_address_refused');
    expect(refusals).toEqual(['169.254.169.254 link-local']);
  });

  it.each(['2130706433', '0x7f000001', '0177.0.0.1', '127.1', '-oProxyCommand', 'localhost%00.test', 'a b'])(
    'does not even look up %s',
    async (host) => {
      const { gate, asked } = gateFor({}, EVERYTHING);
      expect(await codeOf(gate(host, 22).resolve(live))).toBe('target_address_refused');
      expect(asked).toEqual([]);
    },
  );

  it('asks anew at each use, so a name that moves to loopback is refused then', async () => {
    const answers = { web01: ['10.0.0.5'] };
    const { gate, refusals } = gateFor(answers, PRIVATE);
    const endpoint = gate('web01', 22);
    expect(await endpoint.resolve(live)).toBe('10.0.0.5');
    answers.web01 = ['127.0.0.1'];
    expect(await codeOf(endpoint.resolve(live))).toBe('target_address_refused');
    expect(refusals).toEqual(['127.0.0.1 loopback']);
  });

  it('names an unknown name and an empty answer as unresolved', async () => {
    const { gate } = gateFor({ empty: [] }, PRIVATE);
    expect(await codeOf(gate('nowhere', 22).resolve(live))).toBe('target_name_unresolved');
    expect(await codeOf(gate('empty', 22).resolve(live))).toBe('target_name_unresolved');
  });

  it('waits for no resolver after the signal', async () => {
    const gate = createAddressGate({
      rules: () => PRIVATE,
      refused: () => undefined,
      lookup: () => new Promise(() => undefined),
    });
    const controller = new AbortController();
    const resolved = codeOf(gate('web01', 22).resolve(controller.signal));
    controller.abort();
    expect(await resolved).toBe('cancelled');
  });

  it('does not give the refusal before it is written down', async () => {
    const gate = createAddressGate({
      rules: () => NOTHING,
      refused: () => Promise.reject(new SallyportError('audit_unavailable', 'no audit')),
      lookup: () => Promise.resolve(['10.0.0.5']),
    });
    expect(await codeOf(gate('web01', 22).resolve(live))).toBe('audit_unavailable');
  });
});

describe('behind a jump host', () => {
  const LOOPBACK: AddressRules = { allowed: [{ range: '127.0.0.0/8', port: null }], own: [] };
  const far = async (host: string, rules: AddressRules): Promise<string> => {
    const told: string[] = [];
    const gate = createFarGate({ rules: () => rules, refused: ({ reason }) => void told.push(reason) });
    try {
      return await gate(host, 22).resolve(new AbortController().signal);
    } catch (error) {
      if (!(error instanceof SallyportError) || error.code !== 'target_address_refused') throw error;
      return `refused: ${told.join(' ')}`;
    }
  };

  it('leaves a name to the jump host, in its one spelling', async () => {
    expect(await far('DB01.Inner', NOTHING)).toBe('db01.inner');
  });

  it.each([
    ['169.254.169.254', 'link-local'],
    ['::ffff:169.254.169.254', 'link-local'],
    ['fd00:ec2::254', 'metadata'],
    ['0.0.0.0', 'unspecified'],
    ['224.0.0.1', 'multicast'],
    ['192.0.2.7', 'outside-ranges'],
    ['127.0.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['localhost', 'loopback'],
    ['Localhost.', 'not-an-address'],
    ['db.localhost', 'loopback'],
    ['localhost.localdomain', 'loopback'],
    ['2130706433', 'not-an-address'],
    ['-oProxyCommand', 'not-an-address'],
  ])('refuses %s as %s', async (host, reason) => {
    expect(await far(host, PRIVATE)).toBe(`refused: ${reason}`);
  });

  it('allows what the ranges name; our own listeners are not there', async () => {
    expect(await far('10.0.0.5', PRIVATE)).toBe('10.0.0.5');
    expect(await far('localhost', LOOPBACK)).toBe('localhost');
    const own = { ...LOOPBACK, own: [{ host: '0.0.0.0', port: 22 }] };
    expect(await far('127.0.0.1', own)).toBe('127.0.0.1');
  });
});
