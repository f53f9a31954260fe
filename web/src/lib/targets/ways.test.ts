import type { ProbedPort, Target, WhereTo } from '@sallyport/shared/api/targets';
import { describe, expect, it } from 'vitest';
import { rowsOf } from './ways.ts';

const target = (name: string, more: Partial<Target> = {}): Target => ({
  id: name,
  name,
  transport: 'ssh',
  host: `${name}.example.test`,
  port: 22,
  subsystem: 'powershell',
  offers: ['powershell', 'pty'],
  credentialId: null,
  user: '',
  connectTimeoutMs: 30_000,
  viaTargetId: null,
  relaxations: [],
  files: 'off',
  usingCredentials: [],
  wsman: null,
  notes: '',
  isDemo: false,
  administratorOnly: false,
  powershellMissing: false,
  createdAt: 0,
  lastOpenedAt: null,
  ...more,
});
const read = (more: Partial<WhereTo>): WhereTo => ({
  targets: [],
  address: null,
  notHonoured: [],
  problem: null,
  ...more,
});
type Way = ProbedPort['way'];
const PORTS: readonly (readonly [Way, number])[] = [['https', 5986], ['http', 5985], ['ssh', 22]]; // prettier-ignore
const address = { host: 'web09', port: 2222, user: 'ann', kind: null, subsystem: 'powershell', winrm: null } as const; // prettier-ignore

describe('ways in', () => {
  it('lists all targets for an empty line, the last opened first', () => {
    const rows = rowsOf(null, [target('a'), target('b', { lastOpenedAt: 5 })], true);
    expect(rows.map(({ name }) => name)).toEqual(['b', 'a']);
  });

  it('offers a typed address only to who may, and only when no target stands for it', () => {
    expect(rowsOf(read({ address }), [], false)).toEqual([]);
    expect(rowsOf(read({ address }), [], true).map((row) => [row.name, row.address, row.ways])).toEqual([
      ['ann@web09', 'web09:2222', ['powershell', 'pty']],
    ]);
    expect(rowsOf(read({ address }), [], true)[0]?.remark).toBe('not saved, SSH');
    const known = target('web09', { host: 'web09', port: 2222 });
    expect(rowsOf(read({ address, targets: [known] }), [known], true).map(({ key }) => key)).toEqual(['web09']);
  });

  it('opens PowerShell alone over WinRM', () => {
    const [row] = rowsOf(read({ address: { ...address, port: 5986, kind: 'powershell', winrm: 'https' } }), [], true);
    expect(row).toMatchObject({ to: { port: 5986, winrm: 'https' }, ways: ['powershell'], remark: 'not saved, WinRM' });
  });

  describe('a typed name whose doors were looked at', () => {
    const typed = { ...address, port: 22, user: '', subsystem: 'powershell' };
    const row = (doors: Partial<Record<Way, ProbedPort['state']>> | null, more: Partial<typeof address> = {}) => {
      const ports = PORTS.map(([way, port]) => ({ way, port, state: doors?.[way] ?? 'closed' }));
      const line = { ...typed, ...more } as unknown as WhereTo['address'];
      return rowsOf(read({ address: line }), [], true, doors === null ? null : { host: 'web09', ports })[0];
    };
    const overSsh = { to: { port: 22, winrm: null }, ways: ['powershell', 'pty'], remark: 'not saved, SSH' };
    const overHttps = { to: { port: 5986, winrm: 'https' }, address: 'web09:5986' };
    const overHttp = { to: { port: 5985, winrm: 'http' }, address: 'web09:5985' };
    const overWinRm = { name: 'web09', ways: ['powershell'], remark: 'not saved, WinRM' };

    it.each([
      ['nothing is known', null],
      ['SSH is open', { ssh: 'open' }],
      ['all are open', { ssh: 'open', https: 'open', http: 'open' }],
      ['all are shut', {}],
      ['none may be tried', { ssh: 'refused', https: 'refused', http: 'refused' }],
    ] as const)('goes over SSH: %s', (_, doors) => {
      expect(row(doors)).toMatchObject(overSsh);
    });

    it.each([
      ['both are open', { https: 'open', http: 'open' }, overHttps],
      ['only HTTPS is open', { ssh: 'closed', https: 'open' }, overHttps],
      ['only HTTP is open', { ssh: 'closed', http: 'open' }, overHttp],
      ['SSH does not answer', { ssh: 'silent', http: 'open' }, overHttp],
    ] as const)('goes over WinRM where SSH is not open: %s', (_, doors, expected) => {
      expect(row(doors)).toMatchObject({ ...overWinRm, ...expected });
    });

    it.each([
      ['a port', { port: 2222 }, { port: 2222, winrm: null }],
      ['SSH', { kind: 'powershell' }, { port: 22, winrm: null }],
      ['a shell', { kind: 'pty' }, { port: 22, winrm: null }],
      ['WinRM over HTTP', { kind: 'powershell', port: 5985, winrm: 'http' }, { port: 5985, winrm: 'http' }],
      ['another machine', { host: 'web10' }, { port: 22, winrm: null }],
    ])('goes where the line says: %s', (_, more, to) => {
      expect(row({ https: 'open' }, more as unknown as Partial<typeof address>)?.to).toMatchObject(to);
    });
  });

  it('signs in at a typed address as the user that the line names, who is asked for the rest', () => {
    const [named] = rowsOf(read({ address }), [], true);
    const typed = { user: 'ann', kind: 'ask', secret: '', passphrase: null, certificate: null, saveAs: null };
    expect(named?.credential).toEqual({ by: 'typed', typed });
    const [nobody] = rowsOf(read({ address: { ...address, user: '' } }), [], true);
    expect(nobody?.credential).toEqual({ by: 'default' });
    expect(rowsOf(null, [target('a')], true)[0]?.credential).toEqual({ by: 'default' });
  });

  it('leaves PowerShell out where it was not found and puts what was asked for first', () => {
    const bare = target('c', { powershellMissing: true });
    expect(rowsOf(null, [bare], true)[0]?.ways).toEqual(['pty']);
    const asked = rowsOf(read({ targets: [target('d')], address: { ...address, kind: 'pty' } }), [], false);
    expect(asked[0]?.ways).toEqual(['pty', 'powershell']);
  });
});
