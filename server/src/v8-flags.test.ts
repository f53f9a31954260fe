import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const tsx = createRequire(import.meta.url).resolve('tsx');

it('names flags that this V8 knows: it complains of others on standard error', async () => {
  const file = path.join(import.meta.dirname, 'v8-flags.ts');
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--import', tsx, file]);
  expect([stdout, stderr]).toEqual(['', '']);
});
