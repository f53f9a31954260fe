/** What the head of a statement still needs. */
export type Need = '(' | '{' | 'name' | 'while' | 'catch';

/** Quotes of one kind close each other. */
export const SINGLE = "'\u2018\u2019\u201a\u201b";
/** Double quotes: the text between is expanded. */
export const DOUBLE = '"\u201c\u201d\u201e';
/** Characters that end a bare word. */
export const WORD_END = ' \t\n;|&(){},';

/** Keywords that open a statement, with what must follow. */
export const HEADS: ReadonlyMap<string, readonly Need[]> = new Map<string, readonly Need[]>([
  ...['if', 'elseif', 'while', 'switch', 'for', 'foreach'].map((word) => [word, ['(', '{']] as const),
  ['until', ['(']] as const,
  ...['else', 'begin', 'process', 'end', 'clean', 'dynamicparam', 'finally', 'catch', 'trap', 'data'].map(
    (word) => [word, ['{']] as const,
  ),
  ['do', ['{', 'while', '(']] as const,
  ['try', ['{', 'catch', '{']] as const,
  ...['function', 'filter', 'class', 'enum', 'workflow', 'configuration'].map((w) => [w, ['name', '{']] as const),
  ['using', ['name', 'name']] as const,
]);
/** Words after which a new statement part begins. */
export const PASS_ON = new Set(['return', 'throw', 'exit', 'break', 'continue', 'in', 'param']);
