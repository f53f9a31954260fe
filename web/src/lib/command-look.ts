import type { CommandMark } from '@sallyport/shared/wire/control';
import type { IconName } from './components/icons.ts';

/** How a command is marked, wherever it is listed: gutter, replay, ledger. */
export interface CommandLook {
  readonly tone: 'ok' | 'bad' | 'live' | 'off';
  readonly icon: IconName;
}

/** A command that ran to its end and reported errors is not simply done. */
export function commandLook({ state, errorCount }: Pick<CommandMark, 'state' | 'errorCount'>): CommandLook {
  if (state === 'failed' || state === 'lost' || (state === 'completed' && errorCount > 0))
    return { tone: 'bad', icon: 'mark-failed' };
  if (state === 'completed') return { tone: 'ok', icon: 'check' };
  if (state === 'stopped') return { tone: 'off', icon: 'stop' };
  return { tone: 'live', icon: 'play' };
}

/** "1 error", "3 errors"; empty for none. */
export const errorsInWords = (count: number): string =>
  count === 0 ? '' : count === 1 ? '1 error' : `${String(count)} errors`;
