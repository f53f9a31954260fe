import type { Question } from '@sallyport/shared/wire/questions';
import { describe, expect, it } from 'vitest';
import { answerOf, draftOf, inputsOf, isSecret, voiceOf, wordsOf } from './asked.ts';

const base = { id: 1, from: 'target', fromName: 'web01' } as const;
const field = { label: 'Name', name: 'Name', help: '', typeName: 'string', mandatory: true, defaultText: null };

describe('questions as forms', () => {
  it('give fields in order, a credential as one value, the default for what is left empty', () => {
    const question: Question = {
      ...base,
      kind: 'prompt',
      caption: 'cmdlet Get-X',
      message: 'Supply values',
      fields: [
        { ...field, kind: 'text', defaultText: 'x' },
        { ...field, kind: 'credential' },
        { ...field, kind: 'boolean' },
        { ...field, kind: 'list' },
        { ...field, kind: 'secure' },
      ],
    };
    expect(inputsOf(question).map(({ kind }) => kind)).toEqual([
      'text',
      'text',
      'secret',
      'boolean',
      'lines',
      'secret',
    ]);
    const answer = answerOf(question, { values: ['', 'ann', 'pw', 'true', 'a\n\nb\n', 's'], indexes: [] });
    expect(answer).toEqual({ kind: 'fields', values: [null, { user: 'ann', password: 'pw' }, true, ['a', 'b'], 's'] });
    expect(isSecret(question)).toBe(true);
    expect(voiceOf(question)).toBe('cmdlet Get-X\nSupply values');
  });

  it('start with the user name that the target asks for, and the default choices', () => {
    const credential: Question = {
      ...base,
      kind: 'credential',
      caption: '',
      message: '',
      user: 'ann',
      mayUseVault: false,
    };
    expect(draftOf(credential).values).toEqual(['ann', '']);
    expect(inputsOf(credential).map(({ focus }) => focus)).toEqual([false, true]);
    const choice: Question = {
      ...base,
      kind: 'choice',
      caption: '',
      message: '',
      choices: [],
      defaults: [1],
      multiple: true,
    };
    expect(draftOf(choice).indexes).toEqual([1]);
    expect(answerOf(choice, { values: [], indexes: [0, 1] })).toEqual({ kind: 'choice', indexes: [0, 1] });
  });

  it('never take the words of the gateway for those of the target', () => {
    const secret = {
      id: 2,
      fromName: 'web01',
      kind: 'secret',
      purpose: 'password',
      user: 'ann',
      message: 'text',
    } as const;
    expect(voiceOf({ ...secret, from: 'gateway' })).toBe('');
    expect(voiceOf({ ...secret, from: 'target' })).toBe('text');
    // The gateway asks for what it signs in elsewhere with: nobody signs in at the gateway by it.
    expect(wordsOf({ ...secret, from: 'gateway', fromName: 'gateway' }, null)).toMatchObject({ title: 'Sign in' });
    expect(wordsOf({ ...secret, from: 'target' }, null)).toMatchObject({ title: 'Sign in at web01' });
  });
});
