/** What tests of sessions that are left at their targets share: gateways over one directory, and the turns of a session. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SessionId } from '@sallyport/shared/ids';
import { afterEach, beforeEach, expect } from 'vitest';
import { SallyportError } from '../../server/src/errors.ts';
import type { LeftTerminal } from '../../server/src/terminals/contract.ts';
import { ann, brokerIn, request } from './broker-fixture.ts';
import { FakeTerminal } from './fake-terminal.ts';
import { all } from './recording-fixture.ts';

/** For the top of a test file: a directory for each test, and gateways over it, of which one goes on where another ended. */
export function leftGateways() {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sallyport-left-'));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
  });
  const gateway = (world?: World, limits?: Parameters<typeof brokerIn>[1]) =>
    brokerIn(directory, limits, world === undefined ? {} : { world });
  const journalOf = (at: Gateway, sessionId: string): string =>
    join(directory, at.catalogue.rows.get(sessionId)?.path ?? '', 'journal');
  return { gateway, journalOf };
}
type World = ReturnType<typeof brokerIn>['world'];
export type Gateway = ReturnType<typeof brokerIn>;

/** Where a terminal stands. */
export const place = (pipelineId: string | null = null): LeftTerminal => ({
  ...{ shellId: 'SHELL', poolId: 'pool', holder: 'me', pipelineId, remote: 'PowerShell 7.6.5', calls: [] },
});
/** A line that starts. */
export const start = (text: string, pipelineId: string) => ({
  text,
  pipelineId,
  runspacePoolId: 'pool',
  shellId: 'SHELL',
});

/** A session with one line that has ended and one that runs; its page has seen all of it. */
export async function running(at: Gateway) {
  const { terminal, sessionId } = await at.open('powershell');
  terminal.standsAt(place());
  terminal.ear.echo(1, Buffer.from('one\r\n'));
  const first = await terminal.ear.commandStarting(start('one', 'p1'));
  terminal.print('1\r\n');
  first.ended({ state: 'completed', errorCount: 0, outputBytes: 3 });
  terminal.ear.echo(2, Buffer.from('two\r\n'));
  await terminal.ear.commandStarting(start('two', 'p2'));
  terminal.standsAt(place('p2'));
  const { page, socket } = await at.attach(sessionId);
  terminal.print('21');
  await socket.until(() => socket.bytes.toString().endsWith('21'));
  return { terminal, sessionId, page, socket };
}

/** Picks it up; `left` is what the terminal was given. */
export async function pickUp(at: Gateway, sessionId: string, who = ann, terminal = new FakeTerminal('powershell')) {
  const given: { left: LeftTerminal | null; reopen: string } = { left: null, reopen: '' };
  await at.broker.pickUp(who, sessionId, (reopen) => {
    given.reopen = reopen;
    const openTerminal = (left: LeftTerminal) => {
      given.left = left;
      return terminal.open;
    };
    return Promise.resolve({ request: request('powershell'), openTerminal });
  });
  return { terminal, given };
}

/** Its end is written down, and nothing of it is on its way to the disk. */
export async function ended(at: Gateway, sessionId: string, terminal: FakeTerminal) {
  await terminal.close('exited');
  await at.until(() => at.rows.get(sessionId)?.endedAt !== null);
}

/** Goes on to the end of the running line, and ends the session. */
export async function finish(at: Gateway, sessionId: string, offset: number) {
  const terminal = new FakeTerminal('powershell');
  terminal.openWith = (ear) => {
    const run = ear.commandContinuing({ runspacePoolId: 'pool', pipelineId: 'p2' });
    ear.output(Buffer.from('22\r\n'));
    run.ended({ state: 'completed', errorCount: 1, outputBytes: 4 });
  };
  const { given } = await pickUp(at, sessionId, ann, terminal);
  const { socket } = await at.attach(sessionId, offset);
  await socket.until(() => socket.bytes.length >= 4);
  await ended(at, sessionId, terminal);
  await socket.has('ended');
  return { given, socket };
}

/** It is one session with one recording and the same rows, as if it had never been left. */
export async function checkOne(at: Gateway, sessionId: string) {
  const output = Buffer.concat(await all(at.recordings.readOutput(SessionId.parse(sessionId), 0, 19))).toString();
  expect(output).toBe('one\r\n1\r\ntwo\r\n2122\r\n');
  expect((await at.recordings.check(SessionId.parse(sessionId))).chain).toBe('verified');
  expect(at.ledgered).toEqual(['start 1 one', 'end 1 completed', 'start 2 two', 'end 3 completed']);
  // The echo of the line and what came before the pause belong to it.
  expect(at.world.entries.get('3')).toMatchObject({ state: 'completed', errorCount: 1, outputBytes: 7 + 4 });
  expect([...at.rows.values()]).toMatchObject([
    { id: sessionId, endReason: 'exited', commandCount: 2, errorCount: 1, outputBytes: 19, left: null, leftAt: null },
  ]);
}

/** A terminal that does not come to stand. */
export const failing = (reason: ConstructorParameters<typeof SallyportError>[0]) => {
  const terminal = new FakeTerminal('powershell');
  return Object.assign(terminal, { open: () => Promise.reject(new SallyportError(reason, 'as the test says')) });
};
