import { PsProgress } from './scalars.ts';
import type { PsScalar } from './scalars.ts';

/** Parts of PR: the tag that reads them. S and Nil are the current operation. */
export const PROGRESS_PARTS: ReadonlyMap<string, 'S' | 'I32' | 'Nil'> = new Map<string, 'S' | 'I32' | 'Nil'>([
  ['AV', 'S'],
  ['AI', 'I32'],
  ['S', 'S'],
  ['Nil', 'Nil'],
  ['PI', 'I32'],
  ['PC', 'I32'],
  ['T', 'S'],
  ['SR', 'I32'],
  ['SD', 'S'],
]);

/** Puts a record together; missing parts get the values PowerShell starts with. */
export function progressOf(parts: ReadonlyMap<string, PsScalar>): PsProgress {
  const text = (part: string): string => {
    const value = parts.get(part);
    return typeof value === 'string' ? value : '';
  };
  const number = (part: string, absent: number): number => Number(parts.get(part) ?? absent);
  return new PsProgress({
    activity: text('AV'),
    activityId: number('AI', 0),
    currentOperation: parts.has('S') ? text('S') : null,
    parentActivityId: number('PI', -1),
    percentComplete: number('PC', -1),
    type: text('T'),
    secondsRemaining: number('SR', -1),
    statusDescription: text('SD'),
  });
}
