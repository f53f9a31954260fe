/**
 * Is this text complete? A hand-written pass over PowerShell text that never throws. It knows quotes, here-strings,
 * brackets, comments, trailing operators and the heads of statements; it is no parser, the target has the last word.
 * line-editor.md section 3.
 */

import { DOUBLE, HEADS, type Need, PASS_ON, SINGLE, WORD_END } from './lexer-tables.ts';

/** I: something is open. W: something must follow. E: surely wrong. C: complete. */
export type Verdict = 'I' | 'W' | 'E' | 'C';

type Position = 'start' | 'argument' | 'expression';

/** Code between two brackets, or the whole text. */
interface Frame {
  readonly closer: '' | ')' | '}' | ']';
  /** An open type literal is wrong, an open index is incomplete. */
  readonly isTypeLiteral: boolean;
  position: Position;
  /** Something must follow: an operator, a comma, a pipe. */
  isPending: boolean;
  /** What the head of the statement still needs, in order. */
  needs: Need[];
  /** Keywords are known only here: at the start of a statement and after `=`. */
  mayBeKeyword: boolean;
  /** The last token was a value that ended right before this place. */
  isAfterValue: boolean;
  /** A `do` whose block was seen: `while` then needs no block. */
  isAfterDo: boolean;
}
const newFrame = (closer: Frame['closer'], isTypeLiteral = false): Frame => ({
  closer,
  isTypeLiteral,
  position: closer === ']' ? 'expression' : 'start',
  isPending: false,
  needs: [],
  mayBeKeyword: true,
  isAfterValue: false,
  isAfterDo: false,
});

class Lexer {
  readonly #text: string;
  #at = 0;
  readonly #stack: Frame[] = [newFrame('')];
  #isOpen = false;
  #isWrong = false;
  #isPendingAtEnd = false;
  readonly #depth: number;

  constructor(text: string, depth: number) {
    this.#text = text;
    this.#depth = depth;
  }

  verdict(): Verdict {
    while (this.#at < this.#text.length) this.#token();
    const open = this.#stack.slice(1);
    if (this.#isOpen || open.some((frame) => !frame.isTypeLiteral)) return 'I';
    if (open.length > 0) return 'E';
    const { isPending, needs } = this.#frame;
    if (isPending || needs.length > 0 || this.#isPendingAtEnd) return 'W';
    return this.#isWrong ? 'E' : 'C';
  }

  get #frame(): Frame {
    return this.#stack[this.#stack.length - 1] ?? newFrame('');
  }
  #peek(offset = 0): string {
    return this.#text.charAt(this.#at + offset);
  }
  #starts(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #token(): void {
    const char = this.#peek();
    const frame = this.#frame;
    if (char === ' ' || char === '\t' || char === '\u00a0') {
      this.#at += 1;
      frame.isAfterValue = false;
    } else if (char === '\n') this.#newline(frame);
    else if (char === '#') this.#lineComment();
    else if (this.#starts('<#')) this.#blockComment();
    else if (char === '`') this.#backtick(frame);
    else if (this.#separator(char, frame)) return;
    else if (this.#bracket(char, frame)) return;
    else if (this.#string(char, frame)) return;
    else if (char === '$') this.#variable(frame);
    else if (frame.position === 'argument') this.#argument(frame);
    else if (frame.position === 'start') this.#start(char, frame);
    else this.#operator(char, frame);
  }

  #newline(frame: Frame): void {
    this.#at += 1;
    frame.isAfterValue = false;
    if (!frame.isPending && frame.closer !== ']') this.#endStatement(frame);
  }
  #endStatement(frame: Frame): void {
    frame.position = 'start';
    frame.mayBeKeyword = true;
    frame.isAfterValue = false;
  }

  #lineComment(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }
  #blockComment(): void {
    const end = this.#text.indexOf('#>', this.#at + 2);
    if (end < 0) this.#isOpen = true;
    this.#at = end < 0 ? this.#text.length : end + 2;
  }

  /** Joins lines when white space stands before it and the line ends after it; else it escapes one character. */
  #backtick(frame: Frame): void {
    const next = this.#peek(1);
    if (next === '') {
      this.#isPendingAtEnd = true;
      this.#at += 1;
    } else if (next === '\n') this.#at += 2;
    else this.#word(frame);
  }

  #separator(char: string, frame: Frame): boolean {
    if (char === ';') {
      if (frame.isPending) this.#isWrong = true;
      frame.isPending = false;
      this.#endStatement(frame);
      this.#at += 1;
      return true;
    }
    if (char === '|' || this.#starts('&&')) {
      const isDouble = this.#peek(1) === char;
      if (frame.isPending) this.#isWrong = true;
      this.#follow(frame, isDouble ? 2 : 1, 'start');
      frame.mayBeKeyword = false;
      return true;
    }
    if (char === '&' || (char === '.' && frame.position === 'start' && /[\s'"(&$]/.test(this.#peek(1) || ' '))) {
      const isCall = frame.position === 'start';
      this.#at += 1;
      if (isCall) frame.mayBeKeyword = false;
      else this.#endStatement(frame);
      return true;
    }
    if (char === ',') {
      this.#follow(frame, 1, frame.position === 'argument' ? 'argument' : 'expression');
      return true;
    }
    if (char === '>' && frame.position !== 'start') {
      this.#redirection(frame);
      return true;
    }
    return false;
  }
  /** An operator of `length` after which something must come. */
  #follow(frame: Frame, length: number, position: Position): void {
    this.#at += length;
    frame.isPending = true;
    frame.position = position;
    frame.isAfterValue = false;
    frame.needs = [];
  }
  #redirection(frame: Frame): void {
    this.#at += this.#peek(1) === '>' ? 2 : 1;
    if (/^&[12]/.test(this.#text.slice(this.#at, this.#at + 2))) this.#at += 2;
    else if (this.#text.slice(this.#at).trim() === '') this.#isWrong = true;
    frame.isAfterValue = false;
  }

  #bracket(char: string, frame: Frame): boolean {
    const isArgument = frame.position === 'argument';
    if (char === '(' || char === '{') this.#push(frame, char === '(' ? ')' : '}', 1);
    else if (char === '@' && (this.#peek(1) === '(' || this.#peek(1) === '{'))
      this.#push(frame, this.#peek(1) === '(' ? ')' : '}', 2);
    else if (char === '$' && this.#peek(1) === '(') this.#push(frame, ')', 2);
    else if (char === '[' && !isArgument) {
      const isIndex = frame.isAfterValue;
      this.#value(frame);
      this.#at += 1;
      this.#stack.push(newFrame(']', !isIndex));
    } else if (char === ']' && frame.closer === ']') this.#pop();
    else if (char === ')' || char === '}') this.#close(char);
    else return false;
    return true;
  }
  #push(frame: Frame, closer: ')' | '}', length: number): void {
    const opener = closer === ')' ? '(' : '{';
    const need = frame.needs[0];
    if (need === opener) frame.needs.shift();
    else if (need === '{' && opener === '(') {
      // Parameters of a function, the condition of a switch with options: the block still has to come.
    } else if (need !== undefined && length === 1) frame.needs = [];
    if (frame.position === 'start') frame.position = 'expression';
    frame.isPending = false;
    frame.mayBeKeyword = false;
    this.#at += length;
    this.#stack.push(newFrame(closer));
  }
  #close(char: string): void {
    // A type literal that is still open when an outer bracket closes is wrong, and over.
    while (this.#frame.closer === ']' && this.#frame.isTypeLiteral) {
      this.#isWrong = true;
      this.#stack.pop();
    }
    if (this.#frame.closer === char) this.#pop();
    else {
      this.#isWrong = true;
      this.#at += 1;
    }
  }
  #pop(): void {
    const inner = this.#stack.pop();
    if (inner?.isPending === true) this.#isWrong = true;
    this.#at += 1;
    const frame = this.#frame;
    frame.isAfterValue = true;
    // After the block of a statement another part of it may come: else, catch, while.
    if (inner?.closer === '}' && frame.position !== 'argument') {
      frame.mayBeKeyword = true;
      if (frame.needs[0] === 'while' || frame.needs[0] === 'catch') frame.position = 'start';
    }
  }

  #value(frame: Frame): void {
    frame.isPending = false;
    frame.mayBeKeyword = false;
    frame.isAfterValue = true;
    if (frame.position === 'start') frame.position = 'expression';
    if (frame.needs[0] === 'name') frame.needs.shift();
  }

  #string(char: string, frame: Frame): boolean {
    const next = this.#peek(1);
    if (char === '@' && next !== '' && (SINGLE + DOUBLE).includes(next)) {
      this.#value(frame);
      this.#hereString(SINGLE.includes(next) ? SINGLE : DOUBLE);
    } else if (SINGLE.includes(char) || DOUBLE.includes(char)) {
      this.#value(frame);
      this.#quoted(SINGLE.includes(char) ? SINGLE : DOUBLE);
    } else return false;
    return true;
  }
  #hereString(quotes: string): void {
    this.#at += 2;
    const header = this.#text.indexOf('\n', this.#at);
    const rest = this.#text.slice(this.#at, header < 0 ? undefined : header);
    if (rest.trim() !== '') {
      this.#isWrong = true;
      return;
    }
    let line = header;
    while (line >= 0) {
      if (quotes.includes(this.#text.charAt(line + 1) || ' ') && this.#text.charAt(line + 2) === '@') {
        if (quotes === DOUBLE) this.#embedded(header + 1, line);
        this.#at = line + 3;
        return;
      }
      line = this.#text.indexOf('\n', line + 1);
    }
    this.#isOpen = true;
    this.#at = this.#text.length;
  }
  /** Subexpressions inside a span of expandable text that is closed. */
  #embedded(start: number, end: number): void {
    const outer = this.#at;
    this.#at = start;
    while (this.#at < end) {
      if (this.#peek() === '`') this.#at += 2;
      else if (this.#starts('$(')) this.#subexpression(end);
      else this.#at += 1;
    }
    this.#at = outer;
  }
  #quoted(quotes: string): void {
    this.#at += 1;
    while (this.#at < this.#text.length) {
      const char = this.#peek();
      if (quotes === DOUBLE && char === '`') this.#at += 2;
      else if (quotes === DOUBLE && this.#starts('$(')) this.#subexpression(this.#text.length);
      else if (quotes === DOUBLE && this.#starts('${')) this.#braced();
      else if (!quotes.includes(char)) this.#at += 1;
      else if (quotes.includes(this.#peek(1) || ' ')) this.#at += 2;
      else {
        this.#at += 1;
        return;
      }
    }
    this.#isOpen = true;
  }
  /**
   * `$(` inside a string or a bare word: PowerShell first cuts it out by counting parentheses only, then reads the inside
   * as code of its own; hence `"$(')')"` is incomplete.
   */
  #subexpression(limit: number): void {
    const start = this.#at + 2;
    let depth = 1;
    let at = start;
    for (; at < limit && depth > 0; at += 1) {
      const char = this.#text.charAt(at);
      if (char === '(') depth += 1;
      else if (char === ')') depth -= 1;
    }
    this.#at = at;
    if (depth > 0) {
      this.#isOpen = true;
      return;
    }
    if (this.#depth >= MAX_NESTED_STRINGS) return;
    const inner = new Lexer(this.#text.slice(start, at - 1), this.#depth + 1).verdict();
    if (inner === 'I' || inner === 'W') this.#isOpen = true;
    else if (inner === 'E') this.#isWrong = true;
  }
  #braced(): void {
    this.#at += 2;
    while (this.#at < this.#text.length && this.#peek() !== '}') this.#at += this.#peek() === '`' ? 2 : 1;
    if (this.#at >= this.#text.length) this.#isOpen = true;
    this.#at += 1;
  }

  #variable(frame: Frame): void {
    const wasArgument = frame.position === 'argument';
    this.#value(frame);
    if (this.#peek(1) === '{') this.#braced();
    else this.#at += /^\$(?:[\w:?]+|[$^])?/.exec(this.#text.slice(this.#at, this.#at + 256))?.[0].length ?? 1;
    if (wasArgument && !WORD_END.includes(this.#peek() || ' ')) this.#word(frame);
    else this.#member();
  }
  /** `.name` and `::name` after a value; without a name they must go on. */
  #member(): void {
    const dots = /^(?:\.|::)(?!\.)/.exec(this.#text.slice(this.#at, this.#at + 3))?.[0];
    if (dots === undefined) return;
    this.#at += dots.length;
    const name = /^[\w]+/.exec(this.#text.slice(this.#at, this.#at + 256))?.[0] ?? '';
    this.#at += name.length;
    if (name === '' && this.#at >= this.#text.length) this.#isPendingAtEnd = true;
    else this.#member();
  }

  /** The rest of a bare word: quotes open strings in it, `$(` is cut out, backtick escapes. */
  #word(frame: Frame): string {
    const start = this.#at;
    this.#value(frame);
    while (this.#at < this.#text.length) {
      const char = this.#peek();
      if (char === '`') this.#at += this.#peek(1) === '\n' ? 1 : 2;
      else if (SINGLE.includes(char)) this.#quoted(SINGLE);
      else if (DOUBLE.includes(char)) this.#quoted(DOUBLE);
      else if (this.#starts('$(')) this.#subexpression(this.#text.length);
      else if (this.#starts('${')) this.#braced();
      else if (WORD_END.includes(char) || (char === ']' && frame.closer === ']')) break;
      else this.#at += 1;
    }
    frame.isAfterValue = false;
    return this.#text.slice(start, this.#at);
  }

  #argument(frame: Frame): void {
    if (/^--%(?=\s|$)/.test(this.#text.slice(this.#at, this.#at + 4))) this.#verbatim(frame);
    else if (/^[\d*]?>/.test(this.#text.slice(this.#at, this.#at + 2))) {
      if (this.#peek() !== '>') this.#at += 1;
      this.#redirection(frame);
    } else {
      this.#word(frame);
      frame.position = 'argument';
    }
  }
  /** `--%`: verbatim to the end of the line or an unquoted pipe. */
  #verbatim(frame: Frame): void {
    this.#value(frame);
    let isQuoted = false;
    for (; this.#at < this.#text.length; this.#at += 1) {
      const char = this.#peek();
      if (char === '\n') return;
      if (char === '"') isQuoted = !isQuoted;
      if (!isQuoted && (char === '|' || this.#starts('&&'))) return;
    }
  }

  #start(char: string, frame: Frame): void {
    if (/[\d@+!]/.test(char) || (char === '-' && /[\s\w(-]/.test(this.#peek(1) || ' '))) this.#operator(char, frame);
    else this.#command(frame);
  }
  #command(frame: Frame): void {
    const mayBeKeyword = frame.mayBeKeyword;
    const wasPending = frame.isPending;
    const needs = frame.needs;
    const isName = needs[0] === 'name';
    const word = this.#word(frame).toLowerCase();
    if (isName) {
      frame.position = 'argument'; // Base classes and the like, until the block.
      return;
    }
    const head = mayBeKeyword ? this.#head(word, needs) : undefined;
    if (head !== undefined) {
      frame.needs = head;
      frame.position = head[0] === 'name' ? 'start' : 'expression';
      return;
    }
    if (mayBeKeyword && PASS_ON.has(word)) {
      frame.position = 'start';
      return;
    }
    // A word that is none of what the head needs: the server will say so. Options of a switch are not a word like that.
    if (needs.length > 0 && !wasPending && frame.needs === needs) frame.needs = [];
    frame.position = 'argument';
  }
  /** The needs of a keyword, with what an open `do` or `try` still wants of it; undefined when it is none. */
  #head(word: string, open: readonly Need[]): Need[] | undefined {
    if (open[0] === 'while' && (word === 'while' || word === 'until')) return ['('];
    if (open[0] === 'catch' && (word === 'catch' || word === 'finally')) return ['{'];
    const head = HEADS.get(word);
    return head === undefined ? undefined : [...head];
  }

  #operator(char: string, frame: Frame): void {
    const rest = this.#text.slice(this.#at, this.#at + 64);
    const number = /^(?:0x[\da-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?[a-z]{0,2})(?![\w])/i.exec(rest)?.[0];
    if (number !== undefined && !frame.isAfterValue) {
      this.#value(frame);
      this.#at += number.length;
    } else if (/^\d*>/.test(rest) && /\d/.test(char)) {
      this.#at += /^\d*/.exec(rest)?.[0].length ?? 0;
      this.#redirection(frame);
    } else if (/^(\+\+|--)/.test(rest)) {
      this.#at += 2;
      if (!frame.isAfterValue) frame.isPending = true;
    } else if (/^(\.|::)[^.]?/.test(rest) && frame.isAfterValue && !rest.startsWith('..')) this.#member();
    else if (/^-[a-z]+/i.test(rest)) this.#dashWord(rest, frame);
    else if (/^(?:[-+*/%?]?\?*=|\.\.|\?\?|[-+*/%!?:])/.test(rest)) {
      const sign = /^(?:[-+*/%]?=|\?\?=?|\.\.|[-+*/%!?:])/.exec(rest)?.[0] ?? char;
      this.#follow(frame, sign.length, sign.endsWith('=') ? 'start' : 'expression');
      frame.mayBeKeyword = sign.endsWith('=');
    } else this.#expressionWord(frame);
  }
  /** `-eq`, `-not`; what a switch takes before its condition is no operator. */
  #dashWord(rest: string, frame: Frame): void {
    const word = /^-[a-z]+/i.exec(rest)?.[0] ?? '-';
    const needs = frame.needs;
    this.#follow(frame, word.length, 'expression');
    if (needs[0] === '(') {
      frame.needs = needs;
      frame.isPending = false;
    }
  }
  /** A word in an expression: another part of the statement (`else`), a type name, or `in`. */
  #expressionWord(frame: Frame): void {
    if (frame.mayBeKeyword || frame.needs[0] === 'name') {
      frame.position = 'start';
      this.#command(frame);
      return;
    }
    const start = this.#at;
    const needs = frame.needs;
    this.#word(frame);
    frame.needs = needs;
    if (this.#at === start) this.#at += 1;
    frame.isAfterValue = true;
    if (this.#text.slice(start, this.#at) === 'in') frame.isPending = true;
  }
}

/** Strings with subexpressions with strings ...: deeper ones are taken as complete. */
const MAX_NESTED_STRINGS = 16;

/** @returns the verdict on the whole text, wherever the cursor is */
export const verdictOf = (text: string): Verdict => new Lexer(text, 0).verdict();
