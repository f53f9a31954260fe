import { HIGH_WATER_BYTES } from '@sallyport/shared/wire/credit';
import { expect, it } from 'vitest';
import { FakeTerminal } from '../../../test/contracts/fake-terminal.ts';
import { Flow } from './flow.ts';

it('asks the target on when all that it said is in the file, not when some of it is', () => {
  const recording = { outputBytes: 0, writtenBytes: 0 };
  const flow = new Flow(recording, () => null);
  const terminal = new FakeTerminal('powershell');
  flow.begin(terminal);
  recording.outputBytes = 10;
  flow.told();
  recording.writtenBytes = 9;
  flow.written();
  expect(terminal.holds).toEqual([true]);
  recording.writtenBytes = 10;
  flow.written();
  expect(terminal.holds).toEqual([true, false]);
});

it('pauses once for two reasons, and goes on when neither is left', () => {
  const recording = { outputBytes: HIGH_WATER_BYTES, writtenBytes: 0 };
  const flow = new Flow(recording, () => null);
  const terminal = new FakeTerminal('powershell');
  flow.creditChanged();
  flow.begin(terminal);
  flow.pause('recording');
  recording.writtenBytes = HIGH_WATER_BYTES;
  flow.written();
  expect(terminal.calls).toEqual(['pause']);
  flow.resume('recording');
  expect(terminal.calls).toEqual(['pause', 'resume']);
});
