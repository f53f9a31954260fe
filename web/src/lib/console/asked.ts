import type { Answer, Question } from '@sallyport/shared/wire/questions';

/** One input of a form that answers a question. `lines`: one value per line. */
export interface AskedInput {
  readonly label: string;
  readonly help: string;
  readonly kind: 'text' | 'secret' | 'boolean' | 'lines';
  readonly placeholder: string;
  /** Takes the focus when it is the first such one. */
  readonly focus: boolean;
}
/** What was filled in so far: one text per input, or the chosen indexes. */
export interface AskedDraft {
  values: string[];
  indexes: number[];
}

const input = (label: string, kind: AskedInput['kind'], more: Partial<AskedInput> = {}): AskedInput => ({
  label,
  kind,
  help: '',
  placeholder: '',
  focus: true,
  ...more,
});

/** The inputs of a question, in the order of the answer's values; a credential field takes two. */
export function inputsOf(question: Question): AskedInput[] {
  switch (question.kind) {
    case 'secret':
      return [
        input(
          question.purpose === 'password' ? `Password of ${question.user}` : 'Passphrase of the private key',
          'secret',
        ),
      ];
    case 'keyboard':
      return question.prompts.map((prompt) => input(prompt.text, prompt.echo ? 'text' : 'secret'));
    case 'credential':
      return [input('User name', 'text', { focus: question.user === '' }), input('Password', 'secret')];
    case 'prompt':
      return question.fields.flatMap((field) => {
        const more = { help: field.help, placeholder: field.defaultText ?? '' };
        if (field.kind === 'credential')
          return [input(`${field.label}, user name`, 'text', more), input(`${field.label}, password`, 'secret')];
        if (field.kind === 'list')
          return [input(field.label, 'lines', { ...more, help: `One per line. ${field.help}` })];
        return [input(field.label, field.kind === 'secure' ? 'secret' : field.kind, more)];
      });
    case 'line':
      return [input(question.prompt === '' ? 'Line' : question.prompt, question.secure ? 'secret' : 'text')];
    case 'hostKey':
    case 'choice':
    case 'key':
      return [];
  }
}

/** The form before anything is typed. */
export function draftOf(question: Question): AskedDraft {
  const values = inputsOf(question).map(() => '');
  if (question.kind === 'credential') values[0] = question.user;
  return { values, indexes: question.kind === 'choice' ? [...question.defaults] : [] };
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

function fieldValues(
  question: Extract<Question, { kind: 'prompt' }>,
  values: readonly string[],
): Extract<Answer, { kind: 'fields' }>['values'] {
  let at = 0;
  const next = (): string => values[at++] ?? '';
  return question.fields.map((field) => {
    const text = next();
    if (field.kind === 'credential') return { user: text, password: next() };
    if (field.kind === 'boolean') return text === 'true';
    if (field.kind === 'list') return linesOf(text);
    return text === '' && field.defaultText !== null ? null : text;
  });
}

/** The answer that a filled form gives. */
export function answerOf(question: Question, draft: AskedDraft): Answer {
  const [first = '', second = ''] = draft.values;
  switch (question.kind) {
    case 'keyboard':
      return { kind: 'texts', texts: draft.values };
    case 'credential':
      return { kind: 'credential', user: first, password: second };
    case 'prompt':
      return { kind: 'fields', values: fieldValues(question, draft.values) };
    case 'choice':
      return { kind: 'choice', indexes: draft.indexes };
    case 'secret':
    case 'line':
      return { kind: 'text', text: first };
    case 'hostKey':
      return { kind: 'accept' };
    case 'key':
      return { kind: 'cancel' };
  }
}

/** The target's own words of a question; empty when it has none. */
export function voiceOf(question: Question): string {
  if (question.from === 'gateway') return '';
  const join = (...texts: string[]): string => texts.filter((text) => text.trim() !== '').join('\n');
  switch (question.kind) {
    case 'keyboard':
      return join(question.title, question.instructions);
    case 'prompt':
    case 'credential':
    case 'choice':
      return join(question.caption, question.message);
    case 'secret':
      return question.message;
    case 'line':
    case 'key':
    case 'hostKey':
      return '';
  }
}

/** Whether the answer is kept out of the recording. */
export const isSecret = (question: Question): boolean =>
  question.kind === 'secret' ||
  question.kind === 'credential' ||
  inputsOf(question).some(({ kind }) => kind === 'secret');

/** Our own words around a question. */
export interface AskedWords {
  readonly title: string;
  readonly lead: string;
  readonly cancel: string;
}
const WANTS: Readonly<Record<Question['kind'], string>> = {
  hostKey: 'its key checked',
  secret: 'a password',
  keyboard: 'answers to sign you in',
  line: 'a line of text',
  prompt: 'values',
  credential: 'a user name and a password',
  choice: 'a choice',
  key: 'a key',
};

/** What the gateway itself says of its question: a heading, and a sentence. */
function ownWords(question: Question): readonly [title: string, lead: string] | null {
  if (question.from !== 'gateway') return null;
  if (question.kind === 'keyboard') return [question.title, question.instructions];
  return question.kind === 'choice' ? [question.caption, question.message] : null;
}

/** @param command number of the command that asks; null while the session opens */
export function wordsOf(question: Question, command: number | null): AskedWords {
  const [heading, sentence] = ownWords(question) ?? ['', ''];
  if (heading !== '') return { title: heading, lead: sentence, cancel: 'Do not connect' };
  const where = question.from === 'gateway' ? '' : ` at ${question.fromName}`;
  const title = question.kind === 'secret' ? `Sign in${where}` : `${question.fromName} asks`;
  if (command === null) {
    const lead =
      question.kind === 'secret' && question.from === 'gateway' && question.message !== ''
        ? question.message
        : `${question.fromName} wants ${WANTS[question.kind]} before it opens.`;
    return { title, lead, cancel: 'Do not connect' };
  }
  return { title, lead: `Command ${command} wants ${WANTS[question.kind]}.`, cancel: 'Stop the command' };
}
