import { bag } from '../clixml/build.ts';
import { asBag, needBigInt } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** GET_AVAILABLE_RUNSPACES, client -> server: how many runspaces are free. [MS-PSRP] 2.2.2.11 GET_AVAILABLE_RUNSPACES Message. */
export const getAvailableRunspaces: MessageCodec<'GET_AVAILABLE_RUNSPACES', { readonly callId: bigint }> = {
  name: 'GET_AVAILABLE_RUNSPACES',
  type: 0x00021007,
  direction: 'c2s',
  target: 'pool',
  encode: (content) => bag({ ci: content.callId }),
  decode: (body) => ({ callId: needBigInt(asBag(body, 'GET_AVAILABLE_RUNSPACES'), 'ci') }),
};
