import { WsManSettings } from '@sallyport/shared/api/wsman';
import { expect, it } from 'vitest';
import type { NewAuditEvent } from '../audit/contract.ts';
import { SallyportError } from '../errors.ts';
import type { NewQuestion } from '../terminals/contract.ts';
import type { WsManConnection, WsManPort } from '../transports/wsman/contract.ts';
import { readRedirect } from '../transports/wsman/redirect.ts';
import { connectWinRm, noteNotDeleted, type WinRmOpening } from './winrm.ts';

const ACTOR = { userId: 'u', name: 'Ann', address: '', via: 'login' } as const;
const CONNECTION = { protection: 'HTTPS, CredSSP', weakened: [] } as unknown as WsManConnection;

/** Opens a target whose connector does this with its port; a person answers with one of the two choices. */
async function opened(
  connect: (port: WsManPort) => Promise<void>,
  {
    index = 0,
    failing = '',
    more = {},
    resolve = () => Promise.resolve('192.0.2.7'),
  }: {
    readonly index?: number;
    readonly failing?: string;
    readonly more?: object;
    readonly resolve?: () => Promise<string>;
  } = {},
): Promise<{ asked: NewQuestion[]; events: NewAuditEvent[]; result: unknown }> {
  const asked: NewQuestion[] = [];
  const events: NewAuditEvent[] = [];
  const opening = {
    caller: { actor: ACTOR },
    port: {
      sessionId: 's1',
      notice: () => undefined,
      ask: (question: NewQuestion) => {
        asked.push(question);
        return Promise.resolve({ kind: 'choice', indexes: [index] });
      },
    },
    signal: new AbortController().signal,
    deps: {
      audit: {
        append: (event: NewAuditEvent) => {
          if (event.type === failing) return Promise.reject(new SallyportError('audit_unavailable', 'no audit'));
          events.push(event);
          return Promise.resolve();
        },
      },
      winrm: {
        connect: async (_request: unknown, port: WsManPort) => {
          await connect(port);
          return CONNECTION;
        },
      },
    },
  } as unknown as WinRmOpening;
  const endpoint = { host: 'win01', port: 5986, resolve };
  const request = {
    ...{ endpoint, settings: WsManSettings.parse({ method: 'credssp', ...more }), language: '' },
    ...{ identity: { kind: 'ask' as const, user: 'ann' }, timeouts: { tcpMs: 1, handshakeMs: 1, loginMs: 1 } },
  } as const;
  const asks = { askSecret: () => Promise.resolve(null), step: () => undefined };
  const result: unknown = await connectWinRm(
    request,
    '',
    (host, port) => ({ ...endpoint, host, port }),
    asks,
    opening,
  ).catch((error: unknown) => error);
  return { asked, events, result };
}

it('asks before CredSSP hands a password over, with no for the default, and writes the answer down first', async () => {
  for (const [index, outcome] of [[0, 'ok'], [1, 'refused']] as const) {
    let isAllowed: boolean | null = null;
    const { asked, events } = await opened(async (port) => void (isAllowed = await port.confirmDelegation('CORP\\ann')), { index });
    // No single key says yes.
    const choices = [{ label: 'Hand it over', hotKey: null }, { label: 'Do not connect', hotKey: null }];
    expect(asked).toMatchObject([{ kind: 'choice', from: 'gateway', caption: 'Hand the password over to win01?', defaults: [1], choices }]);
    expect(asked[0]).toMatchObject({ facts: [{ name: 'What', value: 'the password of CORP\\ann, readable' }, { name: 'To', value: 'win01:5986' }, {}, {}, {}] });
    expect(isAllowed).toBe(outcome === 'ok');
    expect(events[0]).toMatchObject({ type: 'credential.delegated', subject: 'win01', outcome, actor: { name: 'Ann' }, detail: { user: 'CORP\\ann', session: 's1' } });
  }
}); // prettier-ignore

it('hands nothing over when the answer cannot be written down', async () => {
  let isAllowed: boolean | null = null;
  const confirm = async (port: WsManPort): Promise<void> =>
    void (isAllowed = await port.confirmDelegation('CORP\\ann'));
  expect((await opened(confirm, { failing: 'credential.delegated' })).result).toMatchObject({
    code: 'audit_unavailable',
  });
  expect(isAllowed).toBeNull();
});

it('writes down that the gateway itself signs in, or it does not', async () => {
  const used: string[] = [];
  const use = async (port: WsManPort): Promise<void> => {
    await port.useGateway('sallyport@CORP.EXAMPLE');
    used.push('used');
  };
  const { events } = await opened(use);
  expect(events[0]).toMatchObject({ type: 'gateway.identityUsed', subject: 'win01:5986', outcome: 'ok', actor: { name: 'Ann' }, detail: { account: 'sallyport@CORP.EXAMPLE' } });
  expect((await opened(use, { failing: 'gateway.identityUsed' })).result).toMatchObject({ code: 'audit_unavailable' });
  expect(used).toEqual(['used']);
}); // prettier-ignore

it('writes down who was sent where, hop by hop, and what was said to it', async () => {
  const hop = (host: string) => ({ host, port: 5986, isTls: true, applicationName: 'wsman', query: '' });
  const two = async (port: WsManPort): Promise<void> => {
    await port.redirected(hop('win02'), true);
    await port.redirected(hop('win03'), true);
    await port.useGateway('sallyport@CORP.EXAMPLE');
  };
  const led = await opened(two);
  expect(led.events.map(({ type, subject, outcome, detail }) => [type, subject, outcome, detail?.['to'], detail?.['session']])).toEqual([
    ['winrm.redirected', 'win01:5986', 'ok', 'https://win02:5986/wsman', 's1'],
    ['winrm.redirected', 'win02:5986', 'ok', 'https://win03:5986/wsman', 's1'],
    ['gateway.identityUsed', 'win03:5986', 'ok', undefined, 's1'],
    ['winrm.connected', 'win03:5986', 'ok', undefined, 's1'],
  ]);
  const no = await opened(two, { index: 1 });
  expect(no.result).toMatchObject({ code: 'wsman_redirect_refused' });
  expect(no.events).toMatchObject([{ type: 'winrm.redirected', outcome: 'refused', detail: { to: 'https://win02:5986/wsman' } }]);
  expect((await opened(two, { failing: 'winrm.redirected' })).result).toMatchObject({ code: 'audit_unavailable' });
}); // prettier-ignore

it('writes down that a ticket may be given away before it can be', async () => {
  const seen: number[] = [];
  const look = (): Promise<void> => Promise.resolve(void seen.push(0));
  for (const [method, ticketDelegation, isNoted] of [['kerberos', 'always', true], ['default', 'policy', true], ['negotiate', 'never', false], ['basic', 'always', false]] as const) {
    const { events } = await opened(look, { more: { method, ticketDelegation } });
    expect(events.map(({ type }) => type)).toEqual([...(isNoted ? ['credential.delegated'] : []), 'winrm.connected']);
    if (isNoted) expect(events[0]).toMatchObject({ subject: 'win01', outcome: 'ok', detail: { user: 'ann', ticket: ticketDelegation, session: 's1' } });
  }
  seen.length = 0;
  const unwritten = await opened(look, { more: { method: 'kerberos', ticketDelegation: 'always' }, failing: 'credential.delegated' });
  expect([unwritten.result, seen]).toMatchObject([{ code: 'audit_unavailable' }, []]);
}); // prettier-ignore

it('writes down a shell whose end its target did not confirm: where, which, and of whose session', async () => {
  const events: NewAuditEvent[] = [];
  const noted = (append: (event: NewAuditEvent) => Promise<unknown>): void => {
    const opening = { caller: { actor: ACTOR }, port: { sessionId: 's1' }, deps: { audit: { append } } };
    noteNotDeleted({ host: 'win02', port: 5986 }, opening as unknown as WinRmOpening)('SHELL');
  };
  noted(async (event) => void events.push(event));
  expect(events).toEqual([
    { type: 'winrm.notDeleted', actor: ACTOR, subject: 'win02:5986', outcome: 'failed', detail: { session: 's1', shellId: 'SHELL' } },
  ]);
  // The session is over: an audit log that cannot be written ends nothing more.
  noted(() => Promise.reject(new SallyportError('audit_unavailable', 'no audit')));
  await new Promise(setImmediate);
}); // prettier-ignore

it('asks about a place in letters that nobody can take for others, and about none that it may not go to', async () => {
  const from = { host: 'win01', port: 5986, isTls: true };
  const led = (location: string) => async (port: WsManPort): Promise<void> => {
    await port.redirected(readRedirect(location, from), true);
  };
  const { asked } = await opened(led('https://w\u0456n01/'), { index: 1 });
  expect(asked).toMatchObject([{ caption: 'Sign in at xn--wn01-l9d instead?' }]);
  const resolve = () => Promise.reject(new SallyportError('target_address_refused', 'as the gate says'));
  const refused = await opened(led('https://169.254.169.254/'), { resolve });
  expect([refused.asked, refused.result]).toMatchObject([[], { code: 'target_address_refused' }]);
  expect(refused.events).toMatchObject([{ type: 'winrm.redirected', outcome: 'refused', detail: { to: 'https://169.254.169.254:443/wsman', session: 's1' } }]);
  const unread = await opened((port) => port.redirectRefused('file:///etc/passwd'));
  expect(unread.events[0]).toMatchObject({ type: 'winrm.redirected', subject: 'win01:5986', outcome: 'refused', detail: { to: 'file:///etc/passwd' } });
}); // prettier-ignore
