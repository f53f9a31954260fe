import { bag } from '../clixml/build.ts';
import { asBag, needNumber } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** The bounds of a pool that was joined. */
export interface RunspacePoolInitData {
  readonly minRunspaces: number;
  readonly maxRunspaces: number;
}

/** RUNSPACEPOOL_INIT_DATA, server -> client. Microsoft servers swap the two. [MS-PSRP] 2.2.2.30 RUNSPACEPOOL_INIT_DATA Message. */
export const runspacePoolInitData: MessageCodec<'RUNSPACEPOOL_INIT_DATA', RunspacePoolInitData> = {
  name: 'RUNSPACEPOOL_INIT_DATA',
  type: 0x0002100b,
  direction: 's2c',
  target: 'pool',
  encode: (content) => bag({ MinRunspaces: content.minRunspaces, MaxRunspaces: content.maxRunspaces }),
  decode: (body) => {
    const object = asBag(body, 'RUNSPACEPOOL_INIT_DATA');
    return { minRunspaces: needNumber(object, 'MinRunspaces'), maxRunspaces: needNumber(object, 'MaxRunspaces') };
  },
};
