import { bag } from '../clixml/build.ts';
import { PsObject } from '../clixml/object.ts';
import type { MessageCodec } from './codec.ts';

/** What a client that joins an existing pool asks for; null = leave it as it is. */
export interface ConnectRunspacePool {
  readonly minRunspaces: number | null;
  readonly maxRunspaces: number | null;
}

/** CONNECT_RUNSPACEPOOL, client -> server, inside a WSMan Connect. [MS-PSRP] 2.2.2.29 CONNECT_RUNSPACEPOOL Message. */
export const connectRunspacePool: MessageCodec<'CONNECT_RUNSPACEPOOL', ConnectRunspacePool> = {
  name: 'CONNECT_RUNSPACEPOOL',
  type: 0x00010008,
  direction: 'c2s',
  target: 'pool',
  encode: ({ minRunspaces, maxRunspaces }) =>
    minRunspaces === null || maxRunspaces === null
      ? ''
      : bag({ MinRunspaces: minRunspaces, MaxRunspaces: maxRunspaces }),
  decode: (body) =>
    body instanceof PsObject
      ? { minRunspaces: body.getNumber('MinRunspaces'), maxRunspaces: body.getNumber('MaxRunspaces') }
      : { minRunspaces: null, maxRunspaces: null },
};
