import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { findPwsh } from '../lab/sshd.ts';

const root = path.join(import.meta.dirname, '../..');
const readme = readFileSync(path.join(root, 'server/psrp/README.md'), 'utf8');
const example = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? '';

describe('the example of the package', () => {
  it('has at most 30 lines', () => {
    expect(example.trim().split('\n').length).toBeLessThanOrEqual(30);
  });

  it('runs against PowerShell as it is printed', (context) => {
    const pwsh = findPwsh();
    if (pwsh === null) {
      context.skip('no pwsh');
      return;
    }
    // Inside the repository, so that the package is found by its name.
    const folder = path.join(root, '.cache', `readme-${process.pid}`);
    mkdirSync(folder, { recursive: true });
    try {
      const file = path.join(folder, 'example.mts');
      writeFileSync(file, example);
      const env = { ...process.env, PWSH: pwsh, POWERSHELL_TELEMETRY_OPTOUT: '1' };
      const printed = execFileSync(process.execPath, ['--import', 'tsx', file], { cwd: root, env, timeout: 50_000 });
      expect(printed.toString().trim().split('\n')).toEqual([
        'output: 14',
        'output: 28',
        'output: 42',
        'error: oh',
        'ended: Completed',
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
