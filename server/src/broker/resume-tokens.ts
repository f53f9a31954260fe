/** Tokens for a page to come back with: single use, bound to the login, 120 s after the page lost its line. T11. */
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import { randomId, tokenHash } from '../random.ts';
import type { Requester } from './contract.ts';
import type { AttachedPage } from './page.ts';
import { RESUME_MS } from './left.ts';
import type { Session } from './session.ts';

interface Held {
  readonly hash: string;
  readonly session: Session;
  readonly page: AttachedPage;
  cancel: () => void;
}

export class ResumeTokens {
  readonly #clock: Clock;
  readonly #byHash = new Map<string, Held>();
  readonly #byPage = new Map<AttachedPage, Held>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  issue(session: Session, page: AttachedPage): string {
    const token = randomId();
    const held: Held = { hash: tokenHash(token), session, page, cancel: () => undefined };
    this.#byHash.set(held.hash, held);
    this.#byPage.set(page, held);
    return token;
  }

  pageLeft(page: AttachedPage, resumable: boolean): void {
    const held = this.#byPage.get(page);
    if (held === undefined) return;
    if (!resumable) this.#drop(held);
    else
      held.cancel = this.#clock.after(RESUME_MS, () => {
        this.#drop(held);
      });
  }

  /** @throws SallyportError resume_invalid; the token is used up for its own login only */
  redeem(token: string, who: Requester): { readonly session: Session; readonly page: AttachedPage } {
    const held = this.#byHash.get(tokenHash(token));
    if (held?.page.who.loginHash !== who.loginHash || held.page.who.subject.userId !== who.subject.userId)
      throw new SallyportError('resume_invalid', 'resume token is unknown, used, expired or of another login');
    this.#drop(held);
    return held;
  }

  dropLogins(loginHashes: ReadonlySet<string>): void {
    for (const held of [...this.#byHash.values()]) if (loginHashes.has(held.page.who.loginHash)) this.#drop(held);
  }

  #drop(held: Held): void {
    held.cancel();
    this.#byHash.delete(held.hash);
    this.#byPage.delete(held.page);
  }
}
