import { defineConfig } from 'vitest/config';

/** What is waited for may take its time on a busy machine; vitest's own second may not be enough for a turn of it. */
const poll = { timeout: 15_000 };

/** Three kinds of test (CONTRIBUTING.md): unit beside the source, integration against the lab, e2e in a real browser. */
export default defineConfig({
  test: {
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
          testTimeout: 20_000,
          expect: { poll },
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: { poll },
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.e2e.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: { poll },
          fileParallelism: false,
        },
      },
    ],
  },
});
