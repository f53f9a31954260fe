/**
 * The order of ways to sign in: none (to learn the methods), publickey, keyboard-interactive, password. A stored
 * credential is tried once; whatever the target says to it, it is not sent again. security.md section 2, rule 9.
 */
import type { AnyAuthMethod, ParsedKey } from 'ssh2';
import { SallyportError } from '../../errors.ts';
import type { Secret } from '../../secret.ts';
import type { ConnectPort, Identity } from '../contract.ts';
import type { UserCertificate } from './certificate.ts';
import { escapePeerText } from './errors.ts';
import { toOffers } from './offers.ts';
import { toSentUser } from './user.ts';

const MAX_PROMPTS = 16;
const MAX_PROMPT_CHARS = 1024;
const MAX_INSTRUCTION_CHARS = 8 * 1024;
/** What PAM and others write when the sign-in turns into a change of password. */
const PASSWORD_CHANGE =
  /new (?:unix |kerberos )?password|password (?:has |is )?expired|required to change your password|password must be changed/i;

export interface Prompt {
  readonly prompt: string;
  readonly echo?: boolean | undefined;
}

/** The target's wish: which methods may go on; null at the start. */
export type MethodsLeft = readonly string[] | null;

const cancelled = (): SallyportError => new SallyportError('cancelled', 'the person gave no secret');

/** What a sign-in needs from outside; the connect clock stands still while it waits for any of it. */
export interface SignInPort extends Pick<ConnectPort, 'askSecret' | 'askKeyboard'> {
  askUser(): Promise<string | null>;
  readKey(key: Secret, passphrase: Secret): Promise<ParsedKey>;
  /** Offers of an identity whose key is not in our hands before the target wants it. */
  offersOf(identity: LateIdentity, signing: () => void): Promise<ParsedKey[]>;
}
/** Identities that make or find their key when it is wanted. */
export type LateIdentity = Extract<Identity, { readonly kind: 'issued' | 'agent' }>;
/** What was read of a stored identity before anything was sent. */
export interface StoredKey {
  /** Null when it needs a passphrase that must be asked for. */
  readonly key: ParsedKey | null;
  readonly certificate: UserCertificate | null;
}

export class SignIn {
  readonly #identity: Identity;
  #user: string;
  readonly #ask: SignInPort;
  readonly #stored: StoredKey;
  readonly #isKeyed: boolean;
  #offers: ParsedKey[] | null = null;
  #isSigned = false;
  readonly #tried = new Set<string>();
  #isStoredUsed = false;
  #isAnswered = false;
  #prompts = 0;

  constructor(identity: Identity, stored: StoredKey, ask: SignInPort) {
    this.#identity = identity;
    this.#user = toSentUser(identity.user);
    this.#ask = ask;
    this.#stored = stored;
    this.#isKeyed = identity.kind !== 'password' && identity.kind !== 'ask';
  }

  /** True once a credential, stored or typed, has been sent. */
  get hasOffered(): boolean {
    return this.#isAnswered || this.#tried.has('publickey') || this.#tried.has('password');
  }

  /**
   * @param isPartial the method tried last was right, but the target wants one more
   * @throws SallyportError credential_needed when nobody gives a user name, before anything is sent; target_auth_failed, target_auth_unsupported, cancelled, key_unreadable
   */
  async next(methodsLeft: MethodsLeft, isPartial: boolean): Promise<AnyAuthMethod> {
    if (this.#user === '') this.#user = toSentUser((await this.#ask.askUser()) ?? '');
    const username = this.#user;
    if (username === '') throw new SallyportError('credential_needed', 'no user name for the target');
    if (methodsLeft === null) return { type: 'none', username };
    const key = methodsLeft.includes('publickey') ? await this.#nextKey() : null;
    // The types want the key's text; ssh2 takes a parsed key as it is (isParsedKey) and so never sees a passphrase.
    if (key !== null) return { type: 'publickey', username, key };
    const isSecretWelcome = !this.#isKeyed || isPartial || this.#isAnswered;
    if (isSecretWelcome && !(this.#isAnswered && !isPartial)) {
      if (this.#may('keyboard-interactive', methodsLeft)) {
        this.#tried.add('keyboard-interactive');
        return { type: 'keyboard-interactive', username, prompt: () => undefined };
      }
      if (this.#may('password', methodsLeft)) return this.#password(username);
    }
    if (this.hasOffered) throw new SallyportError('target_auth_failed', `target refused the sign-in of ${username}`);
    throw new SallyportError(
      'target_auth_unsupported',
      `target offers only: ${escapePeerText(methodsLeft.join(', '))}`,
    );
  }

  /**
   * Answers one round of keyboard-interactive, RFC 4256 section 3.2. The stored password answers a single hidden prompt,
   * once; everything else is asked.
   * @throws SallyportError ssh_protocol_error beyond 16 prompts of 1 KiB, password_expired, cancelled
   */
  async answer(title: string, instructions: string, prompts: readonly Prompt[]): Promise<string[]> {
    this.#check(title, instructions, prompts);
    this.#isAnswered = true;
    const [only] = prompts;
    if (this.#identity.kind === 'password' && !this.#isStoredUsed && prompts.length === 1 && only?.echo === false) {
      this.#isStoredUsed = true;
      return [this.#identity.password.reveal()];
    }
    const shown = prompts.map(({ prompt, echo }) => ({ text: prompt, echo: echo === true }));
    const answers = await this.#ask.askKeyboard(title, instructions, shown);
    if (answers === null) throw cancelled();
    if (answers.length !== prompts.length) throw new SallyportError('bad_message', 'as many answers as prompts needed');
    return answers.map((secret) => secret.reveal());
  }

  #check(title: string, instructions: string, prompts: readonly Prompt[]): void {
    this.#prompts += prompts.length;
    const isLong =
      title.length + instructions.length > MAX_INSTRUCTION_CHARS ||
      prompts.some(({ prompt }) => prompt.length > MAX_PROMPT_CHARS);
    if (this.#prompts > MAX_PROMPTS || isLong)
      throw new SallyportError('ssh_protocol_error', 'target asks more than 16 prompts of 1 KiB');
    if ([title, instructions, ...prompts.map(({ prompt }) => prompt)].some((text) => PASSWORD_CHANGE.test(text)))
      throw new SallyportError('password_expired', 'target asks for a new password');
  }

  /** The next way to offer the key; null when there is none, or when the target has had its one signature. */
  async #nextKey(): Promise<ParsedKey | null> {
    if (!this.#isKeyed || this.#isSigned) return null;
    this.#offers ??= await this.#makeOffers(() => {
      if (this.#isSigned) throw new SallyportError('ssh_protocol_error', 'target asks for a second signature');
      this.#isSigned = true;
    });
    const offer = this.#offers.shift() ?? null;
    if (offer !== null) this.#tried.add('publickey');
    return offer;
  }

  async #makeOffers(signing: () => void): Promise<ParsedKey[]> {
    const identity = this.#identity;
    if (identity.kind === 'issued' || identity.kind === 'agent') return this.#ask.offersOf(identity, signing);
    if (identity.kind !== 'privateKey') return [];
    const { key, certificate } = this.#stored;
    return toOffers(key ?? (await this.#askPassphrase(identity.key)), certificate, signing);
  }

  #may(method: string, methodsLeft: readonly string[]): boolean {
    return methodsLeft.includes(method) && !this.#tried.has(method);
  }

  async #password(username: string): Promise<AnyAuthMethod> {
    this.#tried.add('password');
    if (this.#identity.kind === 'password' && !this.#isStoredUsed) {
      this.#isStoredUsed = true;
      return { type: 'password', username, password: this.#identity.password.reveal() };
    }
    const typed = await this.#ask.askSecret('password', username, `Password for ${username}`);
    if (typed === null) throw cancelled();
    return { type: 'password', username, password: typed.reveal() };
  }

  async #askPassphrase(key: Secret): Promise<ParsedKey> {
    const typed = await this.#ask.askSecret('passphrase', this.#identity.user, 'Passphrase of the private key');
    if (typed === null) throw cancelled();
    return this.#ask.readKey(key, typed);
  }
}
