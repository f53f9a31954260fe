import { listItems, PsObject, toText } from '../clixml/object.ts';
import type { PsValue } from '../clixml/object.ts';

/** One proposal. */
export interface CompletionResult {
  /** Text to put in, quoted already. */
  readonly completionText: string;
  readonly listItemText: string;
  /** A name: Command, ProviderItem, ParameterName ... */
  readonly resultType: string;
  readonly toolTip: string;
}

/** What TabExpansion2 gives back. */
export interface CommandCompletion {
  readonly currentMatchIndex: number;
  readonly replacementIndex: number;
  readonly replacementLength: number;
  readonly matches: readonly CompletionResult[];
}

function match(value: PsValue): CompletionResult {
  if (!(value instanceof PsObject) || value.get('CompletionText') === undefined) {
    const text = toText(value) ?? '';
    return { completionText: text, listItemText: text, resultType: 'Text', toolTip: text };
  }
  const completionText = value.getString('CompletionText') ?? '';
  return {
    completionText,
    listItemText: value.getString('ListItemText') ?? completionText,
    resultType: value.getString('ResultType') ?? 'Text',
    toolTip: value.getString('ToolTip') ?? '',
  };
}

/** Reads the output of TabExpansion2; null when the value is something else. */
export function commandCompletion(value: PsValue): CommandCompletion | null {
  if (!(value instanceof PsObject)) return null;
  const matches = listItems(value.get('CompletionMatches'));
  const replacementIndex = value.getNumber('ReplacementIndex');
  const replacementLength = value.getNumber('ReplacementLength');
  if (matches === null || replacementIndex === null || replacementLength === null) return null;
  return {
    currentMatchIndex: value.getNumber('CurrentMatchIndex') ?? -1,
    replacementIndex,
    replacementLength,
    matches: matches.map(match),
  };
}
