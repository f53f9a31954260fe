/** Crafted messages in whose content something is missing or of another kind. */
import { bag, encodeBody, list, MESSAGES, PsDateTime, PsGuid, PsObject } from '@sallyport/psrp';
import type { MessageName, PsValue } from '@sallyport/psrp';
import { POOL_ID, PIPELINE_ID, OTHER_ID, message } from './message-case.ts';
import type { MessageCase } from './message-case.ts';

interface Bag {
  readonly name: MessageName;
  readonly role: 'client' | 'server';
  /** null: an answer to a call that nobody made says nothing. */
  readonly event: string | null;
  readonly body: () => PsValue;
  /** Properties without which the message cannot be understood. */
  readonly needed: readonly string[];
}

export const command = (): PsObject =>
  bag({
    Cmd: 'x',
    IsScript: false,
    UseLocalScope: null,
    MergeMyResult: 0,
    MergeToResult: 0,
    MergePreviousResults: 0,
    Args: list([]),
  });
export const hostInfo = (): PsObject =>
  bag({ _isHostNull: true, _isHostUINull: true, _isHostRawUINull: true, _useRunspaceHost: true });
export const createBody = (): PsObject =>
  bag({
    NoInput: true,
    ApartmentState: 2,
    RemoteStreamOptions: 0,
    AddToHistory: false,
    HostInfo: hostInfo(),
    IsNested: false,
    PowerShell: bag({ Cmds: list([command()]), IsNested: false, History: null, RedirectShellErrorOutputPipe: false }),
  });

const BAGS: readonly Bag[] = [
  {
    name: 'RUNSPACEPOOL_STATE',
    role: 'client',
    event: 'pipelineState',
    body: () => bag({ RunspaceState: 3 }),
    needed: ['RunspaceState'],
  },
  {
    name: 'PIPELINE_STATE',
    role: 'client',
    event: 'pipelineState',
    body: () => bag({ PipelineState: 4 }),
    needed: ['PipelineState'],
  },
  {
    name: 'RUNSPACE_AVAILABILITY',
    role: 'client',
    event: 'runspaceAvailability',
    body: () => bag({ SetMinMaxRunspacesResponse: true, ci: 1n }),
    needed: ['SetMinMaxRunspacesResponse', 'ci'],
  },
  {
    name: 'APPLICATION_PRIVATE_DATA',
    role: 'client',
    event: 'applicationPrivateData',
    body: () => bag({ ApplicationPrivateData: null }),
    needed: [],
  },
  {
    name: 'RUNSPACEPOOL_INIT_DATA',
    role: 'client',
    event: 'runspacePoolInitData',
    body: () => bag({ MinRunspaces: 1, MaxRunspaces: 1 }),
    needed: ['MinRunspaces', 'MaxRunspaces'],
  },
  {
    name: 'USER_EVENT',
    role: 'client',
    event: 'userEvent',
    body: () =>
      bag({
        'PSEventArgs.EventIdentifier': 1,
        'PSEventArgs.SourceIdentifier': 's',
        'PSEventArgs.TimeGenerated': new PsDateTime('2024-01-02T03:04:05Z'),
        'PSEventArgs.Sender': null,
        'PSEventArgs.SourceArgs': list([]),
        'PSEventArgs.MessageData': null,
        'PSEventArgs.ComputerName': null,
        'PSEventArgs.RunspaceId': new PsGuid(POOL_ID),
      }),
    needed: ['PSEventArgs.EventIdentifier', 'PSEventArgs.SourceIdentifier'],
  },
  {
    name: 'RUNSPACEPOOL_HOST_CALL',
    role: 'client',
    event: 'hostCall',
    body: () => bag({ ci: 1n, mi: 11, mp: list([]) }),
    needed: ['ci', 'mi', 'mp'],
  },
  {
    name: 'PIPELINE_HOST_CALL',
    role: 'client',
    event: 'hostCall',
    body: () => bag({ ci: 1n, mi: 11, mp: list([]) }),
    needed: ['ci', 'mi', 'mp'],
  },
  {
    name: 'PROGRESS_RECORD',
    role: 'client',
    event: 'progress',
    body: () =>
      bag({
        Activity: 'a',
        ActivityId: 1,
        StatusDescription: 's',
        CurrentOperation: null,
        ParentActivityId: -1,
        PercentComplete: 1,
        Type: 0,
        SecondsRemaining: -1,
      }),
    needed: [],
  },
  {
    name: 'SET_MAX_RUNSPACES',
    role: 'server',
    event: 'setMaxRunspaces',
    body: () => bag({ MaxRunspaces: 1, ci: 1n }),
    needed: ['MaxRunspaces', 'ci'],
  },
  {
    name: 'SET_MIN_RUNSPACES',
    role: 'server',
    event: 'setMinRunspaces',
    body: () => bag({ MinRunspaces: 1, ci: 1n }),
    needed: ['MinRunspaces', 'ci'],
  },
  {
    name: 'GET_AVAILABLE_RUNSPACES',
    role: 'server',
    event: 'getAvailableRunspaces',
    body: () => bag({ ci: 1n }),
    needed: ['ci'],
  },
  {
    name: 'RESET_RUNSPACE_STATE',
    role: 'server',
    event: 'resetRunspaceState',
    body: () => bag({ ci: 1n }),
    needed: ['ci'],
  },
  {
    name: 'CREATE_PIPELINE',
    role: 'server',
    event: 'createPipeline',
    body: createBody,
    needed: ['NoInput', 'ApartmentState', 'RemoteStreamOptions', 'AddToHistory', 'HostInfo', 'PowerShell'],
  },
  {
    name: 'GET_COMMAND_METADATA',
    role: 'server',
    event: 'commandMetadata',
    body: () => bag({ Name: null, CommandType: 0x10f, Namespace: null, ArgumentList: null }),
    needed: ['CommandType'],
  },
  {
    name: 'PIPELINE_HOST_RESPONSE',
    role: 'server',
    event: null,
    body: () => bag({ ci: 1n, mi: 11 }),
    needed: ['ci', 'mi'],
  },
  {
    name: 'RUNSPACEPOOL_HOST_RESPONSE',
    role: 'server',
    event: null,
    body: () => bag({ ci: 1n, mi: 11 }),
    needed: ['ci', 'mi'],
  },
];

/** A copy with one property changed, or left out. */
export function changed(body: PsValue, name: string, put: PsValue | undefined): PsObject {
  if (!(body instanceof PsObject)) throw new Error('no bag');
  const entries = [...body.properties()].flatMap(([each, value]): [string, PsValue][] => {
    if (each !== name) return [[each, value]];
    return put === undefined ? [] : [[each, put]];
  });
  return bag(entries);
}

export function bagCases(): MessageCase[] {
  const rows: MessageCase[] = [];
  for (const { name, role, event, body, needed } of BAGS) {
    const pipelineId =
      MESSAGES[name].target !== 'pipeline'
        ? null
        : name === 'CREATE_PIPELINE' || name === 'GET_COMMAND_METADATA'
          ? OTHER_ID
          : PIPELINE_ID;
    const row = (
      id: string,
      probes: string,
      value: PsValue,
      code: string | null,
      told: string | null,
    ): MessageCase => ({
      kind: 'message',
      id: `${name}-${id}`,
      probes: `${name}: ${probes}`,
      role,
      state: 'opened',
      bytes: message(name, encodeBody(value), { pipelineId }),
      event: told,
      code,
    });
    const text = `${name} as a text, not a bag`;
    rows.push(row('whole', 'everything is there', body(), null, event));
    rows.push({ ...row('string', text, 'x', 'clixml_bad_value', null) });
    rows.push(
      row(
        'list',
        'a list, not a bag of properties',
        list([1]),
        needed.length === 0 ? null : 'clixml_bad_value',
        needed.length === 0 ? event : null,
      ),
    );
    for (const property of needed) {
      rows.push(
        row(
          `without-${property}`,
          `${property} is missing`,
          changed(body(), property, undefined),
          'clixml_bad_value',
          null,
        ),
      );
      rows.push(
        row(`null-${property}`, `${property} is null`, changed(body(), property, null), 'clixml_bad_value', null),
      );
      rows.push(
        row(
          `kind-${property}`,
          `${property} is of another kind`,
          changed(body(), property, bag({})),
          'clixml_bad_value',
          null,
        ),
      );
    }
  }
  return rows;
}
