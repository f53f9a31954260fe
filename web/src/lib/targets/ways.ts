import type { OpenSession } from '@sallyport/shared/api/sessions';
import type { ProbedPort, Target, WhereTo } from '@sallyport/shared/api/targets';
import type { TerminalKind } from '@sallyport/shared/wire/control';
import { addressOf, waysOf } from './target-words.ts';

/** One place that a line may mean, and the ways into it, the likeliest first. */
export interface WayRow {
  readonly key: string;
  readonly name: string;
  readonly address: string;
  /** What is said of it besides: demo target, not saved. */
  readonly remark: string;
  readonly to: OpenSession['to'];
  /** Who signs in there: the target's own, or the user that the line names, who is asked. */
  readonly credential: OpenSession['credential'];
  readonly ways: readonly TerminalKind[];
}

type Address = NonNullable<WhereTo['address']>;

function ofTarget(target: Target, wanted: TerminalKind | null): WayRow {
  const ways = waysOf(target).toSorted((a, b) => Number(b === wanted) - Number(a === wanted));
  return {
    key: target.id,
    name: target.name,
    address: addressOf(target),
    remark: target.isDemo ? 'demo target' : '',
    to: { by: 'target', targetId: target.id },
    credential: { by: 'default' },
    ways,
  };
}

/** Of an address that was typed: its user, if it names one, is asked for the rest. */
export const credentialOf = (user: string): OpenSession['credential'] =>
  user === ''
    ? { by: 'default' }
    : {
        by: 'typed',
        typed: { user, kind: 'ask', secret: '', passphrase: null, certificate: null, saveAs: null },
      };

/** The doors of a machine as they answered when somebody asked. */
export interface FoundDoors {
  readonly host: string;
  readonly ports: readonly ProbedPort[];
}

/** A line that says neither port nor how means SSH, unless that is known not to be open and WinRM is. */
function throughDoor(address: Address, found: FoundDoors | null): Address {
  const { host, port, kind, winrm } = address;
  if (port !== 22 || kind !== null || winrm !== null || found?.host !== host) return address;
  const open = (way: ProbedPort['way']) => found.ports.find((door) => door.way === way && door.state === 'open');
  const door = open('ssh') ?? open('https') ?? open('http');
  return door === undefined || door.way === 'ssh' ? address : { ...address, port: door.port, winrm: door.way };
}

/**
 * What can be opened: the targets that the line means, then the address itself where typed addresses are allowed and no
 * target stands for it. An empty line (null) means any target. `found`: the doors that somebody looked at, if any.
 */
export function rowsOf(
  read: WhereTo | null,
  targets: readonly Target[],
  mayOpenAdHoc: boolean,
  found: FoundDoors | null = null,
): WayRow[] {
  if (read === null)
    return [...targets]
      .sort((a, b) => (b.lastOpenedAt ?? 0) - (a.lastOpenedAt ?? 0))
      .map((target) => ofTarget(target, null));
  const { address } = read;
  const rows = read.targets.map((target) => ofTarget(target, address?.kind ?? null));
  if (address === null || !mayOpenAdHoc) return rows;
  const { host, port, user, subsystem, kind, winrm } = throughDoor(address, found);
  if (read.targets.some((target) => target.host === host && target.port === port)) return rows;
  const both: TerminalKind[] = kind === 'pty' ? ['pty', 'powershell'] : ['powershell', 'pty'];
  const name = user === '' ? host : `${user}@${host}`;
  return [
    ...rows,
    {
      key: 'address',
      name,
      address: addressOf({ host, port }),
      remark: winrm === null ? 'not saved, SSH' : 'not saved, WinRM',
      to: { by: 'address', host, port, subsystem, winrm },
      credential: credentialOf(user),
      ways: winrm === null ? both : ['powershell'],
    },
  ];
}
