/**
 * T1 and T2 at the console socket of the built gateway: every message x who says it, and who may open a socket from where.
 * What is expected stands in the tables here; a message without a row fails the test.
 */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Target } from '@sallyport/shared/api/targets';
import { ClientMessage, SUBPROTOCOL } from '@sallyport/shared/wire/control';
import { encodeInput } from '@sallyport/shared/wire/frames';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { MESSAGE_ACTIONS } from '../../server/src/ws/message.ts';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { LAB_PASSWORD, type LabGateway, type Person, startGateway } from '../lab/gateway.ts';
import { acceptHostKey, addLabTarget } from '../lab/journeys.ts';
import { addPeople, tokenOf } from '../lab/people.ts';
import { type RawDoor, ask, doorOf } from '../lab/raw-http.ts';
import { type LabSshd, startSshd } from '../lab/sshd.ts';

let gateway: LabGateway;
let sshd: LabSshd;
let ann: Person;
let bob: Person;
let lab: Target;
let door: RawDoor;
beforeAll(async () => {
  [gateway, sshd] = await Promise.all([startGateway(), startSshd({ subsystem: null })]);
  door = doorOf(gateway.url);
  ann = await gateway.setUp();
  await addPeople(ann, { bob: 'operator', bea: 'operator', aud: 'auditor' });
  bob = await gateway.signIn('bob');
  lab = await addLabTarget(ann, sshd);
  const page = await ConsolePage.open(ann, openBody(lab.id, 'pty'));
  await acceptHostKey(page);
  await page.untilLive();
}, 120_000);
afterAll(async () => {
  await gateway.stop();
  await sshd.stop();
});

const openConsole = async (person: Person): Promise<ConsolePage> => {
  const page = await ConsolePage.open(person, openBody(lab.id, 'pty'));
  await page.untilLive();
  return page;
};

/** Close code and reason; `stays`: the socket goes on. */
type Outcome = readonly [number, string] | 'stays';
const STATE = [1008, 'bad_state'] as const;
interface MessageRow {
  readonly says: () => string | Uint8Array;
  readonly before: Outcome;
  readonly controller: Outcome;
  readonly viewer: Outcome;
}
const json = (message: unknown) => () => JSON.stringify(message);
const size = { cols: 90, rows: 30 };
const MESSAGES: Readonly<Record<string, MessageRow>> = {
  attach: { says: json({ type: 'attach', ticket: 'x', offset: null, takeOver: false, ...size }), before: [4401, 'ticket_invalid'], controller: STATE, viewer: STATE }, // prettier-ignore
  resume: { says: json({ type: 'resume', token: 'x', offset: 0, ...size }), before: [4401, 'resume_invalid'], controller: STATE, viewer: STATE }, // prettier-ignore
  ack: { says: json({ type: 'ack', offset: 0 }), before: STATE, controller: 'stays', viewer: 'stays' },
  ping: { says: json({ type: 'ping', t: 7 }), before: 'stays', controller: 'stays', viewer: 'stays' },
  detach: { says: json({ type: 'detach' }), before: STATE, controller: [1000, 'closed_by_user'], viewer: [1000, 'closed_by_user'] }, // prettier-ignore
  resize: { says: json({ type: 'resize', ...size }), before: STATE, controller: 'stays', viewer: STATE },
  submit: { says: json({ type: 'submit', lineId: 1, part: 0, last: true, text: 'echo canary' }), before: STATE, controller: 'stays', viewer: STATE }, // prettier-ignore
  stop: { says: json({ type: 'stop' }), before: STATE, controller: 'stays', viewer: STATE },
  // No question is open.
  answer: { says: json({ type: 'answer', id: 1, answer: { kind: 'accept' } }), before: STATE, controller: STATE, viewer: STATE }, // prettier-ignore
  complete: { says: json({ type: 'complete', reqId: 1, text: 'ls', cursor: 2 }), before: STATE, controller: 'stays', viewer: STATE }, // prettier-ignore
  close: { says: json({ type: 'close' }), before: STATE, controller: [4502, 'closed_by_user'], viewer: STATE },
  input: { says: () => encodeInput(Buffer.from('echo canary-$((40+1))\n')), before: STATE, controller: 'stays', viewer: STATE }, // prettier-ignore
};

/** Says it, then pings: the pong shows that the socket took it and stays. */
async function outcomeOf(socket: WebSocket, says: string | Uint8Array): Promise<Outcome> {
  const closed = once(socket, 'close') as Promise<[number, Buffer]>;
  const pong = new Promise<'stays'>((resolve) => {
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (!isBinary && data.toString().includes('"t":4711')) resolve('stays');
    });
  });
  socket.send(says);
  socket.send('{"type":"ping","t":4711}');
  const first = await Promise.race([pong, closed.then(([code, reason]) => [code, reason.toString()] as const)]);
  // What ends a session closes the socket a moment after the pong.
  if (first !== 'stays' || !JSON.stringify(says).includes('close')) return first;
  return closed.then(([code, reason]) => [code, reason.toString()] as const);
}
const untilOpen = async (socket: WebSocket): Promise<WebSocket> => {
  await once(socket, 'open');
  return socket;
};

test('every message has a row', () => {
  const types = ClientMessage.options.map((option) => option.shape.type.value as string);
  expect(Object.keys(MESSAGES).sort()).toEqual([...types, 'input'].sort());
  expect(Object.keys(MESSAGES).sort()).toEqual(Object.keys(MESSAGE_ACTIONS).sort());
});

describe('message x page', () => {
  test.each(Object.entries(MESSAGES))('%s', async (type, row) => {
    const before = await untilOpen(ConsolePage.socket(bob));
    expect(await outcomeOf(before, row.says()), 'before attach').toEqual(row.before);
    before.terminate();

    const controller = await openConsole(bob);
    const viewer = await ConsolePage.attach(bob, controller.sessionId);
    expect([controller.last('attached')?.role, viewer.last('attached')?.role]).toEqual(['controller', 'viewer']);
    expect(await outcomeOf(viewer.socket, row.says()), 'viewer').toEqual(row.viewer);
    // Whatever the watcher said: the session is as it was.
    controller.type('echo "[$(stty size)]" after-$((40+2))\n');
    await controller.untilText('[24 80] after-42');
    expect(controller.text()).not.toContain('canary');
    expect(await outcomeOf(controller.socket, row.says()), 'controller').toEqual(row.controller);
    if (type === 'input') await controller.untilText('canary-41');
    await ann.request('POST', `/api/sessions/${controller.sessionId}/terminate`);
  });
});

describe('a socket', () => {
  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`]; // prettier-ignore
  const open = (lines: readonly string[]) => ask(door, { target: '/api/sessions/socket', lines: [...upgrade, ...lines] }); // prettier-ignore
  const refusal = async (person: Person): Promise<[number | undefined, string]> => {
    const socket = ConsolePage.socket(person);
    socket.on('error', () => undefined);
    const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    const body = Buffer.concat((await answer.toArray()) as Buffer[]).toString();
    return [answer.statusCode, (JSON.parse(body) as { error: { code: string } }).error.code];
  };

  test('is refused before it opens to who may not have one', async () => {
    expect(await refusal(gateway.nobody())).toEqual([401, 'unauthenticated']);
    expect(await refusal(await gateway.signIn('aud'))).toEqual([404, 'not_found']);
    expect(await refusal(await tokenOf(gateway, bob, null))).toEqual([401, 'unauthenticated']);
    const left = await gateway.signIn('bob');
    const { cookie } = left;
    await left.post('/api/logout', { sessions: 'detach' });
    left.cookie = cookie;
    expect(await refusal(left)).toEqual([401, 'unauthenticated']);
  });

  test('reaches no session of another person: not by a ticket of theirs, and there is none of one’s own', async () => {
    const mine = await openConsole(bob);
    const ticket = async () => (await bob.post<{ ticket: string }>(`/api/sessions/${mine.sessionId}/tickets`)).ticket;
    for (const other of [ann, await gateway.signIn('bea')]) {
      expect((await other.request('POST', `/api/sessions/${mine.sessionId}/tickets`)).status).toBe(404);
      const page = await ConsolePage.attach(other, mine.sessionId, { takeOver: true }, await ticket());
      expect(await page.untilClosed()).toEqual({ code: 4401, reason: 'ticket_invalid' });
    }
    mine.type('echo mine-$((40+3))\n');
    await mine.untilText('mine-43');
    await bob.post(`/api/sessions/${mine.sessionId}/terminate`);
  });

  const origins = (): readonly (readonly [string, readonly string[], boolean])[] => {
    const { port } = door;
    const home = `http://127.0.0.1:${String(port)}`;
    return [
      ['its own', [`Origin: ${home}`], true],
      ['the other spelling of loopback', [`Origin: http://localhost:${String(port)}`], true],
      ['none', [], false],
      ['an empty one', ['Origin:'], false],
      ['null', ['Origin: null'], false],
      ['another port', [`Origin: http://127.0.0.1:${String(port + 1)}`], false],
      ['no port', ['Origin: http://127.0.0.1'], false],
      ['another scheme', [`Origin: https://127.0.0.1:${String(port)}`], false],
      ['the socket’s scheme', [`Origin: ws://127.0.0.1:${String(port)}`], false],
      ['a sub-domain', [`Origin: http://x.localhost:${String(port)}`], false],
      ['a longer name', [`Origin: http://127.0.0.1.evil.example:${String(port)}`], false],
      ['a trailing dot', [`Origin: http://localhost.:${String(port)}`], false],
      ['a path', [`Origin: ${home}/`], false],
      ['a user', [`Origin: http://evil@127.0.0.1:${String(port)}`], false],
      ['upper case', [`Origin: HTTP://LOCALHOST:${String(port)}`], false],
      ['another number for the same address', [`Origin: http://2130706433:${String(port)}`], false],
      ['IPv6', [`Origin: http://[::1]:${String(port)}`], false],
      ['two in one', [`Origin: ${home}, http://evil.example`], false],
      ['two', [`Origin: ${home}`, 'Origin: http://evil.example'], false],
      ['two the other way', ['Origin: http://evil.example', `Origin: ${home}`], false],
      ['only a referrer', [`Referer: ${home}/`], false],
      ['its own, from another site', [`Origin: ${home}`, 'Sec-Fetch-Site: cross-site'], false],
      ['its own, from a neighbour', [`Origin: ${home}`, 'Sec-Fetch-Site: same-site'], false],
    ];
  };

  test('and a write come from a page of this gateway only', async () => {
    const cookie = `Cookie: ${bob.cookie ?? ''}`;
    const wrong: string[] = [];
    for (const [name, lines, isIn] of origins()) {
      const socket = isIn ? null : await open([cookie, ...lines]);
      const write = await ask(door, {
        method: 'POST',
        target: '/api/where-to',
        lines: [cookie, 'X-Sallyport: 1', 'Content-Type: application/json', ...lines],
        body: '{"line":"lab"}',
      });
      const isTwice = lines.filter((line) => line.startsWith('Origin')).length > 1;
      const refused = isTwice ? '400 bad_request' : '403 origin_refused';
      const seen = [`${String(write.status)} ${write.code ?? ''}`, `${String(socket?.status)} ${socket?.code ?? ''}`];
      const expected = isIn ? ['200 ', 'undefined '] : [refused, refused];
      if (seen.join() !== expected.join()) wrong.push(`${name}: ${seen.join(', ')}`);
    }
    expect(wrong).toEqual([]);
    const own = new WebSocket(`${gateway.url.replace('http', 'ws')}/api/sessions/socket`, [SUBPROTOCOL], { headers: bob.headers() }); // prettier-ignore
    (await untilOpen(own)).terminate();
  });

  test('a write needs the header that no other site can send, also at the sign-in', async () => {
    const home = `Origin: ${gateway.url}`;
    for (const target of ['/api/login', '/api/setup', '/api/where-to', '/api/logout'])
      for (const header of [[], ['X-Sallyport: 0'], ['X-Sallyport:'], ['X-Sallyport: 1, 1'], ['X-Sallyport: true']]) {
        const lines = [home, 'Content-Type: application/json', `Cookie: ${bob.cookie ?? ''}`, ...header];
        const body = JSON.stringify({ name: 'bob', password: LAB_PASSWORD });
        const answer = await ask(door, { method: 'POST', target, lines, body });
        expect(answer, `${target} ${header.join()}`).toMatchObject({ status: 403, code: 'csrf_refused' });
        expect(answer.headers['set-cookie']).toBeUndefined();
      }
    expect((await bob.request('GET', '/api/account')).status).toBe(200);
  });
});
