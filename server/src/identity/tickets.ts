import type { Clock } from '../clock.ts';
import { randomId, tokenHash } from '../random.ts';
import type { Principal, TicketPurpose } from './contract.ts';

const TICKET_MS = 30_000;
/** Open tickets at most of one login; the oldest goes first. Nobody can use up the tickets of others. */
const MAX_TICKETS_PER_LOGIN = 256;

interface Ticket {
  readonly principal: Principal;
  readonly purpose: TicketPurpose;
  readonly until: number;
}

/** Single-use tickets that open a socket. In memory: a restart ends the sockets anyway. */
export class Tickets {
  readonly #clock: Clock;
  readonly #open = new Map<string, Ticket>();
  /** Hashes of a login's open tickets, oldest first. */
  readonly #ofLogin = new Map<string, Set<string>>();
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  issue(principal: Principal, purpose: TicketPurpose): string {
    const now = this.#clock.monotonic();
    for (const [hash, { until }] of this.#open) {
      if (until > now) break;
      this.#take(hash);
    }
    const own = this.#ofLogin.get(principal.loginHash) ?? new Set();
    for (const hash of own) {
      if (own.size < MAX_TICKETS_PER_LOGIN) break;
      this.#take(hash);
    }
    const ticket = randomId();
    const hash = tokenHash(ticket);
    this.#open.set(hash, { principal, purpose, until: now + TICKET_MS });
    this.#ofLogin.set(principal.loginHash, own.add(hash));
    return ticket;
  }

  /** What the ticket was issued for, and to whom; null when unknown, used or late. It is used up either way. */
  redeem(ticket: string): { readonly principal: Principal; readonly purpose: TicketPurpose } | null {
    const found = this.#take(tokenHash(ticket));
    return found !== null && found.until > this.#clock.monotonic() ? found : null;
  }

  #take(hash: string): Ticket | null {
    const found = this.#open.get(hash);
    if (found === undefined) return null;
    this.#open.delete(hash);
    const own = this.#ofLogin.get(found.principal.loginHash);
    own?.delete(hash);
    if (own?.size === 0) this.#ofLogin.delete(found.principal.loginHash);
    return found;
  }
}
