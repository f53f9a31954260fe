import type { FieldValue, HostAnswer, HostField, HostQuestion, Mode } from './types.ts';

/** Longest answer in characters; the wire's own limits are in shared/wire/questions.ts. */
const MAX_ANSWER = 8192;
/** A list is asked until empty, at most this often. */
const MAX_LIST = 256;
/** Shown for an answer that must not be seen; its length says nothing. */
const MASK = '********';

/** One question of the target under way: what is shown before the input, and what the input becomes. */
export interface Ask {
  readonly id: number;
  readonly mode: Mode;
  /** Text before the input. */
  readonly prompt: string;
  /** Takes a finished input. @returns the whole answer, or null when more is to be asked */
  take(input: string): HostAnswer | null;
}

/** @returns null for questions that the page asks in a dialog */
export function askOf(question: HostQuestion): Ask | null {
  switch (question.kind) {
    case 'line':
      return {
        id: question.id,
        mode: question.secure ? 'secure' : 'answer',
        prompt: question.prompt,
        take: (text) => ({ kind: 'text', text: text.slice(0, MAX_ANSWER) }),
      };
    case 'choice':
      return new ChoiceAsk(question);
    case 'prompt':
      return question.fields.some((field) => field.kind === 'credential') ? null : new FieldsAsk(question);
    case 'key':
      return { id: question.id, mode: 'key', prompt: '', take: () => null };
    case 'credential':
    case 'hostKey':
    case 'secret':
    case 'keyboard':
      return null;
  }
}

const heading = (caption: string, message: string): string =>
  [caption, message]
    .filter((part) => part !== '')
    .map((part) => `${part}\n`)
    .join('');

class ChoiceAsk implements Ask {
  readonly id: number;
  readonly mode = 'choice';
  readonly #question: Extract<HostQuestion, { kind: 'choice' }>;
  readonly #chosen: number[] = [];
  #above: string;

  constructor(question: Extract<HostQuestion, { kind: 'choice' }>) {
    this.id = question.id;
    this.#question = question;
    this.#above = heading(question.caption, question.message);
  }
  get prompt(): string {
    const { choices, defaults, multiple } = this.#question;
    const list = choices.map(({ label, hotKey }) => `[${hotKey ?? ''}] ${label}`).join('  ');
    const names = defaults.map((index) => choices[index]?.hotKey ?? choices[index]?.label ?? '').join(',');
    const standard = names === '' ? '' : ` (default is "${names}")`;
    const which = multiple ? `\nChoice[${this.#chosen.length}]` : '';
    return `${this.#above}${list}  [?] Help${standard}${which}: `;
  }
  take(input: string): HostAnswer | null {
    const { choices, defaults, multiple } = this.#question;
    const text = input.trim();
    if (text === '?') {
      this.#above += choices.map(({ label, hotKey, help }) => `${hotKey ?? label} - ${help}\n`).join('');
      return null;
    }
    if (text === '') {
      const indexes = this.#chosen.length > 0 ? this.#chosen : [...defaults];
      return indexes.length > 0 || multiple ? { kind: 'choice', indexes } : null;
    }
    const index = this.#find(text.toLowerCase());
    if (index < 0) return null;
    if (!multiple) return { kind: 'choice', indexes: [index] };
    if (!this.#chosen.includes(index)) this.#chosen.push(index);
    return null;
  }
  #find(text: string): number {
    const { choices } = this.#question;
    const hot = choices.findIndex(({ hotKey }) => hotKey?.toLowerCase() === text);
    return hot >= 0 ? hot : choices.findIndex(({ label }) => label.toLowerCase() === text);
  }
}

class FieldsAsk implements Ask {
  readonly id: number;
  readonly #fields: readonly HostField[];
  readonly #values: FieldValue[] = [];
  #list: string[] = [];
  #above: string;

  constructor(question: Extract<HostQuestion, { kind: 'prompt' }>) {
    this.id = question.id;
    this.#fields = question.fields;
    this.#above = heading(question.caption, question.message);
  }
  get #field(): HostField | undefined {
    return this.#fields[this.#values.length];
  }
  get mode(): Mode {
    return this.#field?.kind === 'secure' ? 'secure' : 'answer';
  }
  get #name(): string {
    const field = this.#field;
    const name = field === undefined ? '' : field.label === '' ? field.name : field.label;
    return field?.kind === 'list' ? `${name}[${this.#list.length}]: ` : `${name}: `;
  }
  get prompt(): string {
    return this.#above + this.#name;
  }

  take(input: string): HostAnswer | null {
    const field = this.#field;
    if (field === undefined) return { kind: 'fields', values: this.#values };
    if (input.trim() === '!?') {
      this.#above += `${field.help === '' ? 'No help is available.' : field.help}\n`;
      return null;
    }
    const value = this.#value(field, input.slice(0, MAX_ANSWER));
    if (value === undefined) return null;
    this.#values.push(value);
    this.#list = [];
    return this.#field === undefined ? { kind: 'fields', values: this.#values } : null;
  }
  /** Undefined when the field needs another line. */
  #value(field: HostField, input: string): FieldValue | undefined {
    this.#above += `${this.#name}${field.kind === 'secure' ? MASK : input}\n`;
    if (field.kind === 'list') {
      if (input !== '' && this.#list.length < MAX_LIST) {
        this.#list.push(input);
        return undefined;
      }
      return this.#list;
    }
    if (input === '' && field.defaultText !== null) return null;
    if (field.kind !== 'boolean') return input;
    if (/^(?:y|yes|true|1|\$true)$/i.test(input)) return true;
    return /^(?:n|no|false|0|\$false|)$/i.test(input) ? false : undefined;
  }
}

/** Input that must leave no trace: one array, zeroed when it was handed over. */
export class SecretInput {
  #chars: string[] = [];
  add(text: string): void {
    for (const char of text) if (this.#chars.length < MAX_ANSWER) this.#chars.push(char);
  }
  back(): void {
    this.#chars.pop();
  }
  get mask(): string {
    return '*'.repeat(this.#chars.length);
  }
  get isEmpty(): boolean {
    return this.#chars.length === 0;
  }
  /** The text, once; nothing is left here. */
  take(): string {
    const text = this.#chars.join('');
    this.wipe();
    return text;
  }
  wipe(): void {
    this.#chars.fill('');
    this.#chars = [];
  }
}
