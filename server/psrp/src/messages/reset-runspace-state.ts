import { bag } from '../clixml/build.ts';
import { asBag, needBigInt } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** RESET_RUNSPACE_STATE, client -> server: clear variables and location; protocol 2.3. [MS-PSRP] 2.2.2.31 RESET_RUNSPACE_STATE Message. */
export const resetRunspaceState: MessageCodec<'RESET_RUNSPACE_STATE', { readonly callId: bigint }> = {
  name: 'RESET_RUNSPACE_STATE',
  type: 0x0002100c,
  direction: 'c2s',
  target: 'pool',
  encode: (content) => bag({ ci: content.callId }),
  decode: (body) => ({ callId: needBigInt(asBag(body, 'RESET_RUNSPACE_STATE'), 'ci') }),
};
