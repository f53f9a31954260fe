import { TRANSFER_ACTION } from '../soap/namespaces.ts';
import { actions } from './operation.ts';
import type { Operation } from './operation.ts';

/**
 * Delete, client -> server: close the shell, running commands too. Receives that are under way end with a fault.
 * [MS-WSMV] 3.1.4.4 Delete; [MS-PSRP] 3.1.5.3.11 Rules for the wxf:Delete Message.
 */
export const deleteShell: Operation<null, null> = {
  name: 'Delete',
  section: 'MS-WSMV 3.1.4.4 Delete',
  ...actions(`${TRANSFER_ACTION}Delete`),
  prefixes: [],
  encodeRequest: () => ({ body: '' }),
  decodeRequest: () => null,
  encodeResponse: () => '',
  decodeResponse: () => null,
};
