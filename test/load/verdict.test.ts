import { describe, expect, it } from 'vitest';
import type { Row } from './bench.ts';
import { verdictOf } from './verdict.ts';

const row = (what: string, ok: boolean | null): Row => ({ measure: '', what, value: '', ratio: null, target: '', ok });
const flood = row('p99 ours / direct', true);

describe('the verdict of a benchmark', () => {
  it('is green when every owed row is met', () => {
    expect(verdictOf([flood], ['flood'], true)).toEqual({ isGreen: true, text: '1 of 1 targets met' });
  });
  it('is red when a target is missed, or a measure is shown and not judged', () => {
    expect(verdictOf([row('p99 ours / direct', false)], ['flood'], true).isGreen).toBe(false);
    expect(verdictOf([row('p99 ours / direct', null)], ['flood'], true).text).toContain('NOT MEASURED: p99 ours');
  });
  it('is red on nothing', () => {
    const { isGreen, text } = verdictOf([], ['flood'], true);
    expect([isGreen, text.includes('NOTHING WAS COMPARED')]).toEqual([false, true]);
    expect(verdictOf([], [], true).isGreen).toBe(false);
  });
  it('is red when one measure of several left no row', () => {
    expect(verdictOf([flood], ['flood', 'credit'], true).text).toContain('unacknowledged ours');
  });
  it('owes the comparison with WebSSH2 only when it takes part, and says so', () => {
    const rows = [row('p50 ours / minimal:fair+batch+rec', true)];
    expect(verdictOf(rows, ['echo'], false).isGreen).toBe(true);
    expect(verdictOf(rows, ['echo'], false).text).toContain('not compared with WebSSH2');
    expect(verdictOf(rows, ['echo'], true).isGreen).toBe(false);
  });
});
