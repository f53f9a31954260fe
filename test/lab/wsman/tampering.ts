/**
 * Somebody on the way of sealed bodies, for every method that seals: what is done to the second exchange of a connection, and
 * how the gateway's own client must end over it.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'vitest';
import { systemClock } from '../../../server/src/clock.ts';
import type { HttpSignIn } from '../../../server/src/transports/wsman/auth/contract.ts';
import { HttpConnection } from '../../../server/src/transports/wsman/http-connection.ts';
import { signInOn, type SignedConnection } from '../../../server/src/transports/wsman/signed-connection.ts';
import { type Meddling, type PassedAnswer, type PassedRequest, startMeddler } from './meddler.ts';
import { refusalOf } from './sealed-client.ts';

const HELLO = Buffer.from('<hello/>'.repeat(8));
const END = Buffer.from('--Encrypted Boundary--\r\n');
const SOAP = [['content-type', 'application/soap+xml;charset=UTF-8']] as const;
/** Where the signature, the header or the record begins. */
const sealedAt = (body: Buffer): number => body.indexOf('octet-stream\r\n') + 'octet-stream\r\n'.length + 4;
const flipped = (body: Buffer, at: number): Buffer => {
  const copy = Buffer.from(body);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
};
const rewritten = (body: Buffer, from: RegExp, to: (text: string) => string): Buffer =>
  Buffer.from(body.toString('latin1').replace(from, to), 'latin1');

type Change = (answer: PassedAnswer, before: PassedAnswer) => Partial<PassedAnswer>;
const BROKEN = 'wsman_seal_broken';
const MALFORMED = 'wsman_malformed';
/** By what is done to an answer; `before` is the one of the first exchange. */
const ANSWERS: readonly (readonly [name: string, change: Change, code: string | RegExp])[] = [
  ['nothing', () => ({}), 'passed'],
  ['a bit of the text', ({ body }) => ({ body: flipped(body, body.length - END.length - 2) }), BROKEN],
  ['a bit before the text', ({ body }) => ({ body: flipped(body, sealedAt(body) + 9) }), BROKEN],
  ['the end is cut off', ({ body }) => ({ body: body.subarray(0, body.length - END.length - 5) }), MALFORMED],
  ['the length that is said', ({ body }) => ({ body: rewritten(body, /Length=\d+/, (said) => `Length=${String(Number(said.slice(7)) + 1)}`) }), MALFORMED],
  ['the name of the sealing', ({ body }) => ({ body: rewritten(body, /HTTP-\w+-session/, () => 'HTTP-Other-session') }), /^wsman_(?:seal_broken|malformed)$/],
  ['its frame', ({ body }) => ({ body: flipped(body, 4) }), MALFORMED],
  ['sealed parts for open ones', ({ body }) => ({ body: Buffer.concat([body.subarray(0, sealedAt(body) - 4), Buffer.alloc(4), HELLO, END]) }), /^wsman_(?:seal_broken|malformed)$/],
  ['one part for two', ({ body }) => ({ body: Buffer.concat([body.subarray(0, -END.length), body]) }), BROKEN],
  ['the answer for the one before', (_, before) => before, BROKEN],
  ['the answer for one in clear', () => ({ headers: SOAP, body: HELLO }), BROKEN],
  ['the answer for a fault in clear', () => ({ status: 500, headers: SOAP, body: HELLO }), BROKEN],
  ['the answer for a page', () => ({ headers: [['content-type', 'text/html']], body: HELLO }), BROKEN],
  ['the answer for an empty one', () => ({ headers: [], body: Buffer.alloc(0) }), BROKEN],
  ['the answer for a refusal', () => ({ status: 401, headers: [['www-authenticate', 'Negotiate, Kerberos, CredSSP, Basic']], body: Buffer.alloc(0) }), 'target_auth_failed'],
  ['the answer for a redirection', () => ({ status: 302, headers: [['location', 'http://elsewhere.example/']], body: Buffer.alloc(0) }), 'wsman_redirect_refused'],
]; // prettier-ignore
/** By what is done to a request: the server refuses it. */
const REQUESTS: readonly (readonly [name: string, change: (asked: PassedRequest, before: PassedRequest) => PassedRequest])[] = [
  ['a bit of a request', (asked) => ({ ...asked, body: flipped(asked.body, asked.body.length - END.length - 2) })],
  ['a request for the one before', (_, before) => before],
  ['a request for one in clear', (asked) => ({ ...asked, headers: { ...asked.headers, 'content-type': 'application/soap+xml' }, body: HELLO })],
]; // prettier-ignore
const REFUSED = /^(?:target_auth_failed|wsman_seal_broken)$/;

/** A server that echoes sealed bodies, and a way to sign in there. */
export interface Echo {
  readonly port: number;
  readonly host: string;
  readonly path?: string;
  readonly signIn: HttpSignIn;
}

async function signedOn({ host, path = '/wsman', signIn }: Echo, port: number): Promise<SignedConnection> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const link = new HttpConnection(socket, { hostHeader: host, path }, systemClock, () => undefined);
  const limits = { timeoutMs: 60_000, signal: new AbortController().signal, path };
  return signInOn(link, signIn, { host, port, isTls: false, channelBinding: null }, { isRequired: true, hasTab: true }, limits); // prettier-ignore
}

/** How the second exchange ends with somebody on the way, and that nothing goes over the connection after a refusal. */
async function ends(echo: Echo, meddling: Meddling): Promise<string> {
  const meddler = await startMeddler(echo.port, meddling);
  const signed = await signedOn(echo, meddler.port);
  try {
    expect(await refusalOf(signed.post(HELLO, 60_000))).toBe('passed');
    const code = await refusalOf(signed.post(HELLO, 60_000));
    if (code !== 'passed') {
      const { length } = meddler.seen;
      expect(signed.isClosed).toBe(true);
      expect(await refusalOf(signed.post(HELLO, 60_000))).not.toBe('passed');
      expect(meddler.seen).toHaveLength(length);
    }
    return code;
  } finally {
    signed.close();
    await meddler.stop();
  }
}

const isSealed = ({ body }: { readonly body: Buffer }): boolean => body.includes('Encrypted Boundary');

/** Everything that can be done to answers and requests. @param echo a fresh one for each: a sign-in may be good once only */
export async function expectTamperingIsSeen(echo: () => Echo): Promise<void> {
  for (const [name, change, expected] of ANSWERS) {
    let before: PassedAnswer | null = null;
    const code = await ends(echo(), {
      answer: (passed) => {
        if (!isSealed(passed)) return passed;
        if (before !== null) return { ...passed, ...change(passed, before) };
        return (before = passed);
      },
    });
    if (typeof expected === 'string') expect([name, code]).toEqual([name, expected]);
    else expect(code, name).toMatch(expected);
  }
  for (const [name, change] of REQUESTS) {
    let before: PassedRequest | null = null;
    const code = await ends(echo(), {
      request: (asked) => {
        if (asked.body.length === 0) return asked;
        if (before !== null) return change(asked, before);
        return (before = asked);
      },
    });
    expect(code, name).toMatch(REFUSED);
  }
}

/** Two connections of one sign-in, each of which gets the other's answer. */
export async function expectSwapsAreSeen(echo: Echo): Promise<void> {
  const held: { readonly passed: PassedAnswer; readonly give: (answer: PassedAnswer) => void }[] = [];
  const meddler = await startMeddler(echo.port, {
    answer: (passed) => {
      if (!isSealed(passed)) return passed;
      return new Promise((give) => {
        held.push({ passed, give });
        const [one, two] = held;
        if (one === undefined || two === undefined) return;
        one.give(two.passed);
        two.give(one.passed);
      });
    },
  });
  const both = [await signedOn(echo, meddler.port), await signedOn(echo, meddler.port)];
  try {
    const codes = await Promise.all(both.map((one) => refusalOf(one.post(HELLO, 60_000))));
    expect(codes).toEqual([BROKEN, BROKEN]);
  } finally {
    for (const one of both) one.close();
    await meddler.stop();
  }
}
