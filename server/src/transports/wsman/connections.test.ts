import { expect, it } from 'vitest';
import { FakeClock } from '../../../../test/contracts/fake-clock.ts';
import { Connections } from './connections.ts';
import type { Lane } from './shell.ts';
import { SignedOutError } from './signed-connection.ts';

/** Answers when it is told to. */
class Connection {
  isClosed = false;
  /** The request that has no answer yet. */
  carries = '';
  answer: () => void = () => undefined;
  post(envelope: Uint8Array): Promise<Uint8Array> {
    this.carries = Buffer.from(envelope).toString();
    return new Promise((resolve) => {
      this.answer = () => {
        this.carries = '';
        resolve(new Uint8Array());
      };
    });
  }
  close(): void {
    this.isClosed = true;
  }
}

const NOTHING = new Uint8Array();
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function start() {
  const clock = new FakeClock();
  const made = [new Connection()];
  const [first] = made;
  if (first === undefined) throw new Error('no connection');
  const connections = new Connections(
    first,
    () => {
      const next = new Connection();
      made.push(next);
      return Promise.resolve(next);
    },
    clock,
  );
  return { clock, connections, made };
}

async function working() {
  const { clock, connections, made } = start();
  // A poll that is held, and three that come to an end: as a session is opened.
  const posts = (['poll', 'send', 'poll', 'control'] as const).map((lane) => connections.post(lane, NOTHING, 1000));
  await settled();
  for (const connection of made.slice(1)) connection.answer();
  await Promise.all(posts.slice(1));
  return { clock, connections, made };
}

it('closes free connections after five seconds but one, and that after a minute', async () => {
  const { clock, connections, made } = await working();
  expect(connections.count).toBe(4);
  clock.advance(4_999);
  expect(connections.count).toBe(4);
  clock.advance(1);
  expect(connections.count).toBe(2);
  clock.advance(54_999);
  expect(connections.count).toBe(2);
  clock.advance(1);
  expect(connections.count).toBe(1);
  // The one that is in use.
  expect(made.map(({ isClosed }) => isClosed)).toEqual([false, true, true, true]);
});

it('takes the one that stayed, and its minute begins anew', async () => {
  const { clock, connections, made } = await working();
  clock.advance(40_000);
  const line = connections.post('send', NOTHING, 1000);
  await settled();
  expect(made).toHaveLength(4);
  made.at(-1)?.answer();
  await line;
  clock.advance(59_999);
  expect(connections.count).toBe(2);
  clock.advance(1);
  expect(connections.count).toBe(1);
});

it('polls over the connection that a line went out over, when no other is free', async () => {
  const { clock, connections, made } = await working();
  clock.advance(40_000);
  const line = connections.post('send', NOTHING, 1000);
  await settled();
  made.at(-1)?.answer();
  await line;
  void connections.post('poll', NOTHING, 1000);
  await settled();
  expect(made).toHaveLength(4);
});

it('has eight connections at most, and polls take no more than six of them', async () => {
  const { connections, made } = start();
  const carried = (): string[] => made.flatMap(({ carries }) => (carries === '' ? [] : [carries])).toSorted();
  const post = (lane: Lane, name: string): void => void connections.post(lane, Buffer.from(name), 1000);
  const answer = async (name: string): Promise<void> => {
    made.find(({ carries }) => carries === name)?.answer();
    await settled();
  };
  const POLLS = ['poll 1', 'poll 2', 'poll 3', 'poll 4', 'poll 5', 'poll 6'];
  for (const name of [...POLLS, 'poll 7', 'poll 8', 'poll 9']) post('poll', name);
  await settled();
  expect(carried()).toEqual(POLLS);
  for (const name of ['send a', 'send b', 'send c']) post('send', name);
  post('control', 'stop');
  await settled();
  // There is no ninth; a stop overtakes what waits to be sent, and that the polls.
  expect([made.length, connections.count]).toEqual([8, 8]);
  expect(carried()).toEqual([...POLLS, 'send a', 'send b']);
  await answer('send a');
  expect(carried()).toEqual([...POLLS, 'send b', 'stop']);
  await answer('send b');
  expect(carried()).toEqual([...POLLS, 'send c', 'stop']);
  // What is free now is for what goes out: another poll goes only when one has ended.
  await answer('stop');
  expect(carried()).toEqual([...POLLS, 'send c']);
  await answer('poll 1');
  expect(carried()).toEqual([...POLLS.slice(1), 'poll 7', 'send c']);
  expect(made).toHaveLength(8);
});

it('sends nothing over a connection that is signed in anew when it was closed meanwhile', async () => {
  const signedOut = new Connection();
  signedOut.post = () => Promise.reject(new SignedOutError(true));
  const fresh = new Connection();
  let signedIn: () => void = () => undefined;
  const open = (): Promise<Connection> => new Promise((resolve) => (signedIn = () => resolve(fresh)));
  const connections = new Connections(signedOut, open, new FakeClock());
  const failure = connections.post('control', Buffer.from('stop'), 1000).catch((error: unknown) => error);
  await settled();
  connections.close();
  signedIn();
  expect(await failure).toMatchObject({ code: 'target_lost' });
  expect(fresh).toMatchObject({ carries: '', isClosed: true });
});
