import type { ErrorCode } from '@sallyport/shared/error-codes';
import { describe, expect, it } from 'vitest';
import { codeOf, SallyportError } from '../../../errors.ts';
import type { HttpSignIn, SignInPlace, SignInStep } from './contract.ts';
import { isKerberosName, negotiateSignIn } from './negotiate.ts';

const place = (host: string): SignInPlace => ({ host, port: 5985, isTls: false, channelBinding: null });
const NAME = place('srv.lab.example');
const signal = new AbortController().signal;

/** A mechanism that fails with these codes in turn, then sends its name. */
class Mechanism implements HttpSignIn {
  readonly log: string[] = [];
  readonly #name: string;
  readonly #failures: (ErrorCode | null)[];
  constructor(name: string, ...failures: (ErrorCode | null)[]) {
    this.#name = name;
    this.#failures = failures;
  }
  begin(): ReturnType<HttpSignIn['begin']> {
    this.log.push('begin');
    return {
      next: async (answer): Promise<SignInStep> => {
        if (answer !== null) return { kind: 'send', authorization: `${this.#name} goes on` };
        const failure = this.#failures.shift() ?? null;
        if (failure !== null) throw new SallyportError(failure, `${this.#name} says no`);
        return { kind: 'send', authorization: this.#name };
      },
      close: () => void this.log.push('close'),
    };
  }
  async close(): Promise<void> {
    this.log.push('end');
  }
}

async function used(kerberos: Mechanism | null, ntlm: Mechanism | null, where = NAME): Promise<string> {
  const connection = negotiateSignIn({ kerberos, ntlm }).begin(where);
  try {
    const step = await connection.next(null, signal);
    return step.kind === 'send' ? step.authorization : step.kind;
  } catch (error) {
    return codeOf(error);
  }
}
const kerberos = (...failures: (ErrorCode | null)[]): Mechanism => new Mechanism('kerberos', ...failures);
const ntlm = (...failures: (ErrorCode | null)[]): Mechanism => new Mechanism('ntlm', ...failures);

describe('Negotiate', () => {
  it('is Kerberos where that can be', async () => {
    const other = ntlm();
    expect(await used(kerberos(), other)).toBe('kerberos');
    expect(other.log).toEqual([]);
  });
  it.each(['10.0.0.1', '[2001:db8::1]', '2001:db8::1', 'localhost', 'LOCALHOST.'])('is NTLM for %s', async (host) => {
    const first = kerberos();
    expect(await used(first, ntlm(), place(host))).toBe('ntlm');
    expect(first.log).toEqual([]);
    expect(isKerberosName(host)).toBe(false);
  });
  it('is NTLM for an account without a realm', async () => {
    expect(await used(null, ntlm())).toBe('ntlm');
  });
  it.each(['kerberos_unavailable', 'kerberos_no_kdc', 'kerberos_unknown_target'] as const)(
    'falls back after %s, and gives up the first attempt',
    async (code) => {
      const first = kerberos(code);
      expect(await used(first, ntlm())).toBe('ntlm');
      expect(first.log).toEqual(['begin', 'close']);
    },
  );
  it.each([
    'target_auth_failed',
    'password_expired',
    'target_account_locked',
    'kerberos_clock_skew',
    'kerberos_unknown_user',
    'kerberos_failed',
    'wsman_binding_refused',
    'credential_needed',
    'cancelled',
  ] as const)('never falls back after %s', async (code) => {
    const other = ntlm();
    expect(await used(kerberos(code), other)).toBe(code);
    expect(other.log).toEqual([]);
  });
  it('says why Kerberos was not used when NTLM may not be', async () => {
    const connection = negotiateSignIn({ kerberos: kerberos('kerberos_no_kdc'), ntlm: ntlm('ntlm_not_trusted') }).begin(NAME);
    await expect(connection.next(null, signal)).rejects.toMatchObject({
      code: 'ntlm_not_trusted',
      message: 'ntlm says no; before that: kerberos says no',
    });
  }); // prettier-ignore
  it('has no fall-back where NTLM is not wanted', async () => {
    expect(await used(kerberos('kerberos_no_kdc'), null)).toBe('kerberos_no_kdc');
    expect(await used(null, null)).toBe('kerberos_unknown_target');
    expect(await used(kerberos(), null, place('10.0.0.1'))).toBe('kerberos_unknown_target');
  });
  it('stays with what the first connection used', async () => {
    const first = kerberos(null, 'kerberos_no_kdc');
    const signIn = negotiateSignIn({ kerberos: first, ntlm: ntlm() });
    await signIn.begin(NAME).next(null, signal);
    await expect(signIn.begin(NAME).next(null, signal)).rejects.toMatchObject({ code: 'kerberos_no_kdc' });
    const fallen = kerberos('kerberos_no_kdc');
    const other = negotiateSignIn({ kerberos: fallen, ntlm: ntlm() });
    await other.begin(NAME).next(null, signal);
    await other.begin(NAME).next(null, signal);
    expect(fallen.log).toEqual(['begin', 'close']);
  });
  it('hands the answers to the mechanism, and closes all with the whole', async () => {
    const first = kerberos();
    const second = ntlm();
    const signIn = negotiateSignIn({ kerberos: first, ntlm: second });
    const connection = signIn.begin(NAME);
    await connection.next(null, signal);
    expect(await connection.next({ status: 401, challenges: [] }, signal)).toMatchObject({ authorization: 'kerberos goes on' });
    connection.close();
    await signIn.close();
    expect(first.log).toEqual(['begin', 'close', 'end']);
    expect(second.log).toEqual(['end']);
  }); // prettier-ignore
});
