import { expect, test } from 'vitest';
import { openStandInConsole } from '../../../../test/lab/powershell.ts';
import { SallyportError } from '../../errors.ts';
import type { ChannelEnd, ChannelEvents, PoolEnd } from '../../transports/contract.ts';
import type { TerminalEnd } from '../contract.ts';

const quiet: ChannelEnd = { exitCode: null, signal: null, error: null };
const lost = new SallyportError('target_lost', 'closed', { at: 'jump host 1 of 1, bastion' });
const flood = new SallyportError('ssh_protocol_error', 'flood', { peerText: 'too much' });

test.each<[string, PoolEnd, Partial<TerminalEnd>]>([
  ['that its program has ended', { ...quiet, exitCode: 3 }, { reason: 'target_shell_gone', detail: 'PowerShell ended with status 3' }],
  ['what killed it', { ...quiet, signal: 'KILL' }, { reason: 'target_shell_gone', detail: 'PowerShell was ended by signal KILL' }],
  ['nothing', quiet, { reason: 'target_lost', detail: '', hop: '' }],
  ['where the link broke', { ...quiet, error: lost }, { reason: 'target_lost', hop: lost.at }],
  ['that the target broke the rules', { ...quiet, error: flood }, { reason: 'ssh_protocol_error', detail: 'too much' }],
  ['our words beside its own', { ...quiet, code: 'wsman_fault', detail: 'its own', explanation: 'ours' }, { reason: 'wsman_fault', detail: 'its own', explanation: 'ours' }],
  ['an error of another kind', { ...quiet, error: new Error('canary') }, { reason: 'target_lost', detail: '' }],
])('a channel that ends and tells %s', async (_, told, expected) => {
  let channel: ChannelEvents | undefined;
  const person = await openStandInConsole((_standIn, events) => {
    channel = events;
  });
  person.submit('Start-Sleep 600');
  await person.until(() => person.started.length === 1);
  channel?.closed(told);
  await person.until(() => person.end !== null);
  expect(person.end).toMatchObject(expected);
  expect(person.ends.map(({ state }) => state)).toEqual(['lost']);
}); // prettier-ignore
