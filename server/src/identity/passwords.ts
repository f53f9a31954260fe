import { hash, verify } from '@node-rs/argon2';
import { SallyportError } from '../errors.ts';
import { randomId } from '../random.ts';

/** argon2id as OWASP's first choice and more: 64 MiB, 3 passes, 1 lane; about 0.2 s on its own thread. */
export interface PasswordCost {
  readonly memoryKiB: number;
  readonly passes: number;
}
export const PASSWORD_COST: PasswordCost = { memoryKiB: 64 * 1024, passes: 3 };

/** At once; each takes 64 MiB and a thread of Node's pool of 4, which files need too. */
const MAX_PARALLEL = 2;
/** Waiting for their turn: about 6 s of work. More are told to come back. */
const MAX_WAITING = 64;
const MIN_LENGTH = 12;

/** Hashes and checks passwords, a few at a time. */
export class Passwords {
  readonly #cost: PasswordCost;
  /** Checked when there is no such user, so that both answers take the same work. */
  readonly #nobody: Promise<string>;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(cost: PasswordCost = PASSWORD_COST) {
    this.#cost = cost;
    this.#nobody = this.#hash(randomId());
    // Whoever checks a password sees the failure; until then it is nobody's.
    this.#nobody.catch(() => undefined);
  }

  /** @throws SallyportError weak_password, rate_limited */
  async hash(password: string): Promise<string> {
    if (password.length < MIN_LENGTH) throw new SallyportError('weak_password', 'the password is too short');
    return this.#turn(() => this.#hash(password));
  }

  /** Same work whether there is such a user (`stored`) or not (null). @throws SallyportError rate_limited */
  async isRight(stored: string | null, password: string): Promise<boolean> {
    const known = stored ?? (await this.#nobody);
    const isEqual = await this.#turn(() => verify(known, password));
    return isEqual && stored !== null;
  }

  #hash(password: string): Promise<string> {
    const { memoryKiB, passes } = this.#cost;
    // argon2id is the library's default algorithm; a test reads it off the result.
    return hash(password, { memoryCost: memoryKiB, timeCost: passes, parallelism: 1 });
  }

  async #turn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= MAX_PARALLEL) {
      if (this.#waiting.length >= MAX_WAITING)
        throw new SallyportError('rate_limited', 'too many passwords are being checked', { retryAfterS: 5 });
      // The one that ends hands its place over, so `#running` stays.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
