import { bag, enumValue, primitiveDictionary } from '../clixml/build.ts';
import type { PsValue } from '../clixml/object.ts';
import { asBag, badContent, needNumber, needObject } from './codec.ts';
import type { MessageCodec } from './codec.ts';
import { decodeHostInfo, encodeHostInfo } from './host-info.ts';
import type { HostInfo } from './host-info.ts';

/** What a pool is opened with. */
export interface InitRunspacePool {
  readonly minRunspaces: number;
  readonly maxRunspaces: number;
  /** 0 Default; anything else needs rights at the server. */
  readonly threadOptions: number;
  /** 0 STA, 1 MTA, 2 Unknown. */
  readonly apartmentState: number;
  readonly hostInfo: HostInfo;
  /** A PSPrimitiveDictionary or null. */
  readonly applicationArguments: PsValue;
}

const THREAD_OPTIONS = ['Default', 'UseNewThread', 'ReuseThread', 'UseCurrentThread'];
/** Names of System.Threading.ApartmentState by number. */
export const APARTMENT_STATES = ['STA', 'MTA', 'Unknown'];
/** The type name of APARTMENT_STATES. */
export const APARTMENT_STATE_TYPE = 'System.Threading.ApartmentState';

/** INIT_RUNSPACEPOOL, client -> server: open a pool. [MS-PSRP] 2.2.2.2 INIT_RUNSPACEPOOL Message. */
export const initRunspacePool: MessageCodec<'INIT_RUNSPACEPOOL', InitRunspacePool> = {
  name: 'INIT_RUNSPACEPOOL',
  type: 0x00010004,
  direction: 'c2s',
  target: 'pool',
  encode: (content) =>
    bag({
      MinRunspaces: content.minRunspaces,
      MaxRunspaces: content.maxRunspaces,
      PSThreadOptions: enumValue(
        'System.Management.Automation.Runspaces.PSThreadOptions',
        THREAD_OPTIONS[content.threadOptions] ?? content.threadOptions.toString(),
        content.threadOptions,
      ),
      ApartmentState: enumValue(
        APARTMENT_STATE_TYPE,
        APARTMENT_STATES[content.apartmentState] ?? content.apartmentState.toString(),
        content.apartmentState,
      ),
      HostInfo: encodeHostInfo(content.hostInfo),
      ApplicationArguments: content.applicationArguments ?? primitiveDictionary([]),
    }),
  decode: (body) => {
    const object = asBag(body, 'INIT_RUNSPACEPOOL');
    const applicationArguments = object.get('ApplicationArguments');
    if (applicationArguments === undefined) badContent('property ApplicationArguments is missing');
    return {
      minRunspaces: needNumber(object, 'MinRunspaces'),
      maxRunspaces: needNumber(object, 'MaxRunspaces'),
      threadOptions: needNumber(object, 'PSThreadOptions'),
      apartmentState: needNumber(object, 'ApartmentState'),
      hostInfo: decodeHostInfo(needObject(object, 'HostInfo')),
      applicationArguments,
    };
  },
};
