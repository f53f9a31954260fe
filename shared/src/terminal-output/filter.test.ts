import fc from 'fast-check';
import { Terminal } from '@xterm/headless';
import { describe, expect, it } from 'vitest';
import { createOutputFilter } from './filter.ts';
import { colouredText, printableText, visibleText } from './visible-text.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);

function run(input: Uint8Array, cuts: readonly number[] = []) {
  const titles: string[] = [];
  const answers: string[] = [];
  const filter = createOutputFilter({ title: (t) => titles.push(t), answer: (a) => answers.push(a) });
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const cut of [...cuts, input.length]) {
    parts.push(filter.push(input.slice(from, cut)));
    from = cut;
  }
  return { out: Buffer.concat(parts).toString('latin1'), titles, answers, filter };
}
const shown = (input: string): string => Buffer.from(run(bytes(input)).out, 'latin1').toString('utf8');

describe('what passes', () => {
  it.each([
    ['text', 'plain 日本語 👩‍👩‍👧 é\r\n\t'],
    ['text with U+00A9', '© 2026 §'],
    ['colour', '\x1b[1;38;2;1;2;3mred\x1b[0m'],
    ['cursor', '\x1b[2J\x1b[H\x1b[10;20Hx\x1b[3A\x1b7\x1b8'],
    ['alternate screen and modes', '\x1b[?1049h\x1b[?2004h\x1b[?1000;1006h\x1b[?2026h\x1b[?2026l\x1b[?25l'],
    ['questions that vim asks', '\x1b[c\x1b[>c\x1b[6n\x1b[?2026$p'],
    ['cursor shape, soft reset, charset', '\x1b[2 q\x1b[!p\x1b(0qqq\x1b(B'],
    ['link', '\x1b]8;id=1;https://example.org/a?b=%20\x1b\\here\x1b]8;;\x1b\\'],
  ])('%s', (_name, input) => {
    expect(shown(input)).toBe(input);
  });

  it('hands a plain chunk through uncopied', () => {
    const chunk = bytes('\x1b[31mhello © wörld\x1b[m\r\n');
    expect(createOutputFilter().push(chunk)).toBe(chunk);
  });

  it('puts an 8-bit CSI into its 7-bit form and ends a link with ST', () => {
    expect(shown('\u009b31mx')).toBe('\x1b[31mx');
    expect(shown('\x1b]8;;http://a\x07')).toBe('\x1b]8;;http://a\x1b\\');
  });
});

describe('what is dropped', () => {
  const attacks = [
    ['clipboard write', '\x1b]52;c;aGk=\x07'],
    ['clipboard read', '\x1b]52;c;?\x1b\\'],
    ['working directory', '\x1b]7;file://evil/\x1b\\'],
    ['notification', '\x1b]9;hi\x07'],
    ['prompt marks', '\x1b]133;A\x07'],
    ['urxvt notification', '\x1b]777;notify;a;b\x07'],
    ['iTerm2 file', '\x1b]1337;File=name=YQ==:QUJD\x07'],
    ['palette', '\x1b]4;1;rgb:ff/00/00\x1b\\'],
    ['colour question', '\x1b]11;?\x1b\\'],
    ['link to a script', '\x1b]8;;javascript:alert(1)\x1b\\'],
    ['link to a file', '\x1b]8;;file:///etc/passwd\x1b\\'],
    ['link with a bidi address', '\x1b]8;;http://a/\u202egpj.exe\x1b\\'],
    ['sixel', '\x1bPq#0;2;0;0;0#0~~@@\x1b\\'],
    ['key definition', '\x1bP0;1|17/0a\x1b\\'],
    ['APC', '\x1b_Gf=24;AAAA\x1b\\'],
    ['PM', '\x1b^private\x1b\\'],
    ['SOS', '\x1bXstart\x1b\\'],
    ['resize', '\x1b[8;10;10t'],
    ['title report', '\x1b[21t'],
    ['window report', '\x1b[14t'],
    ['answerback', '\x05'],
    ['identify', '\x1bZ'],
    ['terminal name', '\x1b[>0q'],
    ['checksum of the screen', '\x1b[1;1;1;1;1;1*y'],
    ['print', '\x1b[5i'],
    ['8-bit OSC', '\u009d52;c;aGk=\u009c'],
    ['8-bit DCS', '\u0090qabc\u009c'],
    ['8-bit window operation', '\u009b21t'],
    ['ST alone', '\x1b\\'],
  ] as const;

  it.each(attacks)('%s', (_name, input) => {
    const whole = bytes(`a${input}b`);
    expect(text(Buffer.from(run(whole).out, 'latin1'))).toBe('ab');
    for (let cut = 0; cut <= whole.length; cut += 1) expect(run(whole, [cut]).out).toBe('ab');
  });

  it('does not build a C1 control from a broken character', () => {
    expect(run(Uint8Array.of(0xc2, 0xc2, 0x9b, 0x32, 0x31, 0x74)).out).not.toContain('\x9b');
    expect(run(Uint8Array.of(0xc2, 0xc2, 0x9b, 0x32, 0x31, 0x74), [1, 2, 3]).out).not.toContain('\x9b');
  });

  it('does not build a C1 control around a dropped sequence', () => {
    const input = Uint8Array.from([0xc2, ...bytes('\x1b]0;t\x07'), 0x9b, 0x32, 0x31, 0x74]);
    for (const cuts of [[], [1], [7], [1, 7]]) expect(run(input, cuts).out).toBe('\x9b21t');
  });

  it('shows text that breaks a sequence off', () => {
    expect(shown('\x1b[31é')).toBe('é');
    expect(shown('\x1b[3©x')).toBe('©x');
    expect(shown('\x1b]0;t\x18x')).toBe('x');
    expect(shown('\x1b[3\n1mx')).toBe('\n\x1b[31mx');
  });
});

describe('titles, answers, limits', () => {
  it('reports a title as 128 printable characters', () => {
    const { titles, out } = run(bytes(`\x1b]0;ann\u202e@web ${'x'.repeat(300)}\x07\x1b]2;\x1b\\ok`));
    expect(titles).toEqual([`ann@web ${'x'.repeat(120)}`, '']);
    expect(out).toBe('ok');
  });

  it('answers DECRQSS with constants', () => {
    const { answers, out } = run(bytes('\x1bP$qm\x1b\\\x1bP$q q\x1b\\\x1bP$qz\x1b\\'));
    expect(answers).toEqual(['\x1bP1$r0m\x1b\\', '\x1bP1$r1 q\x1b\\', '\x1bP0$r\x1b\\']);
    expect(out).toBe('');
  });

  it('drops and counts a string over 64 KiB, and goes on', () => {
    const { filter, out, titles } = run(bytes(`\x1b]0;${'t'.repeat(70_000)}\x07after`));
    expect([out, titles, filter.overlong, filter.dropped]).toEqual(['after', [], 1, 1]);
  });
});

const noise = fc.oneof(
  fc.constantFrom('\x1b', '\x1b[', '\x1b]', '\x1bP', '\x1b\\', '\x07', '\u009b', '\u009c', '\u009d', '\x18', '\x05'),
  fc.constantFrom('0;t', '52;c;?', '8;;http://a', '21t', '1;31m', '?1049h', '$qm', 'é', '日', '\x00', '\n', ' q', '"'),
  fc.string({ maxLength: 4 }),
);
const stream = fc
  .array(
    fc.oneof({ weight: 9, arbitrary: noise.map(bytes) }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 4 }) }),
  )
  .map((parts) => Uint8Array.from(Buffer.concat(parts)));

describe('for any stream', () => {
  it('gives the same whatever the chunks are', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(200)), (input, at) => {
        const whole = run(input);
        const cuts = [...new Set(at.map((n) => n % (input.length + 1)))].sort((a, b) => a - b);
        const single = Array.from(input.keys());
        for (const parts of [cuts, single]) {
          const split = run(input, parts);
          expect(split.out).toBe(whole.out);
          expect(split.titles).toEqual(whole.titles);
          expect(split.filter.dropped).toBe(whole.filter.dropped);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('gives something that passes unchanged a second time', () => {
    fc.assert(
      fc.property(stream, (input) => {
        const once = run(input).out;
        expect(run(Buffer.from(once, 'latin1')).out).toBe(once);
      }),
      { numRuns: 3000 },
    );
  });

  it('never sets a title, or sends more than known answers, in a real terminal', async () => {
    const terminal = new Terminal({ cols: 80, rows: 24, logLevel: 'off' });
    const sent: string[] = [];
    let titles = 0;
    terminal.onTitleChange(() => (titles += 1));
    terminal.onData((data) => sent.push(data));
    const samples = fc.sample(stream, { numRuns: 2000, seed: 7 });
    const filter = createOutputFilter();
    for (const sample of samples) await new Promise<void>((done) => terminal.write(filter.push(sample), () => done()));
    expect(titles).toBe(0);
    for (const answer of sent) expect(answer).toMatch(/^\x1b\[[?>]?[\d;]*[cRn]$|^\x1b\[\??\d*;\d*\$y$/);
    terminal.dispose();
  });
});

describe('text for people', () => {
  it('keeps colours of host text and nothing else', () => {
    expect(colouredText('\x1b[31mred\x1b[0m\x1b]0;t\x07\x1b[2J\x1b[?1049h\x1b]52;c;x')).toBe('\x1b[31mred\x1b[0m');
    expect(colouredText('a\u009b31mb\x05\x1bPq\x1b\\c\td\r\n\x1b')).toBe('abc\td\r\n');
  });
  it('shows hidden characters as marks', () => {
    expect(visibleText('a\x1b[31m\u202eb\r\n\tc\u009b', 100)).toBe('a^[[31m<202E>b\n\tc<009B>');
    expect(visibleText('abcdef', 3)).toBe('abc…');
    expect(printableText('a\x1b\u200bb\n', 9)).toBe('ab');
  });
  it('leaves no control in coloured text but the listed ones', () => {
    fc.assert(
      fc.property(stream, (input) => {
        const out = colouredText(text(input)).replace(/\x1b\[[0-9;:]*m/g, '');
        expect(out).not.toMatch(/[\x00-\x06\x0b\x0c\x0e-\x1f\x7f-\x9f]/);
      }),
    );
  });
});
