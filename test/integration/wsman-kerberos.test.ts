/** Whole sessions over WinRM with Kerberos: MIT's KDC, python3-gssapi at the service, sealed bodies over plain HTTP. */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SessionRow } from '@sallyport/shared/api/sessions';
import type { Credential, Target } from '@sallyport/shared/api/targets';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { gatewayAccount } from '../../server/src/app/kerberos.ts';
import { codeOf, SallyportError } from '../../server/src/errors.ts';
import type { WsManConnection } from '../../server/src/transports/wsman/contract.ts';
import { Secret } from '../../server/src/secret.ts';
import { Kerberos } from '../../server/src/transports/wsman/auth/kerberos/sign-in.ts';
import { makeCertificate } from '../lab/certificate.ts';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { keptAndTold } from '../lab/kept-and-told.ts';
import { startGateway, type LabGateway, type Person } from '../lab/gateway.ts';
import { missingForAcceptor } from '../lab/kerberos/acceptor.ts';
import { startKerberosContexts, type KerberosContexts } from '../lab/kerberos/contexts.ts';
import { keysIn, secretsInCache } from '../lab/kerberos/keys.ts';
import { DOMAIN, HOSTS, LabKdc, PEOPLE, REALM, missingForKdc } from '../lab/kerberos/kdc.ts';
import { holdsSecret } from '../lab/secret-forms.ts';
import { startWireTap, type WireTap } from '../lab/wire-tap.ts';
import { connectWsMan, type LabConnect } from '../lab/wsman/console.ts';
import { startCredSspContexts } from '../lab/wsman/credssp-acceptor.ts';
import type { LabWsMan } from '../lab/wsman/server.ts';
import { StandInWsMan } from '../lab/wsman/stand-in.ts';
import { winRmBody, wholeSession } from '../lab/wsman/whole-session.ts';

const missing = missingForKdc() ?? missingForAcceptor();

describe.skipIf(missing !== null)(`sessions with Kerberos${missing === null ? '' : ` (needs ${missing})`}`, () => {
  const winrm = new StandInWsMan();
  let kdc: LabKdc;
  let contexts: KerberosContexts;
  let kerberos: Kerberos;
  let lab: LabWsMan | null = null;
  const heard: string[] = [];
  beforeAll(async () => {
    kdc = await LabKdc.start();
    contexts = await startKerberosContexts(kdc.keytab);
    kerberos = new Kerberos(kdc.settings);
  });
  afterAll(async () => {
    kerberos.close();
    winrm.remove();
    await Promise.all([contexts.stop(), kdc.stop()]);
  });
  afterEach(async () => {
    await winrm.end();
    lab = null;
  });

  const start = async (isTls: boolean, acceptor = contexts.acceptor): Promise<LabWsMan> => {
    lab = await winrm.start({ acceptor, ...(isTls ? {} : { tls: null }) });
    heard.length = 0;
    lab.intercept = (_request, _response, body) => {
      heard.push(Buffer.from(body).toString('latin1'));
      return false;
    };
    return lab;
  };
  const over = (method: WsManSettings['method'], tls = false, password: string = PEOPLE.ada): LabConnect => ({
    ...{ kerberos, host: HOSTS.win, settings: WsManSettings.parse({ method, tls }) },
    identity: { kind: 'password', user: `LAB\\ada`, password: new Secret(password) },
  });

  it.each([
    ['kerberos', false, 'HTTP, Kerberos sealed (AES-256)'],
    ['negotiate', false, 'HTTP, Kerberos sealed (AES-256)'],
    ['kerberos', true, 'HTTPS, Kerberos'],
  ] as const)('signs in and says what protects it: %s, TLS %s', async (method, isTls, protection) => {
    const connection = await connectWsMan(await start(isTls), over(method, isTls));
    expect(connection.protection).toBe(protection);
    await connection.close();
  });

  it('signs in at an address under the name that the settings give', async () => {
    const there = await start(false);
    const at = { ...over('kerberos'), host: '127.0.0.1' };
    expect(await connectWsMan(there, at).then(() => 'signed in', codeOf)).toBe('kerberos_unknown_target');
    const spn = { service: 'HTTP', credSspService: 'WSMAN', host: HOSTS.win, includePort: false } as const;
    const connection = await connectWsMan(there, { ...at, settings: { ...at.settings, spn } });
    expect(connection.protection).toBe('HTTP, Kerberos sealed (AES-256)');
    await connection.close();
  });

  it('carries a session over plain HTTP of which nothing can be read', async () => {
    const person = await winrm.open(await start(false), over('default'));
    expect((await person.run('1..300')).match(/\d+/g)).toHaveLength(300);
    expect(heard.some((body) => body.startsWith('--Encrypted Boundary'))).toBe(true);
    expect(heard.filter((body) => /Envelope|Correct Horse/.test(body))).toEqual([]);
  });

  it.each([
    ['kerberos', 'never', false],
    ['kerberos', 'policy', true],
    ['negotiate', 'always', true],
  ] as const)('gives a ticket of the user away only where the target may have it: %s, %s', async (method, ticketDelegation, isGiven) => {
    const { settings, ...rest } = over(method);
    const connection = await connectWsMan(await start(false), { ...rest, settings: { ...settings, ticketDelegation } });
    expect(contexts.delegated.at(-1)).toBe(isGiven);
    const weakened = ['the target has a ticket of the user (Kerberos delegation)'];
    expect(connection.weakened).toEqual(isGiven ? weakened : []);
    await connection.close();
  }); // prettier-ignore

  describe('as the gateway itself', () => {
    const connect = (
      more: Partial<LabConnect> & { readonly hosts?: readonly string[] } = {},
    ): Promise<WsManConnection> => {
      const { hosts = [HOSTS.win], ...rest } = more;
      const settings = kdc.settings.realms[0]?.name ?? '';
      const account = gatewayAccount({
        ...{ gatewayPrincipal: `gateway@${settings}`, gatewayKeytab: kdc.gatewayKeytab, gatewayTicketCache: null },
        gatewayIdentityHosts: [...hosts],
      });
      if (account === null || lab === null) throw new Error('no account, no lab');
      const identity = { kind: 'gateway', user: 'the gateway' } as const;
      return connectWsMan(lab, { ...over('negotiate-implicit'), gateway: account, identity, ...rest });
    };
    const refused = (more: Parameters<typeof connect>[0]): Promise<string> =>
      connect(more).then(() => 'signed in', codeOf);

    it('signs in with the keytab where that is allowed, told of before a byte is sent', async () => {
      await start(false);
      const used: [string, number][] = [];
      const connection = await connect({
        port: { useGateway: async (account) => void used.push([account, heard.length]) },
      });
      expect(connection.protection).toBe('HTTP, Kerberos sealed (AES-256)');
      expect(contexts.names.at(-1)).toMatch(/^gateway@/);
      expect(contexts.delegated.at(-1)).toBe(false);
      expect(used).toEqual([[contexts.names.at(-1), 0]]);
      await connection.close();
    });

    it('sends nothing where it is not allowed, not written down, or another credential is there', async () => {
      await start(false);
      expect(await refused({ hosts: ['other.example'] })).toBe('implicit_not_allowed');
      expect(await refused({ hosts: [] })).toBe('implicit_not_allowed');
      const audit = new SallyportError('audit_unavailable', 'no audit');
      expect(await refused({ port: { useGateway: () => Promise.reject(audit) } })).toBe('audit_unavailable');
      const { identity } = over('kerberos');
      expect(identity === undefined ? '' : await refused({ identity })).toBe('target_auth_unsupported');
      expect(await refused({ settings: WsManSettings.parse({ method: 'kerberos', tls: false }) })).toBe(
        'target_auth_unsupported',
      );
      expect(heard).toEqual([]);
    });
  });

  it('sends nothing to the target after the KDC has refused, and does not take NTLM in its place', async () => {
    const at = await start(false);
    for (const method of ['kerberos', 'negotiate'] as const) {
      const refused = connectWsMan(at, over(method, false, 'wrong')).then(() => 'signed in', codeOf);
      expect(await refused).toBe('target_auth_failed');
    }
    expect(heard).toEqual([]);
    const local = {
      ...over('kerberos'),
      identity: { kind: 'password', user: `ada@nowhere.${DOMAIN}`, password: new Secret('x') },
    } as const;
    expect(await connectWsMan(at, local).then(() => 'signed in', codeOf)).toBe('kerberos_no_kdc');
  });

  describe('from the opening to the end, through the whole program', () => {
    const pin = new X509Certificate(winrm.tls.cert).fingerprint256.replaceAll(':', '').toLowerCase();
    // What is connected to is `localhost`, which is no name for Kerberos.
    const spn = { service: 'HTTP', host: HOSTS.win, includePort: false } as const;
    const dataDir = mkdtempSync(path.join(tmpdir(), 'sallyport-kerberos-whole-'));
    /** What went to the KDC, and to targets over plain HTTP. */
    let toKdc: WireTap;
    const taps: WireTap[] = [];
    const tapped = async (at: LabWsMan): Promise<WireTap> => {
      const tap = await startWireTap(at.port);
      taps.push(tap);
      return tap;
    };
    const WRONG = 'Canary-credssp-4730';
    const pages: ConsolePage[] = [];
    let gateway: LabGateway;
    let ann: Person;
    let credentialId: string;
    const startAs = (account: Record<string, string>): Promise<LabGateway> =>
      startGateway({
        dataDir,
        env: {
          SALLYPORT_KERBEROS_REALMS: `${REALM}/LAB=127.0.0.1:${String(toKdc.port)}`,
          SALLYPORT_GATEWAY_IDENTITY_HOSTS: 'localhost',
          SALLYPORT_LOG_LEVEL: 'debug',
          ...account,
        },
      });
    beforeAll(async () => {
      toKdc = await startWireTap(kdc.port);
      gateway = await startAs({
        SALLYPORT_GATEWAY_PRINCIPAL: `gateway@${REALM}`,
        SALLYPORT_GATEWAY_KEYTAB: kdc.gatewayKeytab,
      });
      ann = await gateway.setUp();
      ({ id: credentialId } = await ann.post<Credential>('/api/credentials', {
        ...{ label: 'ada', kind: 'password', user: 'LAB\\ada', secret: PEOPLE.ada, passphrase: null },
      }));
    });
    afterAll(async () => {
      await gateway.stop();
      await Promise.all([toKdc, ...taps].map((tap) => tap.stop()));
      rmSync(dataDir, { recursive: true, force: true });
    });

    it.each([
      ['default', false, 'HTTP, Kerberos sealed (AES-256)'],
      ['kerberos', true, 'HTTPS, Kerberos'],
      ['negotiate', true, 'HTTPS, Kerberos'],
    ] as const)('%s with a password of the vault, TLS %s', async (method, tls, protection) => {
      const wsman = WsManSettings.parse({ method, tls, trust: tls ? { pin } : {}, spn });
      const { row, ledger, events, asked } = await wholeSession(ann, await start(tls), {
        ...{ name: `${method}-${String(tls)}`, credentialId, wsman },
      });
      expect(asked).toEqual([]);
      expect(contexts.names.at(-1)).toBe(`ada@${REALM}`);
      expect(row.facts).toMatchObject({ identity: 'LAB\\ada', protection, weakened: [] });
      expect(ledger).toMatchObject(
        ['1+1', 'Read-Host name', 'Exit-PSSession'].map((text) => ({
          text,
          identity: 'LAB\\ada',
          protection,
          weakened: [],
        })),
      );
      expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['credential.used', 'winrm.connected']));
      expect(JSON.stringify(events) + gateway.stderr()).not.toContain(PEOPLE.ada);
    });

    it("the gateway's own account: each use in the audit log before it is used, nobody else's credential", async () => {
      const wsman = WsManSettings.parse({ method: 'negotiate-implicit', tls: false, spn });
      const { row, ledger, events } = await wholeSession(ann, await start(false), { name: 'implicit', wsman });
      expect(contexts.names.at(-1)).toBe(`gateway@${REALM}`);
      const identity = expect.stringContaining(`gateway@${REALM}`) as string;
      const protection = 'HTTP, Kerberos sealed (AES-256); as the gateway itself';
      expect(row.facts).toMatchObject({ identity, protection, weakened: [] });
      expect(ledger).toMatchObject(Array(3).fill({ identity, protection }));
      const told = events.map(({ type }) => type);
      expect(told).not.toContain('credential.used');
      expect(told.indexOf('gateway.identityUsed')).toBeLessThan(told.indexOf('winrm.connected'));
      expect(events.find(({ type }) => type === 'gateway.identityUsed')).toMatchObject({
        ...{ outcome: 'ok', actor: expect.stringContaining('ann') as string },
        detail: { account: `gateway@${REALM}` },
      });
    });

    it('CredSSP with Kerberos inside: asked, written down, handed over once', async () => {
      const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-credssp-whole-'));
      const env = { KRB5_KTNAME: kdc.keytab, KRB5_CONFIG: kdc.configFile, KRB5RCACHENAME: 'none:' };
      const credSsp = await startCredSspContexts(makeCertificate(directory, 'inside'), [], ['--kerberos'], env);
      try {
        const wsman = WsManSettings.parse({ method: 'credssp', trust: { pin }, isTrustedForDelegation: true, spn });
        const { row, ledger, events, asked } = await wholeSession(
          ...[ann, await start(true, credSsp.acceptor)],
          { name: 'credssp', credentialId, wsman },
          0,
        );
        expect(asked).toMatchObject([{ kind: 'choice', from: 'gateway' }]);
        const weakened = ['the target has the password (CredSSP)'];
        expect(row.facts).toMatchObject({ identity: 'LAB\\ada', weakened });
        expect(row.facts.protection).toMatch(/CredSSP/);
        expect(ledger).toMatchObject([{ weakened }, { weakened }, { weakened }]);
        const told = events.map(({ type }) => type);
        expect(told.indexOf('credential.delegated')).toBeLessThan(told.indexOf('winrm.connected'));
        // Each connection of the session signs in, with the same password.
        const given = await credSsp.given();
        expect(new Set(given.map((each) => each.join('|')))).toEqual(new Set([`LAB|ada|${PEOPLE.ada}`]));
        expect(JSON.stringify(events) + gateway.stderr()).not.toContain(PEOPLE.ada);
        // Over plain HTTP its own tokens are what stands on the wire.
        await lab?.stop();
        const plain = await start(false, credSsp.acceptor);
        const tap = await tapped(plain);
        const open = WsManSettings.parse({ method: 'credssp', tls: false, isTrustedForDelegation: true, spn });
        const place = { name: 'credssp in clear', port: tap.port, credentialId, wsman: open };
        await wholeSession(ann, plain, place, 0);
        expect(await credSsp.given()).not.toEqual([]);
        const { id } = await ann.post<Target>('/api/targets', winRmBody(tap, { ...place, name: 'refused' }));
        const secret = { user: 'LAB\\ada', kind: 'password', secret: WRONG, passphrase: null, saveAs: null } as const;
        const credential = { by: 'typed', typed: secret } as const;
        const refused = await ConsolePage.open(ann, { ...openBody(id, 'powershell'), credential });
        refused.answer(await refused.untilMessage('question'), { kind: 'choice', indexes: [0] });
        expect(await refused.untilMessage('ended')).toMatchObject({ reason: 'target_auth_failed' });
        pages.push(refused);
        expect(await credSsp.given()).toEqual([]);
      } finally {
        await credSsp.stop();
        rmSync(directory, { recursive: true, force: true });
      }
    });

    it('no password, hash, key or ticket of all that is kept, told, or on the wire in clear; tickets of a cache neither', async () => {
      const before = gateway;
      await gateway.terminate();
      const cache = kdc.makeCache('gateway.cc', 'ada');
      gateway = await startAs({
        SALLYPORT_GATEWAY_PRINCIPAL: `ada@${REALM}`,
        SALLYPORT_GATEWAY_TICKET_CACHE: `FILE:${cache}`,
      });
      ann = await gateway.signIn('ann');
      const wsman = WsManSettings.parse({ method: 'negotiate-implicit', tls: false, spn });
      const plain = await start(false);
      const tap = await tapped(plain);
      const { page } = await wholeSession(ann, plain, { name: 'by cache', port: tap.port, wsman });
      expect(contexts.names.at(-1)).toBe(`ada@${REALM}`);
      const { keys, tickets } = secretsInCache(cache);
      const secrets = [PEOPLE.ada, WRONG, ...keys, ...keysIn(kdc.gatewayKeytab)];
      // The wire has what Kerberos shows by design, and so the search sees what there is: the first ticket went to the KDC.
      expect(tickets.some((ticket) => toKdc.sent().includes(ticket))).toBe(true);
      const wires = [toKdc, ...taps].flatMap((each, at) => [
        [`to ${String(at)}`, each.sent()] as const,
        [`from ${String(at)}`, each.answered()] as const,
      ]);
      const { sessions } = await ann.get<{ sessions: SessionRow[] }>('/api/sessions?limit=500');
      const ids = sessions.map(({ id }) => id);
      const kept = [
        ...(await keptAndTold(gateway, ann, ids)),
        ['printed before', Buffer.from(before.stdout() + before.stderr())] as const,
        ['told to pages', Buffer.from(JSON.stringify([page, ...pages].map(({ messages }) => messages)))] as const,
      ];
      const found = [
        ...[...kept, ...wires].filter(([, bytes]) => secrets.some((secret) => holdsSecret(bytes, secret))),
        ...kept.filter(([, bytes]) => tickets.some((ticket) => holdsSecret(bytes, ticket))),
      ];
      expect(found.map(([name]) => name)).toEqual([]);
      expect(secrets.length).toBeGreaterThan(4);
    });
  });
});
