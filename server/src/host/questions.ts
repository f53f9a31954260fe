/** Host calls that ask a person, as questions; and the answers, as results. interactive.md section 8. */
import { displayText, list } from '@sallyport/psrp';
import type { ChoiceDescription, FieldDescription, HostParameters, PsSecureString, PsValue } from '@sallyport/psrp';
import type { Answer, NewQuestion, QuestionChoice, QuestionField } from '@sallyport/shared/wire/questions';
import { visibleText } from '@sallyport/shared/terminal-output/visible-text';

const MAX_TEXT = 4000;
const shown = (text: string): string => visibleText(text, MAX_TEXT);
/** Shown for a secret; its length says nothing. */
const MASK = '********';

type From = Pick<NewQuestion, 'from' | 'fromName'>;

function kindOf(field: FieldDescription): QuestionField['kind'] {
  const type = field.parameterTypeFullName;
  if (type.endsWith('[]')) return 'list';
  if (type === 'System.Security.SecureString') return 'secure';
  if (type === 'System.Management.Automation.PSCredential') return 'credential';
  return type === 'System.Boolean' || type === 'System.Management.Automation.SwitchParameter' ? 'boolean' : 'text';
}

const defaultText = (field: FieldDescription): string | null =>
  field.defaultValue === null ? null : displayText(field.defaultValue);

/** One plain or secret field without words around it is what Read-Host sends: asked on the line. */
const isLine = ({ caption, message, fields }: HostParameters<'Prompt'>): boolean => {
  const [field, ...more] = fields;
  if (field === undefined || more.length > 0 || caption !== '' || message !== '') return false;
  const kind = kindOf(field);
  return kind === 'text' || kind === 'secure';
};

export function promptQuestion(from: From, parameters: HostParameters<'Prompt'>): NewQuestion {
  const [first] = parameters.fields;
  if (first !== undefined && isLine(parameters)) {
    const prompt = `${shown(first.name)}: `;
    return { ...from, kind: 'line', prompt, secure: kindOf(first) === 'secure' };
  }
  const fields = parameters.fields.map((field) => ({
    name: shown(field.name),
    label: shown(field.label === '' ? field.name : field.label),
    help: shown(field.helpMessage),
    kind: kindOf(field),
    typeName: shown(field.parameterTypeName),
    mandatory: field.isMandatory,
    defaultText: field.defaultValue === null ? null : shown(displayText(field.defaultValue)),
  }));
  return { ...from, kind: 'prompt', caption: shown(parameters.caption), message: shown(parameters.message), fields };
}

type FieldAnswer = Extract<Answer, { kind: 'fields' }>['values'][number];

function fieldValue(
  field: FieldDescription,
  value: FieldAnswer | undefined,
  seal: (text: string) => PsSecureString,
  sealCredential: (user: string, password: string) => PsValue,
): PsValue {
  const kind = kindOf(field);
  const given = value ?? defaultText(field);
  const text = typeof given === 'string' ? given : '';
  switch (kind) {
    case 'secure':
      return seal(text);
    case 'boolean':
      return given === true || /^(?:true|1|y|yes)$/i.test(text);
    case 'list':
      return list(Array.isArray(given) ? given : text === '' ? [] : [text]);
    case 'credential':
      return given !== null && typeof given === 'object' && 'user' in given
        ? sealCredential(given.user, given.password)
        : null;
    case 'text':
      return text;
  }
}

/** The result of Prompt. @returns null when the answer is of another kind */
export function promptResult(
  { fields }: HostParameters<'Prompt'>,
  answer: Answer,
  seal: (text: string) => PsSecureString,
  sealCredential: (user: string, password: string) => PsValue,
): Map<string, PsValue> | null {
  const values = answer.kind === 'text' ? [answer.text] : answer.kind === 'fields' ? answer.values : null;
  if (values === null) return null;
  return new Map(fields.map((field, i) => [field.name, fieldValue(field, values[i], seal, sealCredential)]));
}

/** True when a field of Prompt needs the session key. */
export const needsKey = ({ fields }: HostParameters<'Prompt'>): boolean =>
  fields.some((field) => ['secure', 'credential'].includes(kindOf(field)));

/** What the gateway echoes of an answered Prompt, one line per field. */
export function promptEcho(parameters: HostParameters<'Prompt'>, answer: Answer): string[] {
  const values = answer.kind === 'text' ? [answer.text] : answer.kind === 'fields' ? answer.values : [];
  const lines = isLine(parameters) ? [] : [parameters.caption, parameters.message].filter((text) => text !== '');
  for (const [i, field] of parameters.fields.entries()) {
    const kind = kindOf(field);
    const value = values[i];
    const text = Array.isArray(value) ? value.join(', ') : typeof value === 'object' ? '' : String(value ?? '');
    lines.push(`${field.name}: ${kind === 'secure' || kind === 'credential' ? MASK : text}`);
  }
  return lines.map((line) => visibleText(line, 8200, false));
}

function choiceOf({ label, helpMessage }: ChoiceDescription): QuestionChoice {
  const at = label.indexOf('&');
  const hotKey = at >= 0 && at + 1 < label.length ? label.charAt(at + 1).toUpperCase() : null;
  return { label: shown(label.replace('&', '')), hotKey, help: shown(helpMessage) };
}

export function choiceQuestion(
  from: From,
  words: { caption: string; message: string; choices: readonly ChoiceDescription[] },
  defaults: readonly number[],
  multiple: boolean,
): NewQuestion {
  return {
    ...from,
    kind: 'choice',
    caption: shown(words.caption),
    message: shown(words.message),
    choices: words.choices.map(choiceOf),
    defaults: defaults.filter((index) => index >= 0 && index < words.choices.length),
    multiple,
  };
}

export function credentialQuestion(from: From, parameters: HostParameters<'PromptForCredential1'>): NewQuestion {
  return {
    ...from,
    kind: 'credential',
    caption: shown(parameters.caption),
    message: shown(parameters.message),
    user: shown(parameters.userName ?? ''),
    mayUseVault: false,
  };
}
