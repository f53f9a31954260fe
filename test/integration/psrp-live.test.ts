import { afterEach, describe, expect, it } from 'vitest';
import type { ProtocolVersion } from '@sallyport/psrp';
import { metaOf, rowsOf, scenarios } from '../lab/captures.ts';
import { realPowerShells } from '../lab/powershell.ts';
import { LiveReplay, recorded, shape, stepsOf } from '../lab/psrp-live.ts';

/** The recording breaks rules on purpose, with bytes that a client of ours does not send: `captures.test.ts` has it. */
const NOT_OURS = new Set(['server-complains']);
/** Standard output and standard error of a native program come in any order. */
const UNORDERED = new Set(['native-commands']);
/** Scenarios whose messages differ between protocol 2.3 and 2.4; an older PowerShell beside the first plays these. */
const OF_VERSIONS = /^(announce|secure|key-exchange|host-credential|streams|open-close|stop)/;
const shells = realPowerShells();
const none = [{ version: 'no PowerShell', program: '' }];
const all = process.env['PSRP_LIVE_ALL'] === '1';
/** Every scenario for the first PowerShell, and for all of them with PSRP_LIVE_ALL=1: each starts a process. */
const played = (program: string): { scenario: string }[] =>
  scenarios
    .filter((name) => !NOT_OURS.has(name) && (all || program === (shells[0]?.program ?? '') || OF_VERSIONS.test(name)))
    .map((scenario) => ({ scenario }));

describe.each(shells.length === 0 ? none : shells)(
  'the client role against PowerShell $version',
  ({ program, version }) => {
    let live: LiveReplay | null = null;
    afterEach(async () => {
      await live?.end();
      live = null;
    });

    it.for(played(program))('plays $scenario as it was recorded', async ({ scenario }, context) => {
      if (program === '') context.skip('no pwsh');
      // A version that was not recorded plays the recording of the nearest one.
      const nearest = version.startsWith('7.5') ? '7.5.10' : '7.6.5';
      const rows = rowsOf(scenario, nearest);
      const steps = stepsOf(rows);
      const [first] = steps;
      if (first?.kind !== 'message') throw new Error('no capability');
      const { announced } = metaOf(scenario, nearest);
      live = new LiveReplay(program, first.message.message.poolId, announced as ProtocolVersion);
      await live.play(steps);
      expect(live.failures).toEqual([]);
      expect(live.state).toBe(scenario === 'client-vanishes' ? 'Opened' : 'Closed');
      for (const [pipelineId, events] of recorded(rows)) {
        const told = live.told.get(pipelineId) ?? [];
        if (UNORDERED.has(scenario)) expect(new Set(shape(told)), pipelineId).toEqual(new Set(shape(events)));
        else expect(shape(told), pipelineId).toEqual(shape(events));
      }
    });
  },
);
