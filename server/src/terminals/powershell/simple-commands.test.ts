import { displayText, listItems } from '@sallyport/psrp';
import { describe, expect, it } from 'vitest';
import { completeFrom } from './completion.ts';
import { type CommandTable, parseSimpleCommands } from './simple-commands.ts';

const table: CommandTable = new Map([
  [
    'get-thing',
    {
      name: 'Get-Thing',
      parameters: [
        { name: 'Name', isSwitch: false },
        { name: 'Recurse', isSwitch: true },
      ],
    },
  ],
  ['get-date', { name: 'Get-Date', parameters: [] }],
]);
/** Commands as text; lists in brackets. */
const parsed = (text: string) =>
  parseSimpleCommands(text, table)?.map((statement) =>
    statement.map(({ command, parameters = [] }) => [
      command,
      ...parameters.map(({ name, value }) => {
        const items = listItems(value);
        const shown = items === null ? value : items.map(displayText);
        return name === null ? shown : [name, shown];
      }),
    ]),
  ) ?? null;

describe('parseSimpleCommands', () => {
  it.each([
    ['Get-Date', [[['Get-Date'], ['Out-Default']]]],
    ['a b 12 -5 1.5 9999999999', [[['a', 'b', 12, -5, '1.5', 9999999999n], ['Out-Default']]]],
    [`a 'it''s' "x y" ''`, [[['a', "it's", 'x y', ''], ['Out-Default']]]],
    ['a $true $NULL', [[['a', true, null], ['Out-Default']]]],
    ['a b,c, "d e"', [[['a', ['b', 'c', 'd e']], ['Out-Default']]]],
    ['Get-Thing -Name x -Recurse y', [[['Get-Thing', ['Name', 'x'], ['Recurse', true], 'y'], ['Out-Default']]]],
    ['get-thing -rec x -Name:y', [[['get-thing', ['rec', true], 'x', ['Name', 'y']], ['Out-Default']]]],
    ['a -Unknown x -Last', [[['a', ['Unknown', 'x'], ['Last', true]], ['Out-Default']]]],
    ['a -Recurse:$false', [[['a', ['Recurse', false]], ['Out-Default']]]],
    [
      'a | b x ; c',
      [
        [['a'], ['b', 'x'], ['Out-Default']],
        [['c'], ['Out-Default']],
      ],
    ],
    [
      'a\nb',
      [
        [['a'], ['Out-Default']],
        [['b'], ['Out-Default']],
      ],
    ],
  ])('%s', (text, expected) => {
    expect(parsed(text)).toEqual(expected);
  });

  it.each([
    [
      '1+1; $x',
      'a $x',
      'a (b)',
      'a { b }',
      'a @{x=1}',
      'a > f',
      '& a',
      'a || b',
      'a &&b',
      'a "b$c"',
      'a `n',
      "a 'b",
      'a ,b c,',
      "a'b'",
    ],
    ['| a', 'a |', '-x a', '', ' ; ', '5', '# c', 'a "b`"'],
  ])('refuses what is more than commands', (...texts) => {
    for (const text of texts) expect([text, parsed(text)]).toEqual([text, null]);
  });
});

describe('completeFrom', () => {
  const texts = (text: string) => completeFrom(table, text, text.length).matches.map((match) => match.text);
  it('completes names of commands and parameters', () => {
    expect(texts('get-')).toEqual(['Get-Date', 'Get-Thing']);
    expect(texts('Get-Date | get-t')).toEqual(['Get-Thing']);
    expect(completeFrom(table, 'Get-Thing -r x', 12)).toMatchObject({ index: 10, length: 2, more: 0 });
    expect(texts('Get-Thing -')).toEqual(['-Name', '-Recurse']);
    expect(texts('Get-Thing x')).toEqual([]);
  });
});
