import { defineConfig } from 'vitest/config';

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
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.e2e.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
