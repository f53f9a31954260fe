/** Answers that are no good HTTP, or that say more than they should: each ends the connection with a code of its own. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/contracts/fake-clock.ts';
import { codeOf } from '../../errors.ts';
import { HttpConnection } from './http-connection.ts';

const SOAP = 'Content-Type: application/soap+xml;charset=UTF-8\r\n';
const GOOD = `HTTP/1.1 200 OK\r\n${SOAP}Content-Length: 4\r\n\r\n<a/>`;
const servers: { server: Server; sockets: Set<Socket> }[] = [];
const open: HttpConnection[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) each.close();
  for (const { server, sockets } of servers.splice(0)) {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  }
});

/** A connection to a server that answers each request with the next of these; null hangs up. */
async function to(
  answers: readonly (string | null)[],
  clock = new FakeClock(),
): Promise<{ http: HttpConnection; socket: () => Socket; post: () => Promise<string> }> {
  const sockets = new Set<Socket>();
  const left = [...answers];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    let seen = '';
    socket.on('data', (chunk) => {
      seen += chunk.toString('latin1');
      for (let end = seen.indexOf('\r\n\r\n'); end >= 0; end = seen.indexOf('\r\n\r\n')) {
        seen = seen.slice(end + 4);
        const answer = left.shift();
        if (answer === null) socket.destroy();
        else if (answer !== undefined) socket.write(answer, 'latin1');
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push({ server, sockets });
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(near, 'connect');
  const http = new HttpConnection(near, { hostHeader: 'lab', path: '/wsman' }, clock, () => undefined);
  open.push(http);
  const socket = (): Socket => {
    const [first] = sockets;
    if (first === undefined) throw new Error('not connected');
    return first;
  };
  const post = (): Promise<string> =>
    http
      .post({}, null, new Uint8Array(), 90_000)
      .then(({ status, body }) => `${String(status)} ${Buffer.from(body).toString()}`, codeOf);
  return { http, socket, post };
}

describe('an answer that is no good HTTP', () => {
  const head = (...lines: readonly string[]): string =>
    `HTTP/1.1 200 OK\r\n${SOAP}${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
  it.each([
    ['two lengths', head('Content-Length: 4', 'Content-Length: 40') + '<a/>', 'wsman_malformed'],
    ['a length and chunks', head('Content-Length: 4', 'Transfer-Encoding: chunked') + '0\r\n\r\n', 'wsman_malformed'],
    ['chunks and a length', head('Transfer-Encoding: chunked', 'Content-Length: 4') + '4\r\n<a/>\r\n0\r\n\r\n', 'wsman_malformed'],
    ['a length that is none', head('Content-Length: 0x4') + '<a/>', 'wsman_malformed'],
    ['a negative length', head('Content-Length: -4') + '<a/>', 'wsman_malformed'],
    ['a length of more than a number', head('Content-Length: 99999999999999999999') + '<a/>', 'wsman_malformed'],
    ['a chunk of a length that is none', head('Transfer-Encoding: chunked') + 'zz\r\n', 'wsman_malformed'],
    ['a chunk of more than a number', head('Transfer-Encoding: chunked') + 'FFFFFFFFFFFFFFFFF\r\n', 'wsman_malformed'],
    ['a chunk that is longer than it says', head('Transfer-Encoding: chunked') + '2\r\n<a/>\r\n0\r\n\r\n', 'wsman_malformed'],
    ['a chunk of 2 MiB and more', head('Transfer-Encoding: chunked') + `400000\r\n${'x'.repeat(0x400000)}`, 'wsman_too_large'],
    ['a chunk with a long extension', head('Transfer-Encoding: chunked') + `4;${'x'.repeat(40_000)}\r\n<a/>\r\n0\r\n\r\n`, 'wsman_malformed'],
    ['trailers without end', head('Transfer-Encoding: chunked') + `4\r\n<a/>\r\n0\r\n${'X: y\r\n'.repeat(20_000)}`, 'wsman_too_large'],
    ['a folded header', `HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n`, 'wsman_malformed'],
    ['a zero in a header', head('X: a\0b', 'Content-Length: 4') + '<a/>', 'wsman_malformed'],
    ['a head of 40 KB', head(`X: ${'x'.repeat(40_000)}`), 'wsman_too_large'],
    ['a head of many lines', head(...Array.from({ length: 8000 }, () => 'Xxxx: yyyy')), 'wsman_too_large'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'wsman_malformed'],
    ['another protocol', '220 mail ESMTP\r\n\r\n', 'wsman_malformed'],
    ['no status', 'HTTP/1.1 \r\n\r\n', 'wsman_malformed'],
    ['"go on" a thousand times', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(1000) + GOOD, 'wsman_malformed'],
    ['early hints a thousand times', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(1000) + GOOD, 'wsman_malformed'],
    ['a switch of protocols', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n', 'wsman_malformed'],
  ])('has %s', async (_, answer, code) => {
    const { http, post } = await to([answer, GOOD]);
    expect(await post()).toBe(code);
    expect(http.isClosed).toBe(true);
    expect(await post()).toBe('target_lost');
  }); // prettier-ignore

  it('passes one or two words before the answer', async () => {
    const { post } = await to([`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${GOOD}`]);
    expect(await post()).toBe('200 <a/>');
  });
});

describe('a connection that breaks, or lies', () => {
  it('in the middle of a body, or before it', async () => {
    for (const [answer, code] of [
      [`HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n<a/>`, 'target_lost'],
      [`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n<a/>\r\n`, 'target_lost'],
      ['HTTP/1.1 200 OK\r\nContent-', 'target_lost'],
    ] as const) {
      const { post, socket } = await to([answer]);
      const asked = post();
      await once(socket(), 'data');
      socket().end();
      expect([answer, await asked]).toEqual([answer, code]);
    }
  });

  it('drips one byte after the other until the time is over', async () => {
    const clock = new FakeClock();
    const { post, socket } = await to([`HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n`], clock);
    const asked = post();
    await once(socket(), 'data');
    for (let i = 0; i < 90; i++) {
      socket().write('x');
      clock.advance(1000);
    }
    expect(await asked).toBe('target_timeout');
  });

  it('says that it stays, and goes: what is asked next is lost, not sent over another', async () => {
    const { post, socket, http } = await to([GOOD]);
    expect(await post()).toBe('200 <a/>');
    const closed = once(socket(), 'close');
    socket().destroy();
    await closed;
    expect(await post()).toBe('target_lost');
    expect(http.isClosed).toBe(true);
  });

  it('says that it goes: it is not used again', async () => {
    const { post } = await to([GOOD.replace('Content-Length', 'Connection: close\r\nContent-Length'), GOOD]);
    expect(await post()).toBe('200 <a/>');
    expect(await post()).toBe('target_lost');
  });

  it("answers what was not asked yet: that is nobody's answer", async () => {
    const evil = GOOD.replace('<a/>', '<b/>');
    const { post } = await to([GOOD + evil, GOOD]);
    expect(await post()).toMatch(/^(?:200 <a\/>|wsman_malformed|target_lost)$/);
    expect(await post()).not.toBe('200 <b/>');
  });

  it('answers what was not asked yet while nothing is under way', async () => {
    const { post, socket, http } = await to([GOOD, GOOD]);
    expect(await post()).toBe('200 <a/>');
    const gone = once(socket(), 'close');
    socket().write(GOOD.replace('<a/>', '<b/>'));
    await gone;
    expect(http.isClosed).toBe(true);
    expect(await post()).toBe('target_lost');
  });
});
