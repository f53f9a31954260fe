import { describe, expect, it } from 'vitest';
import {
  isFinal,
  move,
  PIPELINE,
  PIPELINE_STATE_NUMBERS,
  POOL,
  POOL_STATE_NUMBERS,
  SERVER_PIPELINE,
  SERVER_POOL,
} from './states.ts';
import type { Table } from './states.ts';

/** What may happen, in words: `state: input > next, ...`. Everything else is an error. */
const CLIENT_POOL = `
BeforeOpen: open > Opening, connect > Connecting, close > Closed, broken > Broken
Opening: opened > Opened, close > Closing, closed > Closed, broken > Broken
Opened: close > Closing, closed > Closed, broken > Broken, disconnect > Disconnecting
Closing: closed > Closed, broken > Broken
Disconnecting: disconnected > Disconnected, close > Closing, closed > Closed, broken > Broken
Disconnected: reconnect > Connecting, close > Closing, closed > Closed, broken > Broken
Connecting: opened > Opened, close > Closing, closed > Closed, broken > Broken
Closed:
Broken:`;
const CLIENT_PIPELINE = `
NotStarted: create > Running
Running: stop > Stopping, completed > Completed, failed > Failed, stopped > Stopped, disconnect > Disconnected
Stopping: stopped > Stopped, completed > Completed, failed > Failed
Disconnected: reconnect > Running, failed > Failed, stopped > Stopped
Stopped:
Completed:
Failed:`;
const POOL_OF_SERVER = `
WaitCapability: capability > WaitInit, unsuitable > Closed, close > Closed, broken > Broken
WaitInit: init > Opening, close > Closed, broken > Broken
Opening: opened > Opened, refused > Broken, close > Closed, broken > Broken
Opened: disconnect > Disconnected, close > Closed, broken > Broken
Disconnected: reconnect > Opened, connect > Connecting, close > Closed, broken > Broken
Connecting: joined > Opened, notJoined > Disconnected, close > Closed, broken > Broken
Closed:
Broken:`;
const PIPELINE_OF_SERVER = `
NotStarted: start > Running, stop > Stopping
Running: stop > Stopping, stopped > Stopped, completed > Completed, failed > Failed
Stopping: stopped > Stopped, completed > Completed, failed > Failed
Stopped:
Completed:
Failed:`;

const POOL_INPUTS = [
  'open',
  'connect',
  'opened',
  'close',
  'closed',
  'broken',
  'disconnect',
  'disconnected',
  'reconnect',
];
const PIPELINE_INPUTS = ['create', 'stop', 'stopped', 'completed', 'failed', 'disconnect', 'reconnect'];
const SERVER_POOL_INPUTS = [
  'capability', 'unsuitable', 'init', 'opened', 'refused', 'disconnect', 'reconnect', 'connect', 'joined', 'notJoined', 'close', 'broken',
]; // prettier-ignore
const SERVER_PIPELINE_INPUTS = ['start', 'stop', 'stopped', 'completed', 'failed'];

/** `state input` -> next state. */
function movesIn(text: string): { states: string[]; moves: Map<string, string> } {
  const states: string[] = [];
  const moves = new Map<string, string>();
  for (const line of text.trim().split('\n')) {
    const [state = '', rest = ''] = line.split(':');
    states.push(state);
    for (const each of rest.split(',').filter((part) => part.trim() !== '')) {
      const [input = '', next = ''] = each.split('>').map((part) => part.trim());
      moves.set(`${state} ${input}`, next);
    }
  }
  return { states, moves };
}

const TABLES: readonly (readonly [string, Table<string, string>, string, readonly string[]])[] = [
  ['a pool of a client', POOL, CLIENT_POOL, POOL_INPUTS],
  ['a pipeline of a client', PIPELINE, CLIENT_PIPELINE, PIPELINE_INPUTS],
  ['a pool of a server', SERVER_POOL, POOL_OF_SERVER, SERVER_POOL_INPUTS],
  ['a pipeline of a server', SERVER_PIPELINE, PIPELINE_OF_SERVER, SERVER_PIPELINE_INPUTS],
];

describe.each(TABLES)('%s', (_, table, text, inputs) => {
  const { states, moves } = movesIn(text);

  it('has these states, and ends in those without a way out', () => {
    expect(Object.keys(table).sort()).toEqual([...states].sort());
    for (const state of states) {
      const isLast = ![...moves.keys()].some((key) => key.startsWith(`${state} `));
      expect(isFinal(table, state), state).toBe(isLast);
    }
  });

  it('moves as it should on every input in every state, or throws', () => {
    for (const state of states) {
      for (const input of inputs) {
        const next = moves.get(`${state} ${input}`);
        const what = `${input} in ${state}`;
        if (next !== undefined) expect(move(table, state, input), what).toBe(next);
        else {
          expect(() => move(table, state, input), what).toThrow(
            expect.objectContaining({ code: 'psrp_bad_state', section: 'MS-PSRP 3.1.1 Abstract Data Model' }),
          );
        }
      }
    }
    // No row has an input that is not listed above.
    for (const row of Object.values(table)) expect(inputs).toEqual(expect.arrayContaining(Object.keys(row)));
  });
});

describe('states on the wire', () => {
  it('have the numbers of .NET', () => {
    expect(POOL_STATE_NUMBERS).toEqual({ Opened: 2, Closed: 3, Closing: 4, Broken: 5 });
    const names = ['NotStarted', 'Running', 'Stopping', 'Stopped', 'Completed', 'Failed', 'Disconnected'] as const;
    for (const [number, name] of names.entries()) expect(PIPELINE_STATE_NUMBERS[name]).toBe(number);
  });
});
