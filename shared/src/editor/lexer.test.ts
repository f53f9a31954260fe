import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Verdict, verdictOf } from './lexer.ts';

/** The list of line-editor.md section 3; `!` marks where we differ from PowerShell 7.6 on purpose. */
const CASES = `
C:Get-Date ¦ C:␠␠␠ ¦ I:'abc ¦ I:'it''s ¦ C:'it''s' ¦ I:"abc ¦ I:"a\`" ¦ C:"a""b" ¦ C:'a⏎b' ¦ I:a b'c ¦ C:a"b c"d
I:"a $(Get-Date" ¦ C:"a $(Get-Date)" ¦ C:"$("x")" ¦ I:"$(')')" ¦ C:$(')') ¦ I:a$(')') ¦ I:"$({)" ¦ C:"a \`$(" ¦ I:"\${a" ¦ C:\${a b}
I:@' ¦ I:@'⏎abc ¦ I:@'⏎abc'@ ¦ C:@'⏎abc⏎'@ ¦ I:@'⏎abc⏎ '@ ¦ C:@'␠⏎abc⏎'@ ¦ E:@'x ¦ C:@'⏎'@ ¦ I:f @'⏎a⏎'@ @' ¦ C:@"⏎$(1)⏎"@ | b ¦ I:(@'⏎a⏎'@
I:( ¦ I!:(⏎ ¦ C:(1+2) ¦ E:1) ¦ E:} ¦ C:] ¦ I:a ) ( ¦ I:$a[0 ¦ I!:$a[0⏎ ¦ C:a [b ¦ E:[int ¦ C:[int] ¦ I:[ValidateSet('a', ¦ I:@{a=1; ¦ C:@{a=1⏎b=2} ¦ I:$x.foo(1
I:& { a ¦ I:a{b ¦ C:a\`{ ¦ C:1..3 | % { $_ } ¦ I:1..3|%{$_ ¦ I:a -x:--% ( ¦ C:a --% ( ¦ C:a --% "x | ( ¦ I:a --% x | ( ¦ I:a --% x⏎b ( ¦ I:(a --% )
W:a | ¦ W!:a |⏎ ¦ C:a |⏎b ¦ W:a && ¦ W:a || ¦ C:a & ¦ W:1 + ¦ C:1 +⏎⏎2 ¦ W:$x = ¦ W:1 -eq ¦ W:'a' -replace ¦ C:a -replace ¦ C:a - ¦ C:a + ¦ W:1, ¦ W!:a, ¦ W:a b,
W:$x. ¦ W:[int]:: ¦ C:x. ¦ W:-not ¦ W:! ¦ C:$x++ ¦ W:$x ? 1 : ¦ C:? a ¦ W:a \` ¦ C:a\` ¦ C:a \`⏎ ¦ C:a \`⏎b ¦ W:1 + # c ¦ E:a > ¦ C:a 2>&1
C:# ( ¦ C:a # | ¦ C:a#b ¦ C:(a)#b( ¦ C:$b#( ¦ I:a $b#( ¦ I:a -x#( ¦ C:a 'x'#( ¦ C:a {b}#( ¦ I:<# a ¦ C:a <# b⏎c #> d ¦ C:a<#b ¦ I:{ # } ¦ C:{ # }⏎} ¦ C:"<#" ¦ I:a '#' (
W:if ¦ W:if ($a) ¦ W!:if ($a)⏎ ¦ I:if ($a) { ¦ C:if ($a) { b } ¦ W:if ($a) { b } else ¦ W:try { a } ¦ C:try { a } catch { } ¦ W:do { a } ¦ C:do { a } while ($b)
W:while (1) ¦ W:for(;;) ¦ C:foreach ($i in 1) { } ¦ W:switch ($a) ¦ W:function f ¦ C:function f { } ¦ W:class A : B ¦ C:a if ¦ W:$x = try {1} ¦ C:return ¦ W:using module
I:“abc ¦ C:‘abc' ¦ I:"😀 ¦ C:a;; ¦ W:a;b| ¦ E:a|; ¦ C:a⏎| b ¦ I:git log --format='%h ¦ C:x = @'⏎a⏎'@
`
  .trim()
  .split(/\n| ¦ /)
  .map((entry) => /^(.)!?:([\s\S]*)$/.exec(entry.replaceAll('␠', ' ').replaceAll('⏎', '\n')))
  .map((match): [string, string] => [match?.[1] ?? '', match?.[2] ?? '']);

const REAL_LIFE: readonly [Verdict, string][] = [
  ['C', 'Get-ChildItem -Path C:\\Temp -Filter *.log | Where-Object { $_.Length -gt 1kb } | Sort-Object Length'],
  ['C', '$a = 1; $b = $a + 2; "$a and $($b * 2)"'],
  ['C', 'function f { param([int]$x = 3)\n  if ($x -gt 2) { "big" } elseif ($x -eq 2) { "two" } else { "small" }\n}'],
  ['C', 'try { 1/0 } catch [System.Exception] { $_.Message } finally { 2 }'],
  ['C', '$h = @{ a = 1; "b c" = @(1, 2, 3) }; $h.a; $h["b c"][0].ToString()'],
  ['C', 'switch -Regex ($x) { "^a" { 1 } default { 2 } }'],
  ['C', '[System.Math]::Round(3.14159, 2)'],
  ['C', 'if ($a) { b }\nelse { c }'],
  ['C', '$x = if ($true) { 1 } else { 2 }'],
  ['C', 'foreach ($x in 1..3) { $x }'],
  ['C', '1..3 | foreach { $_ }'],
  ['C', '[CmdletBinding()]param() 1'],
  ['C', '$x?.y; $a ?? 3; $true ? 1 : 2'],
  ['C', '& "C:\\Program Files\\x.exe" -a b 2>&1 > out.txt'],
  ['C', 'do { $i++ } until ($i -ge 3)'],
  ['C', 'class P { [int]$X; P([int]$x) { $this.X = $x } }'],
  ['C', 'Write-Host "a" -ForegroundColor Red; Start-Sleep -Milliseconds 5'],
  ['C', 'ls -la /tmp'],
  ['C', '-1'],
  ['C', '"a" + "b" -eq "ab"'],
  ['C', '$a = -not $b'],
  ['C', 'git commit -m "fix: it is done"'],
  ['I', 'function f {\n  if ($x) {\n    1\n  }'],
  ['W', 'Get-Process |'],
];

describe('verdict', () => {
  it('reads the whole list', () => expect(CASES.length).toBeGreaterThan(130));
  it.each(CASES)('%s: %s', (verdict, text) => {
    expect(verdictOf(text)).toBe(verdict);
  });
  it.each(REAL_LIFE)('%s: %s', (verdict, text) => {
    expect(verdictOf(text)).toBe(verdict);
  });
  it('gives a verdict on every prefix', () => {
    for (const [, text] of CASES)
      for (let n = 0; n <= text.length; n += 1) expect('IWEC').toContain(verdictOf(text.slice(0, n)));
  });
  it('ends on any text', () => {
    const part = fc.constantFrom(
      '$(',
      '"',
      "'",
      '`',
      '\n',
      '@"',
      '(',
      ')',
      '{',
      '}',
      '[',
      ']',
      '#',
      ' ',
      'a',
      '-',
      '.',
      '=',
      '|',
      ';',
      'if',
      '1',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(part).map((parts) => parts.join('')),
          fc.string(),
        ),
        (text) => {
          expect('IWEC').toContain(verdictOf(text));
        },
      ),
    );
    expect(verdictOf('"$('.repeat(5000))).toBe('I');
  });
});
