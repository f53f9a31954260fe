/** The way to a target over WinRM: who is trusted, what is sent before that, and what happens when it breaks. */
import type { Socket } from 'node:net';
import { explainFault } from '@sallyport/wsman';
import { describe, expect, it } from 'vitest';
import type { WsManPort } from '../../server/src/transports/wsman/contract.ts';
import { type Clock, systemClock } from '../../server/src/clock.ts';
import { Secret } from '../../server/src/secret.ts';
import { SallyportError } from '../../server/src/errors.ts';
import { poolContract } from '../contracts/pool.ts';
import { FakeClock } from '../contracts/fake-clock.ts';
import { startWireTap } from '../lab/wire-tap.ts';
import { basicAcceptor, digestAcceptor, ntlmAcceptor } from '../lab/wsman/acceptors.ts';
import { connectWsMan, labCertificate, LAB_USER } from '../lab/wsman/console.ts';
import { FAULTS, type LabWsMan, type LabWsManOptions } from '../lab/wsman/server.ts';
import { codeOf, settings, standInForEachTest } from '../lab/wsman/stand-in.ts';

let lab: LabWsMan;
const { tls, start, restart, open, openCode } = standInForEachTest((started) => (lab = started));

/** A person who takes no certificate; keeps what was wrong with it. */
function nobody(): { problems: (string | null)[]; port: Partial<WsManPort> } {
  const problems: (string | null)[] = [];
  return {
    problems,
    port: {
      checkCertificate: (_presented, problem) => {
        problems.push(problem);
        if (problem === null) return Promise.resolve('verified');
        return Promise.reject(new SallyportError('tls_certificate_untrusted', problem));
      },
    },
  };
}

poolContract('WinRM', () =>
  Promise.resolve({
    async connect() {
      const connection = await connectWsMan(lab);
      const told = { shellCreated: () => undefined, retrying: () => undefined };
      return { openPool: connection.openPool(told), close: () => connection.close() };
    },
    connectAborted: () => connectWsMan(lab, { signal: AbortSignal.abort() }),
    stop: () => Promise.resolve(),
  }),
);

describe('the certificate of the target', () => {
  it('is good by itself with the CA of the target, and asked about without', async () => {
    const { problems, port } = nobody();
    expect(await openCode({ port, ...settings({ trust: { ca: tls.cert } }) })).toBe('opened');
    expect(await openCode({ port })).toBe('tls_certificate_untrusted');
    expect(problems).toEqual([null, 'it is self-signed']);
    expect(await openCode({ port, host: 'web01.example' })).toBe('tls_certificate_untrusted');
    expect(problems[2]).toBe('it is self-signed; it is not for the name web01.example');
    // What was opened has made four requests; the others have sent nothing at all.
    expect(lab.names().filter((name) => name === 'Create')).toHaveLength(1);
  });

  it('is the one that is pinned, or nothing is sent', async () => {
    let shown = '';
    const port: Partial<WsManPort> = {
      checkCertificate: ({ fingerprint, chain }) => {
        shown = fingerprint;
        expect(chain).toMatchObject([{ subject: 'CN=localhost', issuer: 'CN=localhost' }]);
        return Promise.resolve('pinned');
      },
    };
    expect(await openCode({ port })).toBe('opened');
    const refuse = nobody();
    expect(await openCode({ port: refuse.port, ...settings({ trust: { pin: shown } }) })).toBe('opened');
    const before = lab.requests.length;
    expect(await openCode({ port: refuse.port, ...settings({ trust: { pin: 'ab'.repeat(32) } }) })).toBe(
      'tls_certificate_changed',
    );
    expect(refuse.problems).toEqual([]);
    expect(lab.requests).toHaveLength(before);
  });

  it('may not be skipped for Basic and Digest', async () => {
    for (const method of ['basic', 'digest'])
      for (const trust of [{ skipCaCheck: true }, { skipCaCheck: true, skipCnCheck: true }])
        expect(await openCode({ ...nobody(), ...settings({ method, trust }) })).toBe('wsman_clear_refused');
    expect(lab.requests).toEqual([]);
    // Nor are they taken for sealed where everything is to be.
    const signed: string[] = [];
    lab.intercept = ({ headers }) => signed.push(headers.authorization ?? '') < 0;
    expect(await openCode(settings({ alwaysSeal: true }))).toBe('wsman_clear_refused');
    expect(signed).toEqual(['']);
  });

  it('must stay the same for all connections of a session', async () => {
    const person = await open({ port: { checkCertificate: () => Promise.resolve('pinned') } });
    await person.run('1+1');
    const { port } = lab;
    // With a command under way it would be that which is lost.
    const count = (wanted: string): number => lab.names().filter((name) => name === wanted).length;
    await lab.until(() => count('Signal') === count('Command') && lab.busy === 0);
    await lab.stop();
    const { cert, key } = labCertificate();
    lab = await start({ port, tls: { cert, key } });
    await person.until(() => person.end !== null);
    expect(person.end?.reason).toBe('tls_certificate_changed');
    expect(lab.requests).toEqual([]);
  });
});

describe('signing in', () => {
  it('sends no byte over plain HTTP for Basic and Digest', async () => {
    const wire = await startWireTap(null);
    for (const method of ['basic', 'digest'])
      expect(await codeOf(connectWsMan(wire, settings({ method, tls: false })))).toBe('wsman_clear_refused');
    expect(wire.sent().length).toBe(0);
    await wire.stop();
  });

  it('hands no password over with CredSSP unless that is allowed and said', async () => {
    const asked: string[] = [];
    const port = {
      confirmDelegation: () => Promise.resolve(asked.push('delegation') < 0),
      askSecret: () => Promise.resolve(asked.push('password') < 0 ? null : new Secret('x')),
    };
    const identity = { kind: 'ask', user: 'ann' } as const;
    const method = 'credssp';
    expect(await openCode({ identity, port, ...settings({ method }) })).toBe('credssp_not_allowed');
    expect(asked).toEqual([]);
    expect(await openCode({ identity, port, ...settings({ method, isTrustedForDelegation: true }) })).toBe(
      'credssp_not_allowed',
    );
    expect(asked).toEqual(['delegation']);
    for (const [refused, code] of [
      ['certificate', 'client_certificate_needed'],
      ['negotiate-implicit', 'target_auth_unsupported'],
      ['kerberos', 'kerberos_unavailable'],
    ] as const)
      expect(await openCode(settings({ method: refused }))).toBe(code);
    expect(await openCode({ identity: { kind: 'gateway', user: '' }, ...settings({ method: 'negotiate-implicit' }) })).toBe('implicit_not_allowed'); // prettier-ignore
    expect(lab.requests).toEqual([]);
  });

  it('tries a password once', async () => {
    let tries = 0;
    lab.intercept = (request) => {
      if (request.headers.authorization !== undefined) tries += 1;
      return false;
    };
    const identity = { kind: 'password', user: LAB_USER.user, password: new Secret('wrong') } as const;
    expect(await openCode({ identity })).toBe('target_auth_failed');
    expect(tries).toBe(1);
    expect(await openCode({ identity: { kind: 'ask', user: '' } })).toBe('credential_needed');
    expect(await openCode({ identity: { kind: 'ask', user: 'ann' } })).toBe('cancelled');
    const asked = new Secret(LAB_USER.password);
    const port = { askSecret: () => Promise.resolve(asked) };
    expect(await openCode({ identity: { kind: 'ask', user: LAB_USER.user }, port })).toBe('opened');
  });

  it.each([
    ['basic', true, { method: 'basic' }],
    ['digest', true, { method: 'digest' }],
    ['negotiate', true, { method: 'negotiate' }],
    ['default over plain HTTP', false, { method: 'default', tls: false, isTrustedForNtlm: true }],
    ['credssp', true, { method: 'credssp', isTrustedForDelegation: true }],
  ])('names a way that the target does not offer, and sends it no password: %s', async (_, isTls, more) => {
    const offers = ['Kerberos', 'Basics realm="x"', 'Digests nonce="x"', 'Bearer realm="Basic, Digest, Negotiate, CredSSP"'];
    const acceptor = () => ({ isBound: false, sealing: null, take: () => ({ kind: 'refused', challenges: offers }) as const });
    await restart({ acceptor, ...(isTls ? {} : { tls: null }) });
    const heard: string[] = [];
    lab.intercept = ({ headers }, _response, body) => {
      heard.push(headers.authorization ?? '', Buffer.from(body).toString());
      return false;
    };
    const port = { confirmDelegation: () => Promise.resolve(true) };
    expect(await openCode({ port, ...settings(more) })).toBe('wsman_method_disabled');
    // A first token of NTLM or TLS has nothing of the user in it.
    const password = Buffer.from(LAB_USER.password).toString('base64').slice(0, -4);
    expect(heard.filter((text) => /^(?:Basic|Digest) /.test(text) || text.includes(password))).toEqual([]);
    expect(heard.length).toBeGreaterThan(0);
  }); // prettier-ignore

  it('with Digest answers fresh nonces by the way, and a wrong password not twice', async () => {
    await restart({ acceptor: digestAcceptor(LAB_USER.user, LAB_USER.password) });
    const person = await open(settings({ method: 'digest' }));
    for (let i = 0; i < 4; i++) expect(await person.run('1+1')).toBe('2\r\n');
    const identity = { kind: 'password', user: LAB_USER.user, password: new Secret('wrong') } as const;
    expect(await openCode({ identity, ...settings({ method: 'digest' }) })).toBe('target_auth_failed');
    // Whoever is there has not got the password, or has changed the answer.
    lab.intercept = (_request, response) => {
      response.setHeader('Authentication-Info', `rspauth="${'0'.repeat(64)}"`);
      return false;
    };
    expect(await openCode(settings({ method: 'digest' }))).toBe('wsman_server_unproven');
    await restart({ acceptor: basicAcceptor(LAB_USER.user, LAB_USER.password) });
    expect(await openCode(settings({ method: 'digest' }))).toBe('wsman_method_disabled');
  });
});

describe('what answers', () => {
  it.each<[string, string, LabWsMan['intercept']]>([
    ['no WinRM', 'wsman_not_winrm', (_, response) => Boolean(response.writeHead(404).end())],
    ['nobody: it hangs up at once, as a port of TLS does', 'wsman_not_winrm', (request) => Boolean(request.socket.destroy())],
    ['a page', 'wsman_malformed', (_, response) => Boolean(response.writeHead(200, { 'Content-Type': 'text/html' }).end('<p>'))],
    ['compressed', 'wsman_encoding_refused', (_, response) => Boolean(response.writeHead(200, { 'Content-Encoding': 'gzip' }).end('x'))],
    ['too large', 'wsman_too_large', (_, response) => Boolean(response.writeHead(200).end(Buffer.alloc(2_200_000)))],
    ['a redirection', 'wsman_redirect_refused', (_, response) => Boolean(response.writeHead(302, { Location: 'https://elsewhere/' }).end())],
    ['no right', 'wsman_access_denied', (_, response) => Boolean(response.writeHead(403).end())],
    ['no HTTP', 'wsman_not_winrm', (request) => Boolean(request.socket.end('SSH-2.0-x\r\n'))],
    ['another protocol', 'wsman_not_winrm', (_, response) => Boolean(response.writeHead(101, { Upgrade: 'x', Connection: 'Upgrade' }).end())],
    ['a head without end', 'wsman_too_large', (_, response) => Boolean(response.writeHead(200, { X: 'x'.repeat(40_000) }).end())],
  ])('is named: %s', async (_, code, intercept) => {
    lab.intercept = intercept;
    expect(await openCode()).toBe(code);
  }); // prettier-ignore

  it.each([
    ['quota', 2150859173, 'target_quota'],
    ['endpoint', 2150858811, 'wsman_endpoint_missing'],
    ['access', 5, 'wsman_access_denied'],
    ['another number', 2152992672, 'wsman_fault'],
  ])('with a fault is told with the words of the target: %s', async (_, number, code) => {
    lab.refusals.set('Create', number);
    const error: unknown = await open().catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code, peerText: expect.stringMatching(`^lab says ${String(number)}`) as string });
    expect(error).toMatchObject({ explanation: explainFault(number).text });
  });

  it('may be nothing: the clocks run, and stand still while a person is asked', async () => {
    const wire = await startWireTap(null);
    const timeouts = { tcpMs: 5000, handshakeMs: 300, loginMs: 5000 };
    expect(await codeOf(connectWsMan(wire, { timeouts }))).toBe('target_timeout');
    const gone = new AbortController();
    const attempt = codeOf(connectWsMan(wire, { signal: gone.signal }));
    await wire.connected();
    gone.abort();
    expect(await attempt).toBe('cancelled');
    await wire.stop();
    expect(await codeOf(connectWsMan(wire))).toBe('target_unreachable');
    const clock = new FakeClock();
    const thinks = (ms: number): Partial<WsManPort> => ({
      checkCertificate: () => {
        clock.advance(ms);
        return Promise.resolve('pinned');
      },
      step: (name) => (name === 'connecting' ? clock.advance(ms - 700) : undefined),
    });
    const limits = { clock, timeouts: { tcpMs: 5000, handshakeMs: 5000, loginMs: 600 } };
    expect(await openCode({ port: thinks(700), ...limits })).toBe('opened');
    // The same time while nobody is asked is too long.
    expect(await openCode({ port: thinks(1400), ...limits })).toBe('target_timeout');
  });
});

describe('a session', () => {
  it('asks again when a poll timed out, and keeps few connections', async () => {
    await restart({ operationTimeoutMs: 100 });
    const person = await open();
    const polls = (): number => lab.names().filter((name) => name === 'Receive').length;
    const before = polls();
    await lab.until(() => polls() > before + 4);
    expect(await person.run('1+1')).toBe('2\r\n');
    expect(person.notices).toEqual([]);
    expect(lab.openConnections).toBeLessThanOrEqual(4);
  });

  it('asks a target that never holds a poll ever more slowly, and at once again when there is something', async () => {
    const pauses: number[] = [];
    let told: () => void = () => undefined;
    const clock: Clock = {
      ...systemClock,
      // No answer is late here, however busy the machine is.
      monotonic: () => 0,
      after: (ms, call) => {
        if (lab.intercept !== storm || ![25, 50, 100, 200, 400, 800].includes(ms)) return systemClock.after(ms, call);
        pauses.push(ms);
        setImmediate(call);
        if (ms === 800) told();
        return () => undefined;
      },
    };
    const storm = (): boolean => {
      lab.refusals.set('Receive', FAULTS.timedOut);
      return false;
    };
    await restart({ operationTimeoutMs: 300 });
    const person = await open({ clock });
    const slow = new Promise<void>((resolve) => (told = resolve));
    lab.intercept = storm;
    await slow;
    expect(pauses).toEqual([25, 50, 100, 200, 400, 800]);
    lab.intercept = () => false;
    lab.refusals.clear();
    expect(await person.run('1+1')).toBe('2\r\n');
  });

  it('has a connection for each poll, and one for all that goes out, which no Signal needs while a line runs', async () => {
    const person = await open();
    // What is found out about the endpoint runs beside the first line.
    await person.run('1+1');
    const count = (wanted: string): number => lab.names().filter((name) => name === wanted).length;
    const rests = (): Promise<void> => lab.until(() => count('Signal') === count('Command') && lab.busy === 0);
    await rests();
    expect(lab.polls).toBe(1);
    const used = new Set<Socket>();
    lab.intercept = ({ socket }) => {
      used.add(socket);
      return false;
    };
    for (let i = 0; i < 5; i++) {
      lab.requests.length = 0;
      expect(await person.run('1+1')).toBe('2\r\n');
      await rests();
      // The line, then its prompt.
      const sent = lab.names().filter((name) => name !== 'Receive');
      expect(sent).toEqual(['Command', 'Command', 'Signal', 'Signal']);
    }
    const running = person.run('Start-Sleep 600');
    await lab.until(() => lab.polls === 2 && lab.busy === 0);
    person.terminal?.stop();
    await running;
    // Beside the one that the poll of the shell has held all the time.
    expect(used.size).toBe(2);
  });

  it.each([
    ['of any size, from a current target', 512_000, 512_000],
    ['of 150 KiB, where a target is set to that', 153_600, 153_600],
  ])('asks for output %s', async (_, maxEnvelopeBytes, asked) => {
    await restart({ maxEnvelopeBytes });
    const person = await open();
    expect((await person.run('1..300')).match(/\d+/g)).toHaveLength(300);
    const sizes = (wanted: string) =>
      lab.requests.filter(({ name }) => name === wanted).map(({ header }) => header.maxEnvelopeBytes);
    // What is refused is asked for again; nothing else announces more than every target makes.
    expect(sizes('Receive').slice(0, 2)).toContain(512_000);
    expect(sizes('Receive').at(-1)).toBe(asked);
    expect(new Set(sizes('Command'))).toEqual(new Set([153_600]));
    expect(person.notices).toEqual([]);
  });

  it.each(['before', 'within'] as const)('gets output once when a poll is cut %s its answer', async (when) => {
    const person = await open();
    let cuts = 2;
    lab.cut = (name) => (name === 'Receive' && cuts-- > 0 ? when : null);
    const text = await person.run('1..300');
    expect(text.split('\r\n').slice(0, -1).map(Number)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
    expect(person.notices).toContain('retrying');
  });

  it('never sends a command again whose fate is not known', async () => {
    const person = await open();
    lab.cut = (name) => (name === 'Command' ? 'before' : null);
    const commands = (): number => lab.names().filter((name) => name === 'Command').length;
    const before = commands();
    person.submit('1+1');
    await person.until(() => person.end !== null);
    // It may run there or not: whoever picks the session up sees.
    // Nobody there said so: the words are ours.
    const explanation = expect.stringContaining('The session goes on there') as string;
    expect(person.end).toMatchObject({ reason: 'session_left', detail: '', explanation });
    expect(commands()).toBe(before + 1);
    expect(person.ends).toEqual([]);
    expect(person.left?.pipelineId).toBe(person.started[0]?.pipelineId);
  });

  it('says it when the target refuses a command, and goes on', async () => {
    const person = await open();
    // Whatever is found out about the endpoint by the way is over then.
    await person.run('1+1');
    await person.run('1+1');
    lab.refusals.set('Command', 2150859174);
    expect(await person.run('1+1')).toContain('lab says 2150859174');
    expect(await person.run('1+1')).toBe('2\r\n');
    expect(person.ends.map(({ state }) => state)).toEqual(['completed', 'completed', 'failed', 'completed']);
  });

  it('answers a host call while its poll is held, and stops what runs', async () => {
    const person = await open();
    person.answers = [{ kind: 'text', text: 'Ann' }];
    expect(await person.run('Read-Host name')).toBe('name: Ann\r\nAnn\r\n');
    const running = person.run('Start-Sleep 600');
    await lab.until(() => lab.names().at(-1) === 'Receive');
    person.terminal?.stop();
    expect(await running).toContain('^C');
    expect(person.ends.at(-1)?.state).toBe('stopped');
  });

  it('asks for no output while it is paused, and takes all of it after', async () => {
    const person = await open();
    await person.run('1+1');
    const sessionId = lab.requests[0]?.header.sessionId;
    const count = (wanted: string): number =>
      lab.requests.filter(({ name, header }) => name === wanted && header.sessionId === sessionId).length;
    await lab.until(() => count('Signal') === count('Command') && lab.busy === 0);
    const before = { polls: count('Receive'), commands: count('Command') };
    person.terminal?.pause();
    const shown = person.run('1..3000');
    await lab.until(() => count('Command') > before.commands && lab.busy === 0);
    // Whatever was asked for has come when another session was opened and ended meanwhile.
    expect(await openCode()).toBe('opened');
    expect(count('Receive')).toBe(before.polls);
    expect(person.text).not.toContain('\r\n1\r\n');
    person.terminal?.resume();
    expect((await shown).match(/\d+/g)).toHaveLength(3000);
  });

  it('ends with Delete and leaves no shell and no connection', async () => {
    const person = await open();
    await person.terminal?.close('closed_by_user', 60_000);
    expect(person.end).toMatchObject({ reason: 'closed_by_user' });
    expect(lab.names().at(-1)).toBe('Delete');
    expect(lab.shells.size).toBe(0);
    await lab.untilQuiet();
    expect(lab.openConnections).toBe(0);
  });

  it('ends when the shell is gone at the target', async () => {
    const person = await open();
    for (const shell of lab.shells.values()) shell.kill();
    await person.until(() => person.end !== null);
    expect(person.end?.reason).toBe('target_shell_gone');
  });

  it('asks for what the target says: endpoint, languages, idle time', async () => {
    await restart({ configurationName: 'Jea', path: 'x/y' });
    await open(
      settings({ configurationName: 'Jea', applicationName: 'x/y', locale: 'de-DE', operationTimeoutMs: 20_000 }),
    );
    expect(lab.requests[0]?.header).toMatchObject({
      resourceUri: 'http://schemas.microsoft.com/powershell/Jea',
      to: `https://localhost:${String(lab.port)}/x/y`,
      locale: 'de-DE',
      dataLocale: 'en-US',
      operationTimeoutMs: 20_000,
    });
    expect(new Set(lab.requests.map(({ header }) => header.sessionId)).size).toBe(1);
  });
});

describe('an address of IPv6', () => {
  it('stands in brackets where it is part of a URL, and bare in the certificate; TLS is told no name', async () => {
    await restart({ listen: '::1' });
    const heard = new Set<string>();
    lab.intercept = ({ headers, socket }) => {
      heard.add(`${String(headers.host)} ${String('servername' in socket && socket.servername)}`);
      return false;
    };
    const { problems, port } = nobody();
    const there = { host: '::1', ip: '::1', port, ...settings({ trust: { ca: tls.cert } }) };
    expect(await (await open(there)).run('1+1')).toBe('2\r\n');
    const place = `[::1]:${String(lab.port)}`;
    expect([...heard]).toEqual([`${place} false`]);
    expect(new Set(lab.requests.map(({ header }) => header.to))).toEqual(new Set([`https://${place}/wsman`]));
    // The certificate has this address and no other.
    expect(await openCode({ ...there, host: 'fd00::2' })).toBe('tls_certificate_untrusted');
    expect(problems).toEqual([null, 'it is not for the name fd00::2']);
  });

  it('gets NTLM over plain HTTP only where the target is trusted for it', async () => {
    const acceptor = ntlmAcceptor(LAB_USER.user, LAB_USER.password);
    await restart({ listen: '::1', acceptor, tls: null });
    const over = (more: Record<string, unknown>) =>
      openCode({ host: '::1', ip: '::1', ...settings({ method: 'default', tls: false, ...more }) });
    expect(await over({})).toBe('ntlm_not_trusted');
    expect(lab.connections).toBe(1);
    expect(lab.requests).toEqual([]);
    expect(await over({ isTrustedForNtlm: true })).toBe('opened');
  });
});

describe('a target that sends elsewhere', () => {
  const granted = settings({ redirects: true });
  const sendTo = (location: () => string): void => {
    lab.intercept = (_, response) => Boolean(response.writeHead(301, { Location: location() }).end());
  };
  const asked: [string, boolean][] = [];
  const port: Partial<WsManPort> = {
    redirected: (to, isElsewhere) => {
      asked.push([`${to.host}:${String(to.port)}/${to.applicationName}${to.query}`, isElsewhere]);
      return Promise.resolve({ host: to.host, port: to.port, resolve: () => Promise.resolve('127.0.0.1') });
    },
  };

  it('is followed where that is granted, with a credential of its own connection', async () => {
    asked.length = 0;
    const first = lab;
    const second = await start({ path: 'there' });
    const paths = new Set<string | undefined>();
    second.intercept = ({ url }) => {
      paths.add(url);
      return false;
    };
    sendTo(() => `https://localhost:${String(second.port)}/there?PSVersion=5.1`);
    const person = await open({ ...granted, port });
    expect(await person.run('1+1')).toBe('2\r\n');
    expect([...paths]).toEqual(['/there?PSVersion=5.1']);
    sendTo(() => `https://127.0.0.1:${String(second.port)}/there`);
    await open({ ...granted, port });
    const there = `:${String(second.port)}/there`;
    expect(asked).toEqual([[`localhost${there}?PSVersion=5.1`, false], [`127.0.0.1${there}`, true]]); // prettier-ignore
    const [to] = new Set(second.requests.map(({ header }) => header.to));
    expect(to).toBe(`https://localhost${there}?PSVersion=5.1`);
    expect(first.requests).toEqual([]);
  });

  it.each([
    ['in a circle', 5, () => `https://localhost:${String(lab.port)}/wsman`],
    ['to plain HTTP', 0, () => 'http://localhost:5985/wsman'],
    ['with a user', 0, () => 'https://ann:pw@localhost/wsman'],
    ['nowhere', 0, () => 'mailto:x'],
  ])('is refused when it sends %s, after %i places', async (_, followed, location) => {
    asked.length = 0;
    sendTo(location);
    expect(await openCode({ ...granted, port })).toBe('wsman_redirect_refused');
    expect(asked).toHaveLength(followed);
  });
});

describe('NTLM', () => {
  const over = (more: Record<string, unknown>) => settings({ method: 'negotiate', ...more });
  const plain = { tls: false, isTrustedForNtlm: true };
  const heard: string[] = [];
  const startNtlm = async (options: Partial<LabWsManOptions>): Promise<void> => {
    await restart({ acceptor: ntlmAcceptor(LAB_USER.user, LAB_USER.password), ...options });
    heard.length = 0;
    lab.intercept = (_request, _response, body) => {
      heard.push(Buffer.from(body).toString('latin1'));
      return false;
    };
  };

  it('carries a whole session over plain HTTP, sealed, where the target is trusted for it', async () => {
    await startNtlm({ tls: null });
    const connection = await connectWsMan(lab, over(plain));
    expect(connection.protection).toBe('HTTP, NTLM sealed (RC4)');
    expect(connection.weakened).toEqual(['NTLM, which does not prove who the target is']);
    await connection.close();
    const person = await open(over(plain));
    person.answers = [{ kind: 'text', text: 'Ann' }];
    expect(await person.run('Read-Host name')).toBe('name: Ann\r\nAnn\r\n');
    expect((await person.run('1..3000')).match(/\d+/g)).toHaveLength(3000);
    expect(heard.some((body) => body.startsWith('--Encrypted Boundary'))).toBe(true);
    expect(heard.filter((body) => /Envelope|canary/.test(body))).toEqual([]);
    expect(await openCode({ ...over(plain), host: '127.0.0.1' })).toBe('opened');
  });

  it('sends nothing where nothing proves the target', async () => {
    const wire = await startWireTap(null);
    for (const method of ['default', 'negotiate'])
      expect(await codeOf(connectWsMan(wire, over({ method, tls: false })))).toBe('ntlm_not_trusted');
    expect(wire.sent().length).toBe(0);
    await wire.stop();
    await startNtlm({});
    expect(await openCode(over({ trust: { skipCaCheck: true } }))).toBe('ntlm_not_trusted');
    expect(heard).toEqual([]);
  });

  it('over HTTPS goes as it is, or sealed too; a wrong password is tried once', async () => {
    await startNtlm({});
    const connection = await connectWsMan(lab, over({}));
    expect(connection.protection).toBe('HTTPS, NTLM');
    await connection.close();
    expect(await (await open(over({}))).run('1+1')).toBe('2\r\n');
    heard.length = 0;
    expect(await (await open(over({ alwaysSeal: true, partHeaderTab: false }))).run('1+1')).toBe('2\r\n');
    expect(heard.some((body) => body.startsWith('--Encrypted Boundary'))).toBe(true);
    heard.length = 0;
    const identity = { kind: 'password', user: LAB_USER.user, password: new Secret('wrong') } as const;
    expect(await openCode({ identity, ...over({}) })).toBe('target_auth_failed');
    expect(heard.filter((body) => body === '')).toHaveLength(2);
  });

  it('leaves out the tab before the headers of a part where the target closes on it, as its settings say', async () => {
    await startNtlm({ tls: null, refusesTab: true });
    const headers = (): string[] => heard.flatMap((body) => /\r\n\t?Content-Type: /.exec(body)?.[0] ?? []);
    expect(await openCode(over(plain))).toBe('target_lost');
    expect(new Set(headers())).toEqual(new Set(['\r\n\tContent-Type: ']));
    expect(lab.requests).toEqual([]);
    heard.length = 0;
    const person = await open(over({ ...plain, partHeaderTab: false }));
    expect(await person.run('1+1')).toBe('2\r\n');
    expect(new Set(headers())).toEqual(new Set(['\r\nContent-Type: ']));
  });

  it('is signed in anew where the target has forgotten a connection, once and for this request only', async () => {
    await startNtlm({});
    const person = await open(over({}));
    // All connections that are there now.
    const signedIn = new WeakSet<Socket>();
    let forgotten = 0;
    lab.intercept = (request, response, body) => {
      if (body.length === 0) signedIn.add(request.socket);
      if (signedIn.has(request.socket)) return false;
      forgotten += 1;
      response.writeHead(401, { 'WWW-Authenticate': 'Negotiate' }).end();
      return true;
    };
    expect(await person.run('1+1')).toBe('2\r\n');
    expect(forgotten).toBeGreaterThan(0);
    lab.intercept = (request, response, body) => body.length > 0 && Boolean(response.writeHead(401).end());
    person.submit('1+1');
    await person.until(() => person.end !== null);
    expect(person.end?.reason).toBe('target_auth_failed');
  });

  it('sends no command twice because somebody on the way says in clear that nobody is signed in', async () => {
    await startNtlm({ tls: null });
    const person = await open(over(plain));
    await person.run('1+1');
    const count = (wanted: string): number => lab.names().filter((name) => name === wanted).length;
    await lab.until(() => count('Signal') === count('Command') && lab.busy === 0);
    let heard = 0;
    lab.intercept = (_request, response, body) => {
      if (body.length === 0) return false;
      heard += 1;
      return Boolean(response.writeHead(401, { 'WWW-Authenticate': 'Negotiate' }).end());
    };
    person.submit('1+1');
    await person.until(() => person.end !== null);
    // It may run there, if the request was passed on beside the answer.
    expect(person.end?.reason).toBe('session_left');
    expect(heard).toBe(1);
  });

  it.each([
    [503, 2150859026],
    [413, 2150858790],
  ])('takes a clear answer for what its status says where a server cannot seal: %i', async (status, number) => {
    await startNtlm({ tls: null });
    lab.intercept = (_request, response, body) =>
      body.length > 0 && Boolean(response.writeHead(status).end('<forged/>'));
    const error: unknown = await open(over(plain)).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ peerText: expect.stringContaining(String(number)) as string });
    expect(error).toMatchObject({ peerText: expect.not.stringContaining('forged') as string });
  });

  it('makes Create again after a clear 503 inside TLS, over a connection whose sealing nobody has counted on', async () => {
    await startNtlm({});
    let refused = 0;
    lab.intercept = (_request, response, body) =>
      body.length > 0 && refused++ === 0 && Boolean(response.writeHead(503).end());
    const clock: Clock = { ...systemClock, after: (ms, call) => systemClock.after(ms === 500 ? 0 : ms, call) };
    const person = await open({ ...over({ alwaysSeal: true }), clock });
    expect(person.notices).toEqual(['retrying']);
    expect(lab.names().filter((name) => name === 'Create')).toHaveLength(1);
    expect(await person.run('1+1')).toBe('2\r\n');
  });

  it.each<[string, LabWsMan['intercept']]>([
    ['a clear answer', (_, response) => Boolean(response.writeHead(200, { 'Content-Type': 'application/soap+xml' }).end('<s/>'))],
    ['a clear fault', (_, response) => Boolean(response.writeHead(500, { 'Content-Type': 'application/soap+xml' }).end('<s/>'))],
    ['an answer of somebody else', (_, response) => Boolean(response.writeHead(200, { 'Content-Type': 'multipart/encrypted;boundary="Encrypted Boundary"' }).end(FORGED))],
  ])('never takes %s for a sealed one', async (_, forge) => {
    await startNtlm({ tls: null });
    const person = await open(over(plain));
    lab.intercept = (request, response, body) => body.length > 0 && forge(request, response, body);
    person.submit('1+1');
    await person.until(() => person.end !== null);
    expect(person.end?.reason).toBe('wsman_seal_broken');
    expect(person.text).not.toContain('<s/>');
  }); // prettier-ignore
});
const FORGED =
  '--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n' +
  '\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=3\r\n--Encrypted Boundary\r\n' +
  '\tContent-Type: application/octet-stream\r\n\x10\0\0\0\x01\0\0\x000123456789ababc--Encrypted Boundary--\r\n';
