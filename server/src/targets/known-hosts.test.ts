import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashName, knownHostName, matchesHost, readKnownHosts, writeLine } from './known-hosts.ts';

const ED = 'AAAAC3NzaC1lZDI1NTE5AAAAIEnu9Ii8OQ1RkCfCXEPXzQKx0c8T0kqb0QJBcFDyYv0d';
const line = (hosts: string, marker = ''): string => `${marker}${hosts} ssh-ed25519 ${ED}`;

describe('reading', () => {
  it('takes names, ports, hashes, patterns, markers, comments and CRLF as OpenSSH writes them', () => {
    const text = [
      '# a comment',
      '',
      `  ${line('web01,10.0.0.5')} ann@desk`,
      `${line('[web01]:2222')}\r`,
      line(hashName('db01')),
      line('*.inner.example,!bad.inner.example'),
      line('old', '@revoked '),
      line('*.example', '@cert-authority\t'),
    ].join('\n');
    const { lines, problems } = readKnownHosts(text);
    expect(problems).toEqual([]);
    expect(lines.map(({ line: at, marker }) => [at, marker])).toEqual([
      [3, ''],
      [4, ''],
      [5, ''],
      [6, ''],
      [7, 'revoked'],
      [8, 'cert-authority'],
    ]);
    expect(lines.map(writeLine).join('\n')).toBe(
      text.replace(/^#.*\n\n {2}/, '').replace(/ ann@desk|\r/g, '').replace('\t', ' '), // prettier-ignore
    );
  });

  it.each([
    ['a marker that there is not', line('web01', '@trusted ')],
    ['no key', 'web01 ssh-ed25519'],
    ['a key of another type than it says', `web01 ssh-rsa ${ED}`],
    ['no base64', `web01 ssh-ed25519 ${ED}!`],
    ['a type that is not supported', 'web01 ssh-dss AAAAB3NzaC1kc3MAAACBAP'],
    ['the form of SSH 1', 'web01 1024 35 1234567890'],
    ['a hash that is none', line('|1|short|short')],
    ['a name with control characters', line('web\u001b[31m01')],
    ['too many names', line(Array.from({ length: 129 }, (_, n) => `h${String(n)}`).join(','))],
    ['a name that is too long', line('a'.repeat(1024))],
    ['a line that is too long', line('a,'.repeat(9000))],
    ['a property of every object', line('web01', '@constructor ')],
  ])('does not take %s, and says so', (_what, text) => {
    const { lines, problems } = readKnownHosts(`${line('good')}\n${text}\n${line('good2')}`);
    expect(lines.map(({ hosts }) => hosts)).toEqual(['good', 'good2']);
    expect(problems).toEqual([{ line: 2, why: expect.any(String) as string }]);
  });

  it('names the first 50 problems of a hostile file and counts the others', () => {
    const { problems, problemCount } = readKnownHosts('x\n'.repeat(100_000));
    expect([problems.length, problemCount]).toEqual([50, 100_000]);
  });

  it('takes any text without a throw, and gives back what it took', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        const { lines } = readKnownHosts(text);
        const again = readKnownHosts(lines.map(writeLine).join('\n'));
        expect(again.lines.map(writeLine)).toEqual(lines.map(writeLine));
        expect(again.problems).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });
});

describe('matching', () => {
  it('does not double its work with each star', () => {
    const name = 'a'.repeat(253);
    const start = process.cpuUsage();
    expect(matchesHost(`${'*a'.repeat(300)}b`, name)).toBe(false);
    // Time of this process and not of the clock: others may have the machine meanwhile.
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(250);
  });
  it('finds a hashed name by its own port only', () => {
    const hosts = hashName(knownHostName('Web01', 2222));
    expect([matchesHost(hosts, '[web01]:2222'), matchesHost(hosts, 'web01'), matchesHost(hosts, '[web01]:22')]).toEqual(
      [true, false, false],
    );
  });
});

const hasKeygen = spawnSync('ssh-keygen', ['-?']).error === undefined;
describe.skipIf(!hasKeygen)('beside ssh-keygen -F (skipped: no ssh-keygen)', () => {
  let directory = '';
  beforeAll(() => (directory = mkdtempSync(path.join(tmpdir(), 'sallyport-known-'))));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const label = fc.constantFrom('a', 'web01', 'x-y');
  const host = fc.oneof(
    fc.array(label, { minLength: 1, maxLength: 2 }).map((labels) => labels.join('.')),
    fc.constantFrom('10.0.0.5', '::1', '2001:db8::7'),
  );
  const name = fc.tuple(host, fc.constantFrom(22, 22, 2222)).map(([text, port]) => knownHostName(text, port));
  const pattern = fc.tuple(name, fc.nat(20), fc.constantFrom('', '', '', '!'), fc.constantFrom('*', '?', '')).map(
    ([text, at, negation, wild]) => negation + text.slice(0, at) + wild + text.slice(at + (wild === '?' ? 1 : 0)),
  ); // prettier-ignore
  const hosts = fc.oneof(
    fc.array(fc.oneof(name, pattern), { minLength: 1, maxLength: 4 }).map((all) => all.join(',')),
    name.map(hashName),
    name.map((text) => text.toUpperCase()),
  );
  const marker = fc.constantFrom('', '', '', '@revoked ', '@cert-authority ');
  const junk = fc.constantFrom('# comment', '', '   ', '@nothing web01 ssh-ed25519 AAAA', 'web01');
  const fileLine = fc.oneof({ weight: 6, arbitrary: fc.tuple(hosts, marker).map(([a, b]) => line(a, b)) }, junk);

  it('the same lines are found, with the same markers', () => {
    const file = path.join(directory, 'given');
    const found = (text: string): string[] => {
      const { stdout } = spawnSync('ssh-keygen', ['-F', text, '-f', file], { encoding: 'utf8' });
      return [...stdout.matchAll(/^# Host .* found: line (\d+) ?(CA|REVOKED)?/gm)].map(
        ([, at = '', mark = '']) => `${at} ${mark}`,
      );
    };
    const words = { '': '', revoked: 'REVOKED', 'cert-authority': 'CA' } as const;
    let hits = 0;
    fc.assert(
      fc.property(fc.array(fileLine, { minLength: 1, maxLength: 12 }), name, (all, wanted) => {
        const text = `${all.join('\n')}\n`;
        writeFileSync(file, text);
        const ours = readKnownHosts(text)
          .lines.filter((each) => matchesHost(each.hosts, wanted))
          .map((each) => `${String(each.line)} ${words[each.marker]}`);
        hits += ours.length;
        expect(ours).toEqual(found(wanted));
      }),
      { numRuns: 120, seed: 20_261_121 },
    );
    expect(hits).toBeGreaterThan(50);
  });

  it('finds what we hash and write', () => {
    const file = path.join(directory, 'written');
    writeFileSync(
      file,
      `${writeLine({ marker: '', hosts: hashName('[web01]:2222'), keyType: 'ssh-ed25519', key: ED })}\n`,
    );
    expect(execFileSync('ssh-keygen', ['-F', '[web01]:2222', '-f', file], { encoding: 'utf8' })).toContain('line 1');
    expect(spawnSync('ssh-keygen', ['-F', 'web01', '-f', file]).status).toBe(1);
  });
});
