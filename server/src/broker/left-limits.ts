/** How many sessions of one person may wait at their targets: they count like live ones, and at one machine there are but a few. */
import { SessionFacts } from '@sallyport/shared/wire/control';
import { WSMAN_PORTS } from '@sallyport/shared/winrm';
import { SallyportError } from '../errors.ts';
import { formatIp, parseIp } from '../targets/ip.ts';
import type { BrokerDeps } from './deps.ts';
import { isLeft, type LeftSession } from './left.ts';
import type { Session } from './session.ts';

/** Asks the table, so that what was left before a restart counts too. */
export class LeftLimits {
  readonly #deps: Pick<BrokerDeps, 'sessions' | 'limits'>;
  /** Carried by somebody, or about to be: counted as live. */
  readonly #isLive: (id: string) => boolean;
  /** One person leaves one session after the other, so that each is counted before the next. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(deps: Pick<BrokerDeps, 'sessions' | 'limits'>, isLive: (id: string) => boolean) {
    this.#deps = deps;
    this.#isLive = isLive;
  }

  /** Sessions of this person that wait. */
  async waitingOf(userId: string): Promise<readonly LeftSession[]> {
    const rows = await this.#deps.sessions.unended();
    return rows.filter(isLeft).filter((row) => row.userId === userId && !this.#isLive(row.id));
  }

  /** Only what a person decides is refused: a gateway that stops, or a link that breaks, leaves what it must. @throws SallyportError too_many_left_sessions, and what `leave` throws; the session goes on then */
  async leaving({ ownerId, shown }: Pick<Session, 'ownerId' | 'shown'>, leave: () => Promise<void>): Promise<void> {
    const before = this.#turns.get(ownerId) ?? Promise.resolve();
    const mine = before.then(async () => {
      const here = machineOf(shown.facts.address);
      const there = (await this.waitingOf(ownerId)).filter((row) => machineOf(addressOf(row)) === here);
      if (there.length >= this.#deps.limits.leftPerTarget)
        throw new SallyportError('too_many_left_sessions', 'too many sessions of one user wait at this target');
      await leave();
    });
    const settled = mine.catch(() => undefined);
    this.#turns.set(ownerId, settled);
    try {
      await mine;
    } finally {
      if (this.#turns.get(ownerId) === settled) this.#turns.delete(ownerId);
    }
  }
}

/**
 * The machine of an address, whichever entry of the inventory led there: one name for an IP address however it is written, and
 * the two ports of WinRM are doors of one machine, where any other may lead to another. Names are not resolved.
 * @param address `host:port`, IPv6 in brackets
 */
export function machineOf(address: string): string {
  const [, host = address, port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
  const ip = parseIp(host);
  const name = ip === null ? host.toLowerCase() : formatIp(ip);
  return USUAL_PORTS.has(Number(port)) ? name : `${name} ${port}`;
}
const USUAL_PORTS: ReadonlySet<number> = new Set(Object.values(WSMAN_PORTS));

const addressOf = ({ facts }: LeftSession): string => SessionFacts.parse(JSON.parse(facts)).address;
