import type { Clock } from '../clock.ts';
import { randomId, tokenHash } from '../random.ts';
import type { Principal, TicketPurpose } from './contract.ts';

const TICKET_MS = 30_000;
/** Open tickets at most; each lives 30 s, so this is over 300 a second. The oldest goes first. */
const MAX_TICKETS = 10_000;

interface Ticket {
  readonly principal: Principal;
  readonly purpose: TicketPurpose;
  readonly until: number;
}

/** Single-use tickets that open a socket. In memory: a restart ends the sockets anyway. */
export class Tickets {
  readonly #clock: Clock;
  readonly #open = new Map<string, Ticket>();
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  issue(principal: Principal, purpose: TicketPurpose): string {
    const now = this.#clock.monotonic();
    for (const [hash, ticket] of this.#open) {
      if (ticket.until > now && this.#open.size < MAX_TICKETS) break;
      this.#open.delete(hash);
    }
    const ticket = randomId();
    this.#open.set(tokenHash(ticket), { principal, purpose, until: now + TICKET_MS });
    return ticket;
  }

  /** What the ticket was issued for, and to whom; null when unknown, used or late. It is used up either way. */
  redeem(ticket: string): { readonly principal: Principal; readonly purpose: TicketPurpose } | null {
    const hash = tokenHash(ticket);
    const found = this.#open.get(hash);
    this.#open.delete(hash);
    return found !== undefined && found.until > this.#clock.monotonic() ? found : null;
  }
}
