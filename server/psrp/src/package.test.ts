import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { HOST_METHODS, MESSAGES } from './index.ts';

const folder = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(`${folder}README.md`, 'utf8');

describe('the package', () => {
  it('depends on nothing and has no side effects', () => {
    const manifest = JSON.parse(readFileSync(`${folder}package.json`, 'utf8')) as Record<string, unknown>;
    expect(manifest).toMatchObject({ sideEffects: false, type: 'module' });
    expect(Object.keys(manifest).filter((key) => /ependencies$/.test(key))).toEqual([]);
  });

  it('lists every message with number, direction and target', () => {
    for (const { name, type, direction, target } of Object.values(MESSAGES)) {
      const number = `0x${type.toString(16).padStart(8, '0')}`;
      const row = readme.split('\n').find((line) => line.includes(`| ${name} `));
      expect(
        row
          ?.split('|')
          .map((cell) => cell.trim())
          .slice(1, 5),
        name,
      ).toEqual([number, name, direction, target]);
    }
    expect(readme).toContain(`(all ${Object.keys(HOST_METHODS).length})`);
  });
});
