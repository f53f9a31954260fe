import { describe, expect, it } from 'vitest';
import { place } from '../../../test/contracts/left-fixture.ts';
import type { Terminal } from '../terminals/contract.ts';
import { Leaving } from './leaving.ts';

describe('the place of a session at its target', () => {
  const leaving = (save: (left: string | null) => Promise<void>): { at: Leaving; failures: unknown[] } => {
    const failures: unknown[] = [];
    return { at: new Leaving(null, null, save, (error) => failures.push(error)), failures };
  };

  it('is written when it changes, and not for each line: the ledger knows what runs', async () => {
    const saved: unknown[] = [];
    const { at } = leaving((left) => {
      saved.push(JSON.parse(left ?? 'null'));
      return Promise.resolve();
    });
    const calls = [{ pipelineId: 'p1', callId: '1', body: '' }];
    for (const left of [
      null,
      place(),
      place('p1'),
      { ...place('p1'), calls },
      place('p1'),
      place('p2'),
      place(),
      null,
    ]) {
      at.offer(left);
      expect(at.left).toEqual(left);
      await at.settled();
    }
    expect(saved).toEqual([null, place(), { ...place(), calls }, place(), null]);
  });

  it('names the shell of its files until it is left, which ends that', async () => {
    const saved: unknown[] = [];
    const { at } = leaving((left) => {
      saved.push(JSON.parse(left ?? 'null'));
      return Promise.resolve();
    });
    at.filesShell('F1');
    at.offer(place());
    await at.settled();
    at.filesShell('F2');
    await at.settled();
    expect(saved).toEqual([
      { ...place(), filesShellId: 'F1' },
      { ...place(), filesShellId: 'F2' },
    ]);
    await at.ask({ leave: () => Promise.resolve(place()) } as unknown as Terminal);
    expect(at.left).toEqual(place());
  });

  it('is written again after a write that failed, with the next line', async () => {
    let times = 0;
    const { at, failures } = leaving(() => (++times === 1 ? Promise.reject(new Error('full')) : Promise.resolve()));
    for (const left of [place(), place('p1'), place()]) {
      at.offer(left);
      await at.settled();
    }
    expect([times, failures.length]).toEqual([2, 1]);
  });
});
