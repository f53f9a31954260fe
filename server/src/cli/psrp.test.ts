import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CAPTURES, captureFiles, metaOf, rowsOf } from '../../../test/lab/captures.ts';
import type { Direction } from '../../../test/lab/captures.ts';
import { runCli } from './index.ts';

interface Out {
  readonly dir: Direction | null;
  readonly t: number | null;
  readonly type?: string;
  readonly pid?: string | null;
  readonly element?: string;
  readonly text?: string;
  readonly body?: unknown;
  readonly error?: { readonly code: string; readonly offset: number; readonly section: string };
}

async function decode(...args: string[]): Promise<{ code: number; err: string; rows: Out[]; text: string }> {
  let out = '';
  let err = '';
  const code = await runCli(['psrp', 'decode', ...args], {
    env: {},
    out: (text) => (out += text),
    err: (text) => (err += text),
    ask: () => Promise.reject(new Error('there is no terminal')),
  });
  const lines = out.split('\n').filter((line) => line !== '');
  return { code, err, rows: code === 2 ? [] : lines.map((line) => JSON.parse(line) as Out), text: out };
}
const capture = (scenario: string, version = '7.6.5'): string =>
  fileURLToPath(new URL(`${scenario}/${version}.jsonl`, CAPTURES));

let directory = '';
let files = 0;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'psrp-decode-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});
function file(text: string): string {
  const name = path.join(directory, `capture-${++files}`);
  writeFileSync(name, text);
  return name;
}

describe.each(captureFiles)('psrp decode of $scenario of $version', ({ scenario, version }) => {
  it('tells every message and every other line', async () => {
    const { code, rows, err } = await decode(capture(scenario, version));
    const meta = metaOf(scenario, version);
    for (const dir of ['c2s', 's2c'] as const) {
      const counts: Record<string, number> = {};
      for (const { type } of rows.filter((row) => row.dir === dir)) {
        if (type !== undefined) counts[type] = (counts[type] ?? 0) + 1;
      }
      expect(counts).toEqual(meta.message_counts[dir]);
    }
    // One line was no packet, on purpose: the client's `<Foo`.
    expect(code).toBe(scenario === 'server-complains' ? 1 : 0);
    expect(rows.filter(({ text }) => text !== undefined)).toHaveLength(
      (meta.text_lines ?? []).length + (scenario === 'server-complains' ? 1 : 0),
    );
    expect(err === '').toBe(meta.incomplete_objects === 0);
    expect(rows.every(({ t }) => typeof t === 'number')).toBe(true);
  });
});

describe('psrp decode', () => {
  it('takes raw lines of a direction that is named', async () => {
    const rows = rowsOf('simple-output', '7.6.5').filter(({ dir }) => dir === 's2c');
    const raw = file(rows.map(({ line }) => line).join('\r\n'));
    const given = await decode(raw, '--dir', 's2c');
    expect(given.code).toBe(0);
    expect(given.rows).toEqual(
      (await decode(capture('simple-output'), '--dir', 's2c')).rows.map((row) => ({ ...row, t: null })),
    );
    expect(await decode(raw)).toMatchObject({ code: 2 });
    expect((await decode(raw)).err).toContain('--dir');
  });

  it('shows bodies for people, or whole', async () => {
    const plain = await decode(capture('types-objects'), '--dir', 's2c');
    const outputs = plain.rows.filter(({ type }) => type === 'PIPELINE_OUTPUT').map(({ body }) => body);
    expect(outputs[0]).toMatchObject({ Name: 'n', Num: 1 });
    expect(outputs[1]).toBe(2);
    const full = await decode(capture('types-objects'), '--dir', 's2c', '--objects');
    const day = full.rows.filter(({ type }) => type === 'PIPELINE_OUTPUT')[1]?.body;
    expect(day).toEqual({
      id: 0,
      types: ['System.DayOfWeek', 'System.Enum', 'System.ValueType', 'System.Object'],
      toString: 'Tuesday',
      base: { I32: 2 },
    });
  });

  it('never shows a secure string', async () => {
    const { text } = await decode(capture('secure-values'), '--objects');
    expect(text).toContain('[secret]');
    for (const { line } of rowsOf('secure-values', '7.6.5')) {
      const secret = /<SS[^>]*>([^<]+)</.exec(Buffer.from(line.replace(/^[^>]*>|<.*$/g, ''), 'base64').toString())?.[1];
      if (secret !== undefined) expect(text).not.toContain(secret);
    }
  });

  it('goes on after what is malformed, and ends with 1', async () => {
    const [first, ...rest] = rowsOf('open-close', '7.6.5').map((row) => JSON.stringify(row));
    const bad = JSON.stringify({
      t: 1,
      dir: 's2c',
      line: "<Data Stream='Default' PSGuid='00000000-0000-0000-0000-000000000000'>AAAAAAAAAAAAAAAAAAAAAAMAAAAA</Data>",
    });
    const { code, rows } = await decode(file([first, bad, 'no json', ...rest].join('\n')));
    expect(code).toBe(1);
    expect(rows.find(({ error }) => error !== undefined)).toMatchObject({
      dir: 's2c',
      t: 1,
      error: { code: 'psrp_bad_length', offset: 0 },
    });
    expect(rows.find(({ text }) => text === 'no json')).toMatchObject({ dir: null, t: null });
    expect(rows.filter(({ type }) => type === 'RUNSPACEPOOL_STATE').length).toBeGreaterThan(0);
  });

  it('says what is wrong with the command line', async () => {
    for (const args of [[], ['a', 'b'], ['a', '--dir', 'up'], ['a', '--nope']]) {
      expect((await decode(...args)).code, args.join(' ')).toBe(2);
    }
    expect(await decode(path.join(directory, 'none'))).toMatchObject({ code: 1 });
  });
});
