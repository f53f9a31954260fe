import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What never comes fails; what comes late on a busy machine does not. Times that matter are turned by hand or counted. */
const PATIENCE = { testTimeout: 120_000, hookTimeout: 120_000, expect: { poll: { timeout: 60_000 } } };

/** Files that take 20 s or more, longest first: what starts last is waited for by idle cores. Sizes of files do not tell. */
const LONG = [
  'integration/powershell.test.ts',
  'integration/gateway-kill.test.ts',
  'integration/invoke.test.ts',
  'integration/psrp-package.test.ts',
  'integration/wsman-wire.test.ts',
  'integration/wsman-transport.test.ts',
  'integration/psrp-live.test.ts',
  'integration/door.test.ts',
  'integration/winrm-session.test.ts',
  'integration/operations.test.ts',
  'integration/powershell-files.test.ts',
  'integration/terminal-contract.test.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = LONG.findIndex((name) => moduleId.endsWith(name));
      return place === -1 ? LONG.length : place;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

/** Three kinds of test (CONTRIBUTING.md): unit beside the source, integration against the lab, e2e in a real browser. */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{shared,server,web}/**/src/**/*.test.ts',
            'web/src/**/*.test.ts',
            'test/contracts/**/*.test.ts',
            'test/lab/**/*.test.ts',
            'test/load/**/*.test.ts',
          ],
          exclude: ['**/node_modules/**'],
          ...PATIENCE,
          // No test leaves anything in its process: files share one, and what they import is read once.
          isolate: false,
          // One less than there are, as it is by itself, leaves the half of a machine of two idle.
          maxWorkers: availableParallelism(),
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          ...PATIENCE,
          // For two cores: a test waits for other processes more than it computes.
          maxWorkers: 3,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.e2e.test.ts'],
          ...PATIENCE,
          fileParallelism: false,
        },
      },
    ],
  },
});
