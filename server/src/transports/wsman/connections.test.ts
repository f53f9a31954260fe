import { expect, it } from 'vitest';
import { FakeClock } from '../../../../test/contracts/fake-clock.ts';
import { Connections } from './connections.ts';

/** Answers when it is told to. */
class Connection {
  isClosed = false;
  answer: () => void = () => undefined;
  post(): Promise<Uint8Array> {
    return new Promise((resolve) => (this.answer = () => resolve(new Uint8Array())));
  }
  close(): void {
    this.isClosed = true;
  }
}

const NOTHING = new Uint8Array();
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function working() {
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
