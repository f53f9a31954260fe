/* eslint max-lines: ['error', 800] -- one table of cases reads better in one place */
/** Crafted fragments and messages: streams of bytes for the reassembler, and messages for a pool of either role. */
import {
  bag,
  encodeBody,
  encodeFragment,
  encodeMessage,
  fragmentsAs,
  integer,
  list,
  MESSAGES,
  NULL_HOST,
  primitiveDictionary,
  PsDateTime,
  PsGuid,
  PsObject,
  PsVersion,
  RUNSPACE_HOST,
} from '@sallyport/psrp';
import { streamCases } from './fragment-streams.ts';
import type { StreamCase } from './fragment-streams.ts';
import type { MessageName, PsValue } from '@sallyport/psrp';

export const POOL_ID = '00112233-4455-6677-8899-aabbccddeeff';
export const PIPELINE_ID = '10213243-5465-7687-98a9-bacbdcedfe0f';
const OTHER_ID = 'ffffffff-0000-0000-0000-000000000001';

/** One message for a pool that is in a state. */
export interface MessageCase {
  readonly kind: 'message';
  readonly id: string;
  readonly probes: string;
  readonly role: 'client' | 'server';
  /** `new`: nothing was negotiated. `opened`: Opened, with one running pipeline. */
  readonly state: 'new' | 'opened';
  readonly bytes: Uint8Array;
  /** The first event's type that is no failure; null when there is none. */
  readonly event: string | null;
  readonly code: string | null;
}

const ones = (length: number): Uint8Array => new Uint8Array(length).fill(0x78);
const joined = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

const message = (
  name: MessageName | number,
  body: Uint8Array,
  change: Partial<{ destination: number; poolId: string; pipelineId: string | null; hasBom: boolean }> = {},
): Uint8Array => {
  const codec = typeof name === 'number' ? null : MESSAGES[name];
  const isPipeline = codec?.target === 'pipeline';
  const bytes = encodeMessage(
    {
      destination: change.destination ?? (codec?.direction === 's2c' ? 1 : 2),
      messageType: codec?.type ?? Number(name),
      poolId: change.poolId ?? POOL_ID,
      pipelineId: change.pipelineId === undefined ? (isPipeline ? PIPELINE_ID : null) : change.pipelineId,
    },
    body,
    change.hasBom ?? false,
  );
  return [...fragmentsAs(50n, bytes, [bytes.length])][0] ?? new Uint8Array();
};

const names = Object.keys(MESSAGES) as MessageName[];

/** Every message type against both roles and both states, where the type alone decides. */
function turnCases(): MessageCase[] {
  const rows: MessageCase[] = [];
  for (const role of ['client', 'server'] as const) {
    const destination = role === 'client' ? 1 : 2;
    const away = role === 'client' ? 'c2s' : 's2c';
    for (const name of names) {
      const { direction } = MESSAGES[name];
      if (direction === away) {
        rows.push({
          kind: 'message',
          id: `${role}-direction-${name}`,
          probes: `${name} sent the wrong way, to a ${role}`,
          role,
          state: 'opened',
          bytes: message(name, new Uint8Array(), { destination }),
          event: null,
          code: 'psrp_unknown_message',
        });
      } else if (name !== 'SESSION_CAPABILITY') {
        rows.push({
          kind: 'message',
          id: `${role}-early-${name}`,
          probes: `${name} before the capability, to a ${role}`,
          role,
          state: 'new',
          bytes: message(name, new Uint8Array(), { destination }),
          event: null,
          code: 'psrp_bad_state',
        });
      }
    }
    const capability = encodeBody(
      MESSAGES.SESSION_CAPABILITY.encode({
        protocolVersion: new PsVersion(2, 3),
        psVersion: new PsVersion(2, 0),
        serializationVersion: new PsVersion(1, 1, 0, 1),
      }),
    );
    rows.push({
      kind: 'message',
      id: `${role}-second-capability`,
      probes: `a second capability, to a ${role}`,
      role,
      state: 'opened',
      bytes: message('SESSION_CAPABILITY', capability, { destination }),
      event: null,
      code: 'psrp_bad_state',
    });
    for (const type of [0x0004_1008 + 0x50, 0x7fff_ffff, 0xffff_ffff, 0x0001_0001, 0x0002_ffff]) {
      rows.push({
        kind: 'message',
        id: `${role}-type-${type.toString(16)}`,
        probes: `unknown type 0x${type.toString(16)} is dropped by a ${role}`,
        role,
        state: 'opened',
        bytes: message(type, ones(3), { destination }),
        event: 'ignoredMessage',
        code: null,
      });
    }
    for (const wrong of [0, role === 'client' ? 2 : 1, 4, 8]) {
      const name = role === 'client' ? 'RUNSPACEPOOL_STATE' : 'GET_AVAILABLE_RUNSPACES';
      rows.push({
        kind: 'message',
        id: `${role}-destination-${wrong}`,
        probes: `destination ${wrong} does not hold the ${role}`,
        role,
        state: 'opened',
        bytes: message(name, ones(3), { destination: wrong }),
        event: null,
        code: 'psrp_unknown_message',
      });
    }
    const pool = role === 'client' ? 'RUNSPACEPOOL_STATE' : 'GET_AVAILABLE_RUNSPACES';
    rows.push({
      kind: 'message',
      id: `${role}-other-pool`,
      probes: `a message of another pool, to a ${role}`,
      role,
      state: 'opened',
      bytes: message(pool, ones(3), { destination, poolId: OTHER_ID }),
      event: null,
      code: 'psrp_unknown_message',
    });
    for (const length of [0, 1, 4, 8, 24, 39]) {
      rows.push({
        kind: 'message',
        id: `${role}-short-${length}`,
        probes: `a message of ${length} bytes, less than its head`,
        role,
        state: 'opened',
        bytes: encodeFragment(60n, 0n, 3, ones(length)),
        event: null,
        code: 'psrp_bad_length',
      });
    }
  }
  const output = encodeBody('x');
  rows.push(
    {
      kind: 'message',
      id: 'client-unknown-pipeline',
      probes: 'output of a pipeline that is not ours is dropped',
      role: 'client',
      state: 'opened',
      bytes: message('PIPELINE_OUTPUT', output, { pipelineId: OTHER_ID }),
      event: 'ignoredMessage',
      code: null,
    },
    {
      kind: 'message',
      id: 'client-no-pipeline',
      probes: 'output without pipeline is dropped',
      role: 'client',
      state: 'opened',
      bytes: message('PIPELINE_OUTPUT', output, { pipelineId: null }),
      event: 'ignoredMessage',
      code: null,
    },
    {
      kind: 'message',
      id: 'server-no-pipeline',
      probes: 'input without pipeline',
      role: 'server',
      state: 'opened',
      bytes: message('PIPELINE_INPUT', output, { pipelineId: null }),
      event: null,
      code: 'psrp_unknown_message',
    },
    {
      kind: 'message',
      id: 'server-unknown-pipeline',
      probes: 'input of a pipeline that is not there is dropped',
      role: 'server',
      state: 'opened',
      bytes: message('PIPELINE_INPUT', output, { pipelineId: OTHER_ID }),
      event: 'ignoredMessage',
      code: null,
    },
    {
      kind: 'message',
      id: 'client-bom',
      probes: 'a body behind a byte order mark',
      role: 'client',
      state: 'opened',
      bytes: message('PIPELINE_OUTPUT', output, { hasBom: true }),
      event: 'output',
      code: null,
    },
    {
      kind: 'message',
      id: 'client-empty-output',
      probes: 'output without a body is null',
      role: 'client',
      state: 'opened',
      bytes: message('PIPELINE_OUTPUT', new Uint8Array()),
      event: 'output',
      code: null,
    },
    {
      kind: 'message',
      id: 'client-utf8',
      probes: 'a body that is not UTF-8',
      role: 'client',
      state: 'opened',
      bytes: message('PIPELINE_OUTPUT', Uint8Array.of(0x3c, 0x53, 0x3e, 0xc0, 0x80)),
      event: null,
      code: 'clixml_malformed',
    },
    {
      kind: 'message',
      id: 'client-utf8-surrogate',
      probes: 'a surrogate in UTF-8',
      role: 'client',
      state: 'opened',
      bytes: message('PIPELINE_OUTPUT', joined(encodeBody('').subarray(0, 3), Uint8Array.of(0xed, 0xa0, 0x80))),
      event: null,
      code: 'clixml_malformed',
    },
    {
      kind: 'message',
      id: 'client-session-key',
      probes: 'a session key that nobody asked for',
      role: 'client',
      state: 'opened',
      bytes: message('ENCRYPTED_SESSION_KEY', encodeBody(bag({ EncryptedSessionKey: 'AAAA' }))),
      event: null,
      code: 'psrp_bad_state',
    },
    {
      kind: 'message',
      id: 'server-second-init',
      probes: 'a second INIT_RUNSPACEPOOL',
      role: 'server',
      state: 'opened',
      bytes: message('INIT_RUNSPACEPOOL', encodeBody('')),
      event: null,
      code: 'psrp_bad_state',
    },
    {
      kind: 'message',
      id: 'server-type-0',
      probes: 'type 0, by which Microsoft clients answer calls of the pool',
      role: 'server',
      state: 'opened',
      bytes: message(
        0,
        encodeBody(MESSAGES.RUNSPACEPOOL_HOST_RESPONSE.encode({ callId: 99n, methodId: 11, methodName: 'ReadLine' })),
      ),
      event: null,
      code: null,
    },
  );
  return rows;
}

interface Bag {
  readonly name: MessageName;
  readonly role: 'client' | 'server';
  /** null: an answer to a call that nobody made says nothing. */
  readonly event: string | null;
  readonly body: () => PsValue;
  /** Properties without which the message cannot be understood. */
  readonly needed: readonly string[];
}

const command = (): PsObject =>
  bag({
    Cmd: 'x',
    IsScript: false,
    UseLocalScope: null,
    MergeMyResult: 0,
    MergeToResult: 0,
    MergePreviousResults: 0,
    Args: list([]),
  });
const hostInfo = (): PsObject =>
  bag({ _isHostNull: true, _isHostUINull: true, _isHostRawUINull: true, _useRunspaceHost: true });
const createBody = (): PsObject =>
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
function changed(body: PsValue, name: string, put: PsValue | undefined): PsObject {
  if (!(body instanceof PsObject)) throw new Error('no bag');
  const entries = [...body.properties()].flatMap(([each, value]): [string, PsValue][] => {
    if (each !== name) return [[each, value]];
    return put === undefined ? [] : [[each, put]];
  });
  return bag(entries);
}

function bagCases(): MessageCase[] {
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

function commandCases(): MessageCase[] {
  const rows: MessageCase[] = [];
  const row = (id: string, probes: string, value: PsValue, code: string | null): MessageCase => ({
    kind: 'message',
    id: `CREATE_PIPELINE-${id}`,
    probes: `CREATE_PIPELINE: ${probes}`,
    role: 'server',
    state: 'opened',
    bytes: message('CREATE_PIPELINE', encodeBody(value), { pipelineId: OTHER_ID }),
    event: code === null ? 'createPipeline' : null,
    code,
  });
  const withCommands = (commands: PsValue): PsObject =>
    changed(
      createBody(),
      'PowerShell',
      bag({ Cmds: commands, IsNested: false, History: null, RedirectShellErrorOutputPipe: false }),
    );
  for (const property of [
    'Cmd',
    'IsScript',
    'UseLocalScope',
    'MergeMyResult',
    'MergeToResult',
    'MergePreviousResults',
    'Args',
  ]) {
    rows.push(
      row(
        `command-without-${property}`,
        `a command without ${property}`,
        withCommands(list([changed(command(), property, undefined)])),
        'clixml_bad_value',
      ),
    );
  }
  for (const property of ['_isHostNull', '_isHostUINull', '_isHostRawUINull', '_useRunspaceHost']) {
    rows.push(
      row(
        `host-without-${property}`,
        `a host without ${property}`,
        changed(createBody(), 'HostInfo', changed(hostInfo(), property, undefined)),
        'clixml_bad_value',
      ),
    );
    rows.push(
      row(
        `host-text-${property}`,
        `a host with a text for ${property}`,
        changed(createBody(), 'HostInfo', changed(hostInfo(), property, 'true')),
        'clixml_bad_value',
      ),
    );
  }
  rows.push(row('commands-null', 'no list of commands', withCommands(null), 'clixml_bad_value'));
  rows.push(row('commands-text', 'a command that is a text', withCommands(list(['Get-Date'])), 'clixml_bad_value'));
  rows.push(
    row('enum-text', 'an enum by its name', changed(createBody(), 'ApartmentState', 'Unknown'), 'clixml_bad_value'),
  );
  rows.push(
    row('enum-byte', 'an enum of another width', changed(createBody(), 'ApartmentState', integer('By', 2)), null),
  );
  const merges = changed(command(), 'MergeMyResult', 2);
  rows.push(row('merge', 'a merge as a plain number', withCommands(list([merges])), null));
  rows.push(
    row(
      'upper',
      'names of properties in capitals',
      bag([...createBody().properties()].map(([name, value]) => [name.toUpperCase(), value] as const)),
      null,
    ),
  );
  return rows;
}

function versionCases(): MessageCase[] {
  const version = (
    protocol: PsVersion,
    ps = new PsVersion(2, 0),
    serialization = new PsVersion(1, 1, 0, 1),
  ): Uint8Array => encodeBody(bag({ protocolversion: protocol, PSVersion: ps, SerializationVersion: serialization }));
  const row = (
    role: 'client' | 'server',
    id: string,
    probes: string,
    body: Uint8Array,
    event: string | null,
    code: string | null,
  ): MessageCase => ({
    kind: 'message',
    id: `${role}-version-${id}`,
    probes,
    role,
    state: 'new',
    bytes: message('SESSION_CAPABILITY', body, { destination: role === 'client' ? 1 : 2 }),
    event,
    code,
  });
  const rows: MessageCase[] = [];
  for (const minor of [0, 1, 2, 3, 4, 5, 99]) {
    const isKnown = minor <= 3;
    rows.push(
      row(
        'client',
        `2.${minor}`,
        `a server answers 2.${minor} to our 2.3`,
        version(new PsVersion(2, minor)),
        isKnown ? 'negotiated' : null,
        isKnown ? null : 'psrp_version',
      ),
    );
    rows.push(
      row(
        'server',
        `2.${minor}`,
        `a client announces 2.${minor} to our 2.3`,
        version(new PsVersion(2, minor)),
        'negotiated',
        null,
      ),
    );
  }
  for (const major of [0, 1, 3]) {
    rows.push(
      row(
        'client',
        `${major}.0`,
        `a server answers ${major}.0`,
        version(new PsVersion(major, 0)),
        null,
        'psrp_version',
      ),
    );
    rows.push(
      row(
        'server',
        `${major}.0`,
        `a client announces ${major}.0`,
        version(new PsVersion(major, 0)),
        'unsuitable',
        null,
      ),
    );
  }
  rows.push(
    row(
      'client',
      'ps',
      'a server with another PSVersion',
      version(new PsVersion(2, 3), new PsVersion(5, 1)),
      null,
      'psrp_version',
    ),
  );
  rows.push(
    row(
      'client',
      'serialization',
      'a server with another SerializationVersion',
      version(new PsVersion(2, 3), new PsVersion(2, 0), new PsVersion(1, 2)),
      null,
      'psrp_version',
    ),
  );
  rows.push(
    row(
      'server',
      'ps',
      'a client of another PSVersion',
      version(new PsVersion(2, 3), new PsVersion(3, 0)),
      'unsuitable',
      null,
    ),
  );
  for (const property of ['protocolversion', 'PSVersion', 'SerializationVersion']) {
    const whole = bag({
      protocolversion: new PsVersion(2, 3),
      PSVersion: new PsVersion(2, 0),
      SerializationVersion: new PsVersion(1, 1, 0, 1),
    });
    for (const role of ['client', 'server'] as const) {
      rows.push(
        row(
          role,
          `without-${property}`,
          `a capability without ${property}, to a ${role}`,
          encodeBody(changed(whole, property, undefined)),
          null,
          'clixml_bad_value',
        ),
      );
      rows.push(
        row(
          role,
          `text-${property}`,
          `a capability with ${property} as text, to a ${role}`,
          encodeBody(changed(whole, property, '2.3')),
          null,
          'clixml_bad_value',
        ),
      );
    }
  }
  return rows;
}

/** What opens a pool of either role, for the runner. */
export const OPENING = { hosts: { pool: NULL_HOST, pipeline: RUNSPACE_HOST }, arguments: primitiveDictionary([]) };

/** All cases, in the order of the file. */
export const fragmentCases = (): readonly (StreamCase | MessageCase)[] => [
  ...streamCases(),
  ...turnCases(),
  ...bagCases(),
  ...commandCases(),
  ...versionCases(),
];
