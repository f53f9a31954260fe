import { type Credential, TargetBody, type Target } from '@sallyport/shared/api/targets';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { describe, expect, it } from 'vitest';
import {
  bodyOf,
  clientCertificateOf,
  draftOf,
  fittingFor,
  hintOf,
  portFor,
  problemsOf,
  type TargetDraft,
} from './target-draft.ts';
import { WSMAN_DRAFT, wsManDraftOf, wsManOf } from './wsman-draft.ts';

const typed = (more: Partial<TargetDraft>): TargetDraft => ({
  ...draftOf(null),
  name: 'web01',
  host: 'web01',
  ...more,
});
const winRm = (more: Partial<TargetDraft['wsman']> = {}): TargetDraft =>
  typed({ transport: 'wsman', port: '5986', wsman: { ...WSMAN_DRAFT, ...more } });
const wrong = (draft: TargetDraft): string[] =>
  Object.entries(problemsOf(draft)).flatMap(([field, problem]) => (problem === null ? [] : [field]));

describe('a new target', () => {
  it('is what the gateway takes, over SSH and over WinRM with the defaults of both', () => {
    expect(TargetBody.parse(bodyOf(typed({})))).toMatchObject({ transport: 'ssh', offers: ['powershell', 'pty'] });
    const body = TargetBody.parse(bodyOf(winRm()));
    expect(body).toMatchObject({ transport: 'wsman', offers: ['powershell'], files: 'off', relaxations: [] });
    expect(body.wsman).toEqual(WsManSettings.parse({}));
  });
  it('loses over WinRM what only SSH has', () => {
    const draft = { ...winRm(), relaxations: ['kex-sha1' as const], files: 'readWrite' as const, powershell: false };
    expect(TargetBody.parse(bodyOf(draft)).wsman).not.toBeNull();
    expect(bodyOf({ ...draft, transport: 'ssh', powershell: true }).wsman).toBeNull();
  });
  it('comes from a hint in the address', () => {
    const read = (query: string) => hintOf(new URLSearchParams(query));
    expect(read('')).toBeNull();
    expect(read('host=web01&way=http')).toEqual({ host: 'web01', port: 5985, transport: 'wsman', tls: false });
    expect(read('host=web01&way=https&port=443')).toMatchObject({ port: 443, tls: true });
    expect(read('host=web01&way=ssh&port=0')).toMatchObject({ port: 22, transport: 'ssh' });
    expect(draftOf(null, read('host=web01&way=http'))).toMatchObject({
      host: 'web01',
      port: '5985',
      wsman: { tls: false },
    });
  });
});

describe('the port', () => {
  it('follows the way while it is a usual one', () => {
    expect(portFor({ transport: 'wsman', port: '22' }, true)).toBe('5986');
    expect(portFor({ transport: 'wsman', port: '5986' }, false)).toBe('5985');
    expect(portFor({ transport: 'ssh', port: '5985' }, false)).toBe('22');
    expect(portFor({ transport: 'wsman', port: '8443' }, false)).toBe('8443');
  });
});

describe('settings of WinRM', () => {
  it('come back as they were stored', () => {
    const stored = WsManSettings.parse({
      trust: { pin: 'ab'.repeat(32), skipCaCheck: true },
      spn: { service: 'HOST', host: 'web01.contoso.test', includePort: true },
      idleTimeoutMs: 7_200_000,
      operationTimeoutMs: 20_000,
      locale: 'de-DE',
      method: 'kerberos',
      ...{ openTimeoutMs: 90_000, cancelTimeoutMs: 1500, maxObjectBytes: 65_536, maxCommandBytes: 5 * 2 ** 20 },
      ...{ maxConnectionRetries: 0, maxEnvelopeKb: 100 },
      applicationArguments: [{ name: 'Site', value: 'a=b' }, { name: 'Empty', value: '' }], // prettier-ignore
    });
    expect(wsManOf(wsManDraftOf(stored))).toEqual(stored);
    expect(draftOf({ ...({} as Target), offers: [], relaxations: [], wsman: stored }).wsman.idleMinutes).toBe('120');
  });
  it('take a pin as tools print it', () => {
    expect(wsManOf({ ...WSMAN_DRAFT, pin: `${'AB:'.repeat(31)}AB` }).trust.pin).toBe('ab'.repeat(32));
  });
  it.each([
    [{ pin: 'abc' }, 'pin'],
    [{ ca: 'not PEM' }, 'ca'],
    [{ method: 'basic', tls: false }, 'method'],
    [{ method: 'digest', skipCnCheck: true }, 'method'],
    [{ method: 'certificate', tls: false }, 'method'],
    [{ method: 'credssp' }, 'method'],
    [{ applicationName: '/wsman' }, 'applicationName'],
    [{ configurationName: ' ' }, 'configurationName'],
    [{ locale: 'de_DE' }, 'locale'],
    [{ idleMinutes: '0' }, 'idleMinutes'],
    [{ operationS: '' }, 'operationS'],
    [{ spnHost: 'a b' }, 'spnHost'],
    [{ openTimeoutMs: '0' }, 'openTimeoutMs'],
    [{ cancelTimeoutMs: 'soon' }, 'cancelTimeoutMs'],
    [{ maxObjectBytes: '201' }, 'maxObjectBytes'],
    [{ maxCommandBytes: '0.01' }, 'maxCommandBytes'],
    [{ maxConnectionRetries: '1.5' }, 'maxConnectionRetries'],
    [{ maxEnvelopeKb: '31' }, 'maxEnvelopeKb'],
    [{ argumentLines: 'no equals sign, and blanks' }, 'argumentLines'],
    [{ argumentLines: 'A=1\na=2' }, 'argumentLines'],
    [{ argumentLines: 'PSVersionTable=1' }, 'argumentLines'],
  ] as const)('say what is wrong with %j', (more, field) => {
    expect(wrong(winRm(more))).toEqual([field]);
    expect(wrong({ ...winRm(more), transport: 'ssh' })).toEqual([]);
  });
  it('let Basic over a pinned certificate, whatever else is not checked', () => {
    expect(wrong(winRm({ method: 'basic', skipCaCheck: true, pin: 'ab'.repeat(32) }))).toEqual([]);
    expect(wrong(winRm({ method: 'credssp', isTrustedForDelegation: true }))).toEqual([]);
  });
});

describe('a client certificate', () => {
  const facts = {
    subject: '',
    issuer: '',
    upn: null,
    validFrom: 0,
    validTo: 1,
    sha1: 'ab'.repeat(20),
    sha256: 'cd'.repeat(32),
    isForClients: true,
  };
  const credential = (
    id: string,
    kind: Credential['kind'],
    clientCertificate: Credential['clientCertificate'] = null,
  ): Credential => ({
    ...{ id, label: id, kind, user: '', publicFacts: '', certificate: null, clientCertificate, createdAt: 0 },
  });
  const vault = [credential('p', 'password'), credential('k', 'privateKey'), credential('c', 'certificate', facts)];
  const byMethod = (method: TargetDraft['wsman']['method']) => fittingFor(winRm({ method }), vault).map(({ id }) => id);

  it('is offered where it can be used, and nowhere else', () => {
    expect(fittingFor(typed({}), vault).map(({ id }) => id)).toEqual(['p', 'k']);
    expect([byMethod('default'), byMethod('certificate'), byMethod('negotiate-implicit')]).toEqual([['p'], ['c'], []]);
  });
  it('is found by its thumbprint, or as the credential of the target', () => {
    const named = (certificateThumbprint: string, credentialId = '') =>
      clientCertificateOf({ ...winRm({ method: 'certificate', certificateThumbprint }), credentialId }, vault);
    expect(named(facts.sha1.toUpperCase().replace(/../g, '$&:').slice(0, -1))).toBe(facts);
    expect([named(facts.sha256), named('', 'c'), named('', 'p'), named('ef'.repeat(20), 'c')]).toEqual([
      facts,
      facts,
      null,
      null,
    ]);
  });
  it('is named in the one spelling that is stored, for this way of signing in alone', () => {
    const certificateThumbprint = 'AB '.repeat(20);
    expect(wsManOf({ ...WSMAN_DRAFT, method: 'certificate', certificateThumbprint }).certificateThumbprint).toBe(
      facts.sha1,
    );
    expect(wsManOf({ ...WSMAN_DRAFT, certificateThumbprint }).certificateThumbprint).toBe('');
    expect(wrong(winRm({ method: 'certificate', certificateThumbprint: 'abc' }))).toEqual(['certificateThumbprint']);
    const wsman = WsManSettings.parse({ certificateThumbprint: facts.sha1 });
    expect(TargetBody.safeParse({ ...bodyOf(winRm()), wsman }).success).toBe(false);
  });
});
