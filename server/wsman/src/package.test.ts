import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { OPERATIONS } from './index.ts';

const read = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');

describe('the package', () => {
  it('depends on nothing and has no side effects', () => {
    const manifest = JSON.parse(read('package.json')) as Record<string, unknown>;
    expect(manifest).toMatchObject({ sideEffects: false, type: 'module' });
    expect(Object.keys(manifest).filter((key) => /ependencies$/.test(key))).toEqual([]);
  });
  it('lists every operation', () => {
    const readme = read('README.md');
    for (const name of Object.keys(OPERATIONS)) expect(readme).toMatch(new RegExp(`^\\| .*\\b${name}\\b.* \\|`, 'm'));
  });
});
