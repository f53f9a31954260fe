import { bag } from '../clixml/build.ts';
import { asBag, needBigInt, needNumber } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** SET_MAX_RUNSPACES, client -> server: change the upper bound. [MS-PSRP] 2.2.2.6 SET_MAX_RUNSPACES Message. */
export const setMaxRunspaces: MessageCodec<'SET_MAX_RUNSPACES', { readonly count: number; readonly callId: bigint }> = {
  name: 'SET_MAX_RUNSPACES',
  type: 0x00021002,
  direction: 'c2s',
  target: 'pool',
  encode: (content) => bag({ MaxRunspaces: content.count, ci: content.callId }),
  decode: (body) => {
    const object = asBag(body, 'SET_MAX_RUNSPACES');
    return { count: needNumber(object, 'MaxRunspaces'), callId: needBigInt(object, 'ci') };
  },
};
