/** What the documents say about codes and limits is held against the program. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ERROR_TEXT } from '@sallyport/shared/error-codes';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { CloseCode } from '@sallyport/shared/wire/close-codes';
import { SESSION_OPTIONS } from '@sallyport/wsman';
import { describe, expect, it } from 'vitest';

import { closeCodeOf } from '../../server/src/broker/close-code.ts';
import { ENVIRONMENT } from '../../server/src/config/settings.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const CODES: ReadonlySet<string> = new Set(Object.keys(ERROR_TEXT));
const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);

describe('docs/errors.md', () => {
  it('has every code of the program, none else and none twice, with what a person reads', () => {
    const rows = [...read('docs/errors.md').matchAll(/^\| `(\w+)` \| (.*) \|$/gm)];
    expect(Object.fromEntries(rows.map(([, code = '', text = '']) => [code, text]))).toEqual(ERROR_TEXT);
    expect(rows.length).toBe(CODES.size);
  });
});

describe('docs/wire.md', () => {
  it('names every close code, and the reasons that go with it', () => {
    const table = read('docs/wire.md').split('## 7. Close codes')[1] ?? '';
    const rows = [...table.matchAll(/^\| ([\d, ]+) \| (.*) \|$/gm)].map(([, numbers = '', reasons = '']) => ({ numbers: numbers.split(', ').map(Number), reasons: quoted(reasons) })); // prettier-ignore
    const documented = new Set(rows.flatMap(({ numbers }) => numbers));
    for (const [name, code] of Object.entries(CloseCode))
      if (name !== 'goingAway') expect(documented, name).toContain(code);
    for (const { numbers, reasons } of rows)
      for (const reason of reasons) {
        expect(CODES, reason).toContain(reason);
        expect(numbers, reason).toContain(closeCodeOf(reason as keyof typeof ERROR_TEXT));
      }
  });
});

describe('docs/security.md, the table of limits', () => {
  const table = read('docs/security.md').split('## Limits, their codes')[1] ?? '';
  const rows = [...table.matchAll(/^\| (.+) \| (.+) \| (.+) \|$/gm)].slice(2);
  it.each(rows.map(([, input = '', codes = '', files = '']) => [input, codes, files] as const))(
    '%s',
    (_, codes, files) => {
      const names = quoted(codes);
      expect(names.length).toBeGreaterThan(0);
      const texts = quoted(files).map((file) => {
        expect(existsSync(path.join(ROOT, file)), file).toBe(true);
        return read(file);
      });
      for (const code of names) {
        expect(CODES, code).toContain(code);
        expect(
          texts.some((text) => new RegExp(`\\b${code}\\b`).test(text)),
          `${code} in ${files}`,
        ).toBe(true);
      }
    },
  );
  it('has rows', () => {
    expect(rows.length).toBeGreaterThan(30);
  });
});

describe('docs/winrm.md', () => {
  it('says of every session option what becomes of it, and names settings that exist', () => {
    const table = read('docs/winrm.md').split('## Session options')[1]?.split('\n## ')[0] ?? '';
    const rows = [...table.matchAll(/^\| (.+) \| (.+) \| (.+) \|$/gm)].slice(2);
    expect(rows.flatMap(([, names = '']) => names.split(', ')).sort()).toEqual(Object.keys(SESSION_OPTIONS).sort());
    const words = rows.flatMap(([, , , how = '']) => quoted(how));
    const known = new Set([...CODES, ...Object.keys(WsManSettings.shape)]);
    expect(words.filter((word) => !known.has(word))).toEqual([]);
  });
});

describe('docs/operations.md', () => {
  const page = read('docs/operations.md');
  it('names only settings and codes that exist', () => {
    const variables = [...page.matchAll(/SALLYPORT_[A-Z_]+/g)].map(([name]) => name);
    const known = new Set(Object.values(ENVIRONMENT));
    expect(variables.filter((name) => !known.has(name))).toEqual([]);
    const codes = ['insecure_listen', 'data_locked', 'schema_newer', 'recording_space', 'draining', 'config_invalid'];
    for (const code of codes) {
      expect(CODES).toContain(code);
      expect(page, code).toContain(`\`${code}\``);
    }
  });
  it('names every setting of the gateway', () => {
    for (const [name, variable] of Object.entries(ENVIRONMENT)) expect(page, name).toContain(variable);
  });
});
