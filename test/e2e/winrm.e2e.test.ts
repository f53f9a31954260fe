/**
 * WinRM as a person meets it: a target made in its form, what protects a session in its bar, CredSSP asked about, a session
 * left and picked up, a gateway killed under a running line. The certificate of a target: certificates.e2e.test.ts.
 */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Credential, Target } from '@sallyport/shared/api/targets';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBrowser, type LabBrowser, type Tab } from '../lab/browser.ts';
import { makeCertificate } from '../lab/certificate.ts';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { startGateway, type LabGateway, type Person } from '../lab/gateway.ts';
import { missingForAcceptor } from '../lab/kerberos/acceptor.ts';
import { startKerberosContexts, type KerberosContexts } from '../lab/kerberos/contexts.ts';
import { HOSTS, LabKdc, missingForKdc, PEOPLE, REALM } from '../lab/kerberos/kdc.ts';
import { freePort } from '../lab/sshd.ts';
import { ntlmAcceptor } from '../lab/wsman/acceptors.ts';
import { LAB_USER } from '../lab/wsman/console.ts';
import { startCredSspContexts, type CredSspContexts } from '../lab/wsman/credssp-acceptor.ts';
import type { LabWsMan } from '../lab/wsman/server.ts';
import { StandInWsMan } from '../lab/wsman/stand-in.ts';
import { winRmBody } from '../lab/wsman/whole-session.ts';
import { violationsInBothThemes } from './axe.ts';
import { PS_PROMPT } from './world.ts';

const missing = missingForKdc() ?? missingForAcceptor();
const dataDir = mkdtempSync(path.join(tmpdir(), 'sallyport-winrm-page-'));
const labs = new StandInWsMan();
const pin = new X509Certificate(labs.tls.cert).fingerprint256.replaceAll(':', '').toLowerCase();
let browser: LabBrowser;
let gateway: LabGateway;
let listen: string;
let kdc: LabKdc | null = null;
let ann: Person;
let tab: Tab;
let lab: LabWsMan;
let cookies: { name: string; value: string; url: string }[];

const start = (): Promise<LabGateway> => {
  const [address = ''] = kdc?.settings.realms[0]?.kdcs ?? [];
  const realms = kdc === null ? {} : { SALLYPORT_KERBEROS_REALMS: `${REALM}/LAB=${address}` };
  return startGateway({ dataDir, env: { SALLYPORT_LISTEN: listen, ...realms } });
};
const seal = async (label: string, user: string, secret: string): Promise<string> => {
  const body = { label, kind: 'password', user, secret, passphrase: null };
  return (await ann.post<Credential>('/api/credentials', body)).id;
};
let ntlm: string;

beforeAll(async () => {
  // The page comes back to the address that it knows.
  listen = `127.0.0.1:${String(await freePort('127.0.0.1'))}`;
  kdc = missing === null ? await LabKdc.start() : null;
  const acceptor = ntlmAcceptor(LAB_USER.user, LAB_USER.password);
  [gateway, browser, lab] = await Promise.all([start(), startBrowser(), labs.start({ acceptor })]);
  ann = await gateway.setUp();
  ntlm = await seal('win', LAB_USER.user, LAB_USER.password);
  const [name = '', value = ''] = (ann.cookie ?? '').split('=');
  cookies = [{ name, value, url: gateway.url }];
  tab = await browser.open(gateway.url, { width: 1400, height: 1200, cookies });
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
  await labs.end();
  labs.remove();
  await kdc?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

const add = (name: string, at: LabWsMan, credentialId: string, settings: Partial<WsManSettings>): Promise<Target> =>
  ann.post<Target>('/api/targets', winRmBody(at, { name, credentialId, wsman: WsManSettings.parse(settings) }));
const open = async (target: Target): Promise<void> => {
  await tab.page.goto(`${gateway.url}/targets/${target.id}`);
  await tab.page.getByRole('button', { name: 'Open PowerShell' }).click();
};
const bar = (): Promise<string> => tab.page.getByRole('region', { name: 'Session facts' }).innerText();
/** Nothing went wrong in the page, but that a gateway that was killed did not answer. */
const faults = (): string[] => tab.faults.filter((fault) => !fault.includes('ERR_CONNECTION_REFUSED'));
const exit = async (): Promise<void> => {
  await tab.line('exit');
  await tab.page.getByRole('heading', { name: 'The session has ended' }).waitFor();
  expect(faults()).toEqual([]);
};

describe('what protects a session stands in its bar', () => {
  test('NTLM over HTTPS, and sealed over HTTP with the mark of its weak cipher', async () => {
    await open(await add('ntlm-https', lab, ntlm, { trust: WsManSettings.parse({ trust: { pin } }).trust }));
    await tab.seen(PS_PROMPT);
    expect(await bar()).toContain('HTTPS, NTLM');
    expect(await bar()).not.toContain('weakened');
    // The settings name no language: it is that of the browser.
    const create = lab.requests.find(({ name }) => name === 'Create')?.header;
    expect(create).toMatchObject({ locale: 'en-GB', dataLocale: 'en-GB' });
    await exit();
    const plain = await labs.start({ tls: null, acceptor: ntlmAcceptor(LAB_USER.user, LAB_USER.password) });
    await open(await add('ntlm-http', plain, ntlm, { tls: false, isTrustedForNtlm: true }));
    await tab.seen(PS_PROMPT);
    expect(await bar()).toContain('HTTP, NTLM sealed (RC4)');
    expect(await bar()).toContain('weakened: NTLM, which does not prove who the target is');
    await tab.page.locator('.facts .state.warn', { hasText: 'RC4' }).waitFor();
    expect(await violationsInBothThemes(tab, 'bar of plain HTTP')).toEqual([]);
    await exit();
  });

  test('a certificate that is not checked', async () => {
    const { trust } = WsManSettings.parse({ trust: { skipCaCheck: true, skipCnCheck: true } });
    await open(await add('unchecked', lab, ntlm, { trust, isTrustedForNtlm: true }));
    await tab.seen(PS_PROMPT);
    expect(await bar()).toContain('weakened: certificate not checked: it is self-signed');
    await exit();
  });

  describe.skipIf(missing !== null)(`with Kerberos${missing === null ? '' : ` (needs ${missing})`}`, () => {
    let contexts: KerberosContexts;
    let credSsp: CredSspContexts;
    let ada: string;
    const spn = { service: 'HTTP', host: HOSTS.win } as const;
    beforeAll(async () => {
      const env = { KRB5_KTNAME: kdc?.keytab ?? '', KRB5_CONFIG: kdc?.configFile ?? '', KRB5RCACHENAME: 'none:' };
      const inside = makeCertificate(dataDir, 'inside');
      [contexts, credSsp] = await Promise.all([
        startKerberosContexts(kdc?.keytab ?? ''),
        startCredSspContexts(inside, [], ['--kerberos'], env),
      ]);
      ada = await seal('ada', 'LAB\\ada', PEOPLE.ada);
    });
    afterAll(() => Promise.all([contexts.stop(), credSsp.stop()]));

    test.each([
      [true, 'HTTPS, Kerberos'],
      [false, 'HTTP, Kerberos sealed (AES-256)'],
    ])('Kerberos, TLS %s', async (tls, words) => {
      const at = await labs.start({ acceptor: contexts.acceptor, ...(tls ? {} : { tls: null }) });
      const settings = WsManSettings.parse({ tls, spn, trust: tls ? { pin } : {} });
      await open(await add(`kerberos-${String(tls)}`, at, ada, settings));
      await tab.seen(PS_PROMPT);
      expect(await bar()).toContain(words);
      expect(await bar()).not.toContain('weakened');
      await exit();
    });

    test('CredSSP: what is handed over, to whom and why; not to connect has the focus', async () => {
      const at = await labs.start({ acceptor: credSsp.acceptor });
      const settings = WsManSettings.parse({ method: 'credssp', isTrustedForDelegation: true, spn, trust: { pin } });
      const target = await add('hands-over', at, ada, settings);
      const dialog = tab.page.getByRole('dialog', { name: 'Hand the password over to localhost?' });
      await open(target);
      for (const words of [
        'the password itself',
        'LAB\\ada',
        `localhost:${String(at.port)}`,
        'An administrator allowed',
      ])
        await dialog.getByText(words).first().waitFor();
      await dialog.locator(':focus', { hasText: 'Do not connect' }).waitFor();
      expect(await violationsInBothThemes(tab, 'consent')).toEqual([]);
      await tab.page.keyboard.press('Enter');
      await tab.page.getByRole('heading', { name: 'hands-over could not be opened' }).waitFor();
      expect(await credSsp.given()).toEqual([]);
      await open(target);
      await dialog.getByRole('button', { name: 'Hand it over' }).click();
      await tab.seen(PS_PROMPT);
      expect(await bar()).toContain('weakened: the target has the password (CredSSP)');
      expect((await credSsp.given())[0]).toEqual(['LAB', 'ada', PEOPLE.ada]);
      await exit();
    });
  });
});

describe('the form of a target', () => {
  const form = () => tab.page.locator('aside form');
  const field = (label: string) => form().getByLabel(label, { exact: true });
  const box = (words: string) => form().getByRole('checkbox', { name: words });
  const FOLDS = ['Which certificate is accepted', 'Language', 'Advanced settings of WinRM', 'Limits of a session'];
  const fold = (title: string) => form().locator('summary', { hasText: title });
  /** A value that is wrong, what is said of it, the value that is stored, and its change. */
  const TEXTS: readonly (readonly [label: string, wrong: string, problem: string, first: string, then: string])[] = [
    ['Name', '', 'A name is needed. It appears in every record.', 'desk', 'desk01'],
    ['Only the certificate with this SHA-256', 'ab:cd', 'A SHA-256 has 64 hexadecimal digits.', pin, pin],
    ['Configuration name', '', 'An endpoint has a name.', 'Elsewhere', 'Helpdesk'],
    ['Messages', 'german!', 'A language tag, such as de-DE.', 'de-CH', 'fr-CH'],
    ['Numbers and dates', '1,5', 'A language tag, such as de-DE.', 'de-DE', 'it-CH'],
    ['Path of the address', '/wsman', 'A path without a slash in front, usually wsman.', 'other', 'ps/wsman'],
    ['Host in it', 'a host', 'A host name.', 'win.lab.example', 'localhost'],
    ['A shell that was left lives, minutes', '0', 'At least one minute, or empty.', '90', '30'],
    ['A request is held, seconds', '601', '1 to 600 seconds.', '45', '20'],
    ['Opening may take, seconds', '0', '1 to 600, or empty.', '90', '120'],
    ['Stopping may take, seconds', 'soon', '1 to 600, or empty.', '30', ''],
    ['One object may have, MiB', '201', '0.0625 to 200, or empty.', '8', '0.5'],
    ['One line may bring, MiB', '0', '0.0625 to 1048576, or empty.', '64', '128'],
    ['A broken connection is made again, times', '1.5', '0 to 100, or empty.', '0', '3'],
    ['Largest message, KB', '31', '32 to 2048, or empty.', '300', '250'],
    ['Names and texts for scripts there', 'a=1\nA=2', 'A name stands there twice.', 'Site=Bern\nDesk=7', 'Site=Thun'],
    ['Wait, seconds', '4', '5 to 180 seconds.', '60', '45'],
  ];
  const CHOICES: readonly (readonly [label: string, first: string, then: string])[] = [
    ['Sign-in method', 'kerberos', 'negotiate'],
    ['Service name for Kerberos', 'HOST', 'WSMAN'],
    ['Ticket of the user for other machines (Kerberos delegation)', 'always', 'policy'],
    ['Output while nobody reads', 'Drop', 'Block'],
  ];
  const TICKS: readonly (readonly [words: string, first: boolean, then: boolean])[] = [
    ['With the port', true, false],
    ["Without the user's profile", false, true],
    ['Seal messages inside HTTPS too', false, true],
    ['Follow redirects', true, false],
    ['Headers of sealed parts begin with a tab', true, false],
    ['NTLM may be used although', true, false],
  ];
  /** The message beside a field that is wrong, when it can be seen. */
  const said = (label: string): Promise<string | null> =>
    field(label).evaluate((node) => {
      const note = document.getElementById(node.getAttribute('aria-describedby') ?? '');
      const isSaid = node.getAttribute('aria-invalid') === 'true' && note?.checkVisibility() === true;
      return isSaid ? note.textContent.trim() : null;
    });
  const fill = async (which: 'first' | 'then'): Promise<void> => {
    for (const [label, , , first, then] of TEXTS) await field(label).fill(which === 'first' ? first : then);
    for (const [label, first, then] of CHOICES) await field(label).selectOption(which === 'first' ? first : then);
    for (const [words, first, then] of TICKS) await box(words).setChecked(which === 'first' ? first : then);
  };
  /** Comes back to the target with a page that knows nothing, and reads what its form shows. */
  const stored = async (): Promise<void> => {
    await tab.page.getByRole('button', { name: 'Open PowerShell' }).waitFor();
    await tab.page.reload();
    await tab.page.getByRole('button', { name: 'Edit', exact: true }).click();
  };
  const shown = async () => ({
    texts: await Promise.all(TEXTS.map(async ([label]) => [label, await field(label).inputValue()])),
    choices: await Promise.all(CHOICES.map(async ([label]) => [label, await field(label).inputValue()])),
    ticks: await Promise.all(TICKS.map(async ([words]) => [words, await box(words).isChecked()])),
  });
  const meant = (which: 'first' | 'then') => ({
    texts: TEXTS.map(([label, , , first, then]) => [label, which === 'first' ? first : then]),
    choices: CHOICES.map(([label, first, then]) => [label, which === 'first' ? first : then]),
    ticks: TICKS.map(([words, first, then]) => [words, which === 'first' ? first : then]),
  });

  test('names what is wrong beside its field, keeps what is set, and what is set counts in a session', async () => {
    const { page } = tab;
    const acceptor = ntlmAcceptor(LAB_USER.user, LAB_USER.password);
    const at = await labs.start({ acceptor, configurationName: 'Helpdesk', path: 'ps/wsman', refusesTab: true });
    await page.goto(`${gateway.url}/targets/new`);
    await page.getByRole('button', { name: 'WinRM', exact: true }).click();
    await form().getByLabel('HTTP; each message').check();
    expect(await field('Port').inputValue()).toBe('5985');
    await form().getByLabel('HTTPS; the certificate').check();
    expect(await field('Port').inputValue()).toBe('5986');
    await field('Host name or address').fill('localhost');
    await field('Port').fill('70000');
    for (const title of FOLDS) await fold(title).click();
    for (const [label, wrong] of TEXTS) await field(label).fill(wrong);
    await field('Sign-in method').selectOption('credssp');
    for (const title of FOLDS) await fold(title).click();
    expect(await field('Messages').isVisible()).toBe(false);
    await form().getByRole('button', { name: 'Add target' }).click();
    // Each fold around something wrong has opened, and the keyboard is where mending begins.
    expect(await Promise.all(TEXTS.map(async ([label]) => [label, await said(label)]))).toEqual(
      TEXTS.map(([label, , problem]) => [label, problem]),
    );
    expect(await said('Port')).toBe('A port is 1 to 65535.');
    expect(await said('Sign-in method')).toContain('CredSSP hands the password over: tick');
    expect(await field('Name').evaluate((node) => node === document.activeElement)).toBe(true);
    expect(await violationsInBothThemes(tab, 'form of WinRM')).toEqual([]);

    await fill('first');
    await field('Port').fill(String(at.port));
    await field('Signs in with').selectOption({ value: ntlm });
    await form().getByRole('button', { name: 'Add target' }).click();
    await stored();
    expect(await shown()).toEqual(meant('first'));
    await fill('then');
    await form().getByRole('button', { name: 'Save target' }).click();
    await stored();
    expect(await shown()).toEqual(meant('then'));
    expect(await field('Port').inputValue()).toBe(String(at.port));

    await form().getByRole('button', { name: 'Discard' }).click();
    await page.getByRole('button', { name: 'Open PowerShell' }).click();
    await tab.seen(PS_PROMPT);
    expect(await bar()).toContain('HTTPS, NTLM');
    const create = at.requests.find(({ name }) => name === 'Create')?.header;
    expect(create).toMatchObject({ locale: 'fr-CH', dataLocale: 'it-CH', maxEnvelopeBytes: 250 * 1024 });
    expect(create?.resourceUri.endsWith('/Helpdesk')).toBe(true);
    expect(create?.options).toContainEqual(expect.objectContaining({ name: 'WINRS_NOPROFILE', value: '1' }));
    expect(at.requests.find(({ name }) => name === 'Receive')?.header.operationTimeoutMs).toBe(20_000);
    await exit();
  });
});

describe('on a phone', () => {
  let phone: Tab;
  const LONG = 'win-plain.branch-office.contoso.example';
  beforeAll(async () => {
    phone = await browser.open(gateway.url, { width: 390, height: 844, touch: true, cookies });
  });
  afterAll(() => phone.context.close());
  const openThere = async (target: Target): Promise<void> => {
    await phone.page.goto(`${gateway.url}/targets/${target.id}`);
    await phone.page.getByRole('button', { name: 'Open PowerShell' }).click();
  };
  /** At a phone's width, at 320 pixels, and at 1280 x 800 with a zoom of 200 %. */
  const SIZES = [
    [390, 844],
    [320, 640],
    [640, 400],
  ] as const;
  /** What is beyond the edge, cut off, covered, or too small for a finger. */
  const flawsOf = async (where: string): Promise<string[]> => {
    const found: string[] = [];
    for (const [width, height] of SIZES) {
      await phone.page.setViewportSize({ width, height });
      const flaws = await phone.page.evaluate(() => {
        const root = document.querySelector('[role=dialog]') ?? document.body;
        const isSeen = (node: Element): boolean =>
          node.checkVisibility({ checkVisibilityCSS: true }) && node.closest('.hidden, .xterm') === null;
        const nameOf = (node: Element): string =>
          `${node.tagName} ${node.getAttribute('aria-label') ?? node.textContent.trim().slice(0, 40)}`;
        const { scrollWidth, clientWidth } = document.documentElement;
        const all = scrollWidth > clientWidth ? [`the page is ${String(scrollWidth)} px wide`] : [];
        for (const node of root.querySelectorAll('button, a.btn, summary, select, input, [role=tab]')) {
          if (!isSeen(node)) continue;
          node.scrollIntoView({ block: 'center', inline: 'nearest' });
          const { left, right, top, bottom, width, height } = node.getBoundingClientRect();
          const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
          if (left < 0 || right > clientWidth) all.push(`beyond the edge: ${nameOf(node)}`);
          if (at === null || !(node.contains(at) || at.contains(node))) all.push(`covered: ${nameOf(node)}`);
          const least = node.matches('.btn, main summary, [role=dialog] summary') ? 44 : 24;
          if (height < least || width < 24) all.push(`${String(width)} x ${String(height)}: ${nameOf(node)}`);
        }
        for (const node of root.querySelectorAll('.facts *, .ended *, .side *, [role=dialog] *'))
          if (isSeen(node) && node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX === 'hidden')
            all.push(`cut: ${nameOf(node)}`);
        return all;
      });
      found.push(...flaws.map((flaw) => `${where}, ${String(width)} px: ${flaw}`));
    }
    return found;
  };
  const wordsOfBar = (): Promise<string> => phone.page.getByRole('region', { name: 'Session facts' }).innerText();

  test('bar, end, left sessions and certificate: within the screen, whole, and large enough for a finger', async () => {
    const { page } = phone;
    const found: string[] = [];
    await openThere(await add('not-seen-before', lab, ntlm, {}));
    const dialog = page.getByRole('dialog', { name: /is this its certificate/ });
    await dialog.getByLabel(/^Paste the SHA-256/).fill('00:11');
    found.push(...(await flawsOf('certificate')));
    await dialog.getByRole('button', { name: 'Do not connect' }).tap();
    await page.getByRole('heading', { name: 'not-seen-before could not be opened' }).waitFor();
    found.push(...(await flawsOf('refused')));

    const plain = await labs.start({ tls: null, acceptor: ntlmAcceptor(LAB_USER.user, LAB_USER.password) });
    await openThere(await add(LONG, plain, ntlm, { tls: false }));
    await page.getByText('ntlm_not_trusted').waitFor();
    found.push(...(await flawsOf('what to do')));
    const target = await add(`${LONG}.`, plain, ntlm, { tls: false, isTrustedForNtlm: true });
    await openThere(target);
    await phone.seen(PS_PROMPT);
    found.push(...(await flawsOf('bar')));
    expect(await wordsOfBar()).toContain('HTTP, NTLM sealed (RC4)');
    expect(await wordsOfBar()).toContain('weakened: NTLM, which does not prove who the target is');

    await page.getByRole('button', { name: 'Commands' }).tap();
    await page.getByRole('dialog').getByText('Leave running').tap();
    await page.getByRole('heading', { name: /^The session goes on at/ }).waitFor();
    found.push(...(await flawsOf('left')));
    await page.goto(`${gateway.url}/targets/${target.id}`);
    await page.getByRole('button', { name: 'Look there' }).tap();
    await page.getByRole('button', { name: 'Pick up' }).waitFor();
    found.push(...(await flawsOf('sessions left')));
    await page.getByRole('button', { name: 'Pick up' }).tap();
    await phone.seen(PS_PROMPT);
    await page.getByRole('textbox', { name: /^Line at/ }).fill('exit');
    await page.getByRole('button', { name: 'Run', exact: true }).tap();
    await page.getByRole('heading', { name: 'The session has ended' }).waitFor();
    found.push(...(await flawsOf('ended')));

    plain.refusals.set('Create', 5);
    await openThere(target);
    await page.getByRole('heading', { name: 'What this means' }).waitFor();
    const told = page.getByRole('region', { name: /could not be opened$/ });
    expect(await told.locator('.voice').allInnerTexts()).toEqual(['lab says 5 (5, 0x00000005)']);
    expect(await told.innerText()).toMatch(/What this means\s+Access denied[^]+ said\s+lab says 5 /);
    found.push(...(await flawsOf('explained')));
    expect(found).toEqual([]);
    expect(phone.faults).toEqual([]);
  });

  test('what was refused before the page was there could not be opened; it was not ended', async () => {
    const target = await add('late', lab, ntlm, { trust: { ...WsManSettings.parse({}).trust, skipCaCheck: true } });
    const gone = await ConsolePage.open(ann, openBody(target.id, 'powershell'));
    expect((await gone.untilMessage('ended')).reason).toBe('ntlm_not_trusted');
    await phone.page.goto(`${gateway.url}/console/${gone.sessionId}`);
    await phone.page.getByRole('heading', { name: 'late could not be opened' }).waitFor();
  });

  test('a window that grows from a phone to a desk, and back, keeps the keyboard at the prompt', async () => {
    const { page } = tab;
    await open(await add('grows', lab, ntlm, { trust: WsManSettings.parse({ trust: { pin } }).trust }));
    await tab.seen(PS_PROMPT);
    await page.setViewportSize({ width: 390, height: 844 });
    await page.locator('form input:focus').waitFor();
    expect(await bar()).toContain('HTTPS, NTLM');
    await tab.line('"narrow"');
    await tab.seen(/^narrow$/m);
    await page.setViewportSize({ width: 1400, height: 1200 });
    await page.locator('textarea:focus').waitFor({ state: 'attached' });
    await tab.line('"wide"');
    await tab.seen(/^wide$/m);
    await exit();
  });

  test('a long name or address takes lines in the list of targets, not the room of what stands beside it', async () => {
    const { page } = tab;
    const host = `no-such-host.${LONG}`;
    const target = await ann.post<Target>('/api/targets', winRmBody(lab, { name: host, host }));
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(`${gateway.url}/targets/${target.id}`);
    await page.getByRole('button', { name: 'Open PowerShell' }).waitFor();
    const [table, side] = [await page.locator('.list table').boundingBox(), await page.locator('.side').boundingBox()];
    expect((table?.x ?? 0) + (table?.width ?? 0)).toBeLessThanOrEqual(side?.x ?? 0);
    await page.setViewportSize({ width: 1400, height: 1200 });
  });
});

describe('a session that is left', () => {
  const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  /** Shown on lines of their own. */
  const numbers = async (): Promise<number[]> => ((await tab.screen()).match(/^\d+$/gm) ?? []).map(Number);
  /** Runs a line that shows two runs of numbers, and waits between them for the file. */
  const runs = async (from: number, half: number, to: number): Promise<{ goOn: () => void }> => {
    const go = path.join(dataDir, `go-${String(from)}`);
    await tab.line(`1..${String(half)}; while (!(Test-Path ${go})) { }; ${String(half + 1)}..${String(to)}`);
    await tab.seen(new RegExp(`^${String(half)}$`, 'm'));
    return { goOn: () => writeFileSync(go, '') };
  };

  test('is left in the middle of a line, found at its machine, picked up, and shows every number once', async () => {
    const { page } = tab;
    const { trust } = WsManSettings.parse({ trust: { pin } });
    const target = await add('win01', lab, ntlm, { trust });
    await open(target);
    await tab.seen(PS_PROMPT);
    const { goOn } = await runs(1, 5, 10);
    await page.keyboard.press('Control+k');
    await page.getByRole('dialog').getByText('Leave running').click();
    await page.getByRole('heading', { name: 'The session goes on at win01' }).waitFor();
    expect(await bar()).toContain('Left, goes on there');
    goOn();
    await page.goto(`${gateway.url}/sessions`);
    await page.getByRole('row', { name: /^left ann win01 .* WinRM, PowerShell / }).waitFor();
    await page.goto(`${gateway.url}/targets/${target.id}`);
    await page.getByRole('button', { name: 'Look there' }).click();
    await page.getByText('your session here, left, something runs').waitFor();
    expect(await violationsInBothThemes(tab, 'left sessions')).toEqual([]);
    await page.getByRole('button', { name: 'Pick up' }).click();
    await tab.seen(/^10\n(.*\n)*.*PS [^>]*> ?$/m);
    expect(await numbers()).toEqual(range(1, 10));
    expect(faults()).toEqual([]);
  });

  test('comes back by itself when its gateway is killed under a running line and started again', async () => {
    const { goOn } = await runs(2, 15, 20);
    await gateway.kill();
    await tab.page.getByText('The connection is lost.').waitFor();
    gateway = await start();
    goOn();
    await tab.seen(/^20\n(.*\n)*.*PS [^>]*> ?$/m);
    expect((await numbers()).slice(-20)).toEqual(range(1, 20));
    await tab.line('"still here"');
    await tab.seen(/^still here$/m);
    await exit();
  });
});
