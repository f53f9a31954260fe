import { ENUMERATION_ACTION, NS } from '../soap/namespaces.ts';
import { element, textElement } from '../xml/writer.ts';
import { decodeItems, encodeItems } from './enumerate.ts';
import type { EnumerateResponse } from './enumerate.ts';
import { actions, required, requiredText } from './operation.ts';
import type { Operation } from './operation.ts';

const SECTION = 'MS-WSMV 3.1.4.9 Pull';
const MAX_ITEMS = 32_000;

/** Pull, client -> server: the next part of a list. DSP0226 8.4 Pull. */
export const pull: Operation<{ readonly context: string }, EnumerateResponse> = {
  name: 'Pull',
  section: SECTION,
  ...actions(`${ENUMERATION_ACTION}Pull`),
  prefixes: ['wsen', 'rsp'],
  encodeRequest: ({ context }) => ({
    body: element(
      'wsen:Pull',
      textElement('wsen:EnumerationContext', context) + textElement('wsen:MaxElements', String(MAX_ITEMS)),
    ),
  }),
  decodeRequest: (body) => ({
    context: requiredText(required(body, NS.wsen, 'Pull', SECTION), NS.wsen, 'EnumerationContext', SECTION),
  }),
  encodeResponse: (response) =>
    element(
      'wsen:PullResponse',
      (response.context === null ? '' : textElement('wsen:EnumerationContext', response.context)) +
        element('wsen:Items', encodeItems(response)) +
        (response.context === null ? element('wsen:EndOfSequence', '') : ''),
    ),
  decodeResponse(body) {
    const response = required(body, NS.wsen, 'PullResponse', SECTION);
    return decodeItems(response, response.first(NS.wsen, 'Items'), response.first(NS.wsen, 'EndOfSequence'));
  },
};
