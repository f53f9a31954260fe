/** Crafted pipelines to create, and versions to negotiate. */
import { bag, encodeBody, integer, list, PsVersion } from '@sallyport/psrp';
import type { PsObject, PsValue } from '@sallyport/psrp';
import { command, hostInfo, createBody, changed } from './message-bags.ts';
import { OTHER_ID, message } from './message-case.ts';
import type { MessageCase } from './message-case.ts';

export function commandCases(): MessageCase[] {
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

export function versionCases(): MessageCase[] {
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
