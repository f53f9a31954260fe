import { bag } from '../clixml/build.ts';
import { asBag, needBigInt, needNumber } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** SET_MIN_RUNSPACES, client -> server: change the lower bound. [MS-PSRP] 2.2.2.7 SET_MIN_RUNSPACES Message. */
export const setMinRunspaces: MessageCodec<'SET_MIN_RUNSPACES', { readonly count: number; readonly callId: bigint }> = {
  name: 'SET_MIN_RUNSPACES',
  type: 0x00021003,
  direction: 'c2s',
  target: 'pool',
  encode: (content) => bag({ MinRunspaces: content.count, ci: content.callId }),
  decode: (body) => {
    const object = asBag(body, 'SET_MIN_RUNSPACES');
    return { count: needNumber(object, 'MinRunspaces'), callId: needBigInt(object, 'ci') };
  },
};
