/**
 * `$using:vault:NAME` in a typed line: a credential of the vault, sent beside the line as PowerShell's own client sends the
 * values of `$using:`, its password sealed with the session key. The line itself goes out as it was typed.
 */
import { dictionary, encodeCredential } from '@sallyport/psrp';
import type { CommandParameter, PipelineCommand, PsValue } from '@sallyport/psrp';
import { errorText } from '@sallyport/shared/error-codes';
import { codeOf, SallyportError, toError } from '../../errors.ts';
import type { Secret } from '../../secret.ts';
import type { PoolLink } from './pool-link.ts';

/** A vault entry as commands may have it. Wiped by whoever sealed it. */
export interface LentCredential {
  readonly userName: string;
  readonly password: Secret;
}
/** For which line: what the audit log keeps beside the name. */
export interface Lending {
  readonly runspacePoolId: string;
  readonly pipelineId: string;
}
/**
 * Opens vault entries for one line, each audited. @returns in the order of the names
 * @throws SallyportError using_unknown, using_unfit, forbidden, secret_unreadable, audit_unavailable
 */
export type LendCredentials = (names: readonly string[], line: Lending) => Promise<readonly LentCredential[]>;

/** One place in a line: the credential's name, and the text by which PowerShell finds its value. */
interface Use {
  readonly name: string;
  readonly text: string;
}

const SINGLE = "'\u2018\u2019\u201a\u201b";
const DOUBLE = '"\u201c\u201d\u201e';
/** A variable: in braces with any name, bare with letters, digits, `_` and `?`; then perhaps a member of it. */
const VARIABLE = /\$(?:\{using:vault:([^`}]{1,300})\}|using:vault:([\p{L}\p{Nd}_?]{1,300}))(\.\w{1,300}|\[|:)?/iuy;
const MAX_NAMES = 16;
/** Older ones of PowerShell want the values in a list, and cannot be tried here. */
const OLDEST = 5;

/** Every use in code and in strings that are expanded; what stands in comments and plain strings is none. */
class Uses {
  readonly found: Use[] = [];
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    while (this.#at < text.length) this.#code();
  }

  #code(): void {
    const text = this.#text;
    const char = text.charAt(this.#at);
    const next = text.charAt(this.#at + 1);
    if (char === '`') this.#at += 2;
    else if (char === '<' && next === '#') this.#past('#>');
    else if (char === '#' && (this.#at === 0 || /[\s;|&(){},]/.test(text.charAt(this.#at - 1)))) this.#past('\n');
    else if (char === '@' && next !== '' && (SINGLE + DOUBLE).includes(next)) this.#hereString(DOUBLE.includes(next));
    else if (SINGLE.includes(char)) this.#quoted(SINGLE);
    else if (DOUBLE.includes(char)) this.#quoted(DOUBLE);
    else this.#variable(true);
  }
  #past(end: string): void {
    const at = this.#text.indexOf(end, this.#at + 1);
    this.#at = at < 0 ? this.#text.length : at + end.length;
  }
  #quoted(quotes: string): void {
    this.#at += 1;
    while (this.#at < this.#text.length) {
      const char = this.#text.charAt(this.#at);
      if (quotes.includes(char)) {
        this.#at += 1;
        return;
      }
      if (quotes === SINGLE) this.#at += 1;
      else if (char === '`') this.#at += 2;
      else this.#variable(false);
    }
  }
  #hereString(isExpanded: boolean): void {
    const end = new RegExp(`\\n[${isExpanded ? DOUBLE : SINGLE}]@`, 'g');
    end.lastIndex = this.#at + 2;
    const stop = end.exec(this.#text) === null ? this.#text.length : end.lastIndex;
    if (isExpanded) while (this.#at < stop) this.#variable(false);
    this.#at = stop;
  }
  /** @param mayHaveMembers inside strings a dot ends the variable */
  #variable(mayHaveMembers: boolean): void {
    VARIABLE.lastIndex = this.#at;
    const match = this.#text.charAt(this.#at) === '$' ? VARIABLE.exec(this.#text) : null;
    if (match === null) {
      this.#at += 1;
      return;
    }
    const [whole, braced, bare, member = ''] = match;
    this.#at += whole.length;
    if (mayHaveMembers && member !== '')
      throw new SallyportError(
        'using_form',
        `${whole}: a member of the credential; put brackets around the variable, ($using:vault:NAME)${member}`,
      );
    this.found.push({ name: braced ?? bare ?? '', text: whole.slice(0, whole.length - member.length) });
  }
}

/** As `ToLowerInvariant` does it: character by character, to one character each. */
const lowered = (text: string): string =>
  Array.from(text, (char) => (char.toLowerCase().length === char.length ? char.toLowerCase() : char)).join('');

/** The key under which PowerShell looks for the value of a `$using:` variable: its text in lower case, UTF-16, base64. */
const keyOf = (text: string): string => Buffer.from(lowered(text), 'utf16le').toString('base64');

/** What a pool does for the values. */
type Pool = Pick<PoolLink, 'poolId' | 'version' | 'signal' | 'seal'>;

/** Finds what a line wants of the vault, gets it, seals it. */
export class VaultValues {
  readonly #pool: Pool;
  readonly #lend: LendCredentials;
  #abort = new AbortController();

  constructor(pool: Pool, lend: LendCredentials) {
    this.#pool = pool;
    this.#lend = lend;
  }

  /** The line that is being prepared is not to be sent any more. */
  cancel(): void {
    this.#abort.abort(new SallyportError('cancelled', 'stopped before the line was sent'));
  }

  /**
   * The parameter that carries the values beside the script; null for a line without.
   * @throws SallyportError using_form, using_unsupported, cancelled, and what lending throws: the line must not be sent
   */
  async parameterOf(script: string, pipelineId: string): Promise<CommandParameter | null> {
    const uses = new Uses(script).found;
    if (uses.length === 0) return null;
    this.#abort = new AbortController();
    const { version, poolId: runspacePoolId } = this.#pool;
    const names = [...new Set(uses.map(({ name }) => lowered(name)))];
    if (names.length > MAX_NAMES) throw new SallyportError('using_form', `more than ${MAX_NAMES} names in one line`);
    if (Number.parseInt(version ?? '0', 10) < OLDEST)
      throw new SallyportError('using_unsupported', `PowerShell ${version ?? 'of unknown version'} at the target`);
    const sealed = await this.#sealed(await this.#lend(names, { runspacePoolId, pipelineId }));
    const values = new Map(names.map((name, index) => [name, sealed[index] ?? null]));
    const entries = new Map(uses.map(({ name, text }) => [keyOf(text), values.get(lowered(name)) ?? null]));
    return { name: '--%', value: dictionary(entries) };
  }

  async #sealed(lent: readonly LentCredential[]): Promise<readonly PsValue[]> {
    const signal = AbortSignal.any([this.#pool.signal, this.#abort.signal]);
    try {
      const values: PsValue[] = [];
      for (const { userName, password } of lent)
        values.push(encodeCredential({ userName, password: await this.#pool.seal(password.reveal(), signal) }));
      signal.throwIfAborted();
      return values;
    } finally {
      for (const { password } of lent) password.wipe();
    }
  }
}

/** The parameter goes with the script of a line. */
export const withParameter = (
  commands: readonly PipelineCommand[],
  parameter: CommandParameter | null,
): readonly PipelineCommand[] =>
  parameter === null
    ? commands
    : commands.map((command) => (command.isScript === true ? { ...command, parameters: [parameter] } : command));

/** What our own refusals say beside the text of their code: names, nothing secret. */
export const refusalDetail = (error: unknown): string =>
  codeOf(error).startsWith('using_') ? toError(error).message : '';

/** Why a line was not sent, in words for who typed it. */
export const refusalText = (error: unknown): string => {
  const detail = refusalDetail(error);
  return detail === '' ? toError(error).message : `${errorText(codeOf(error))} (${detail})`;
};
