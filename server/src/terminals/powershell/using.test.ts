import { randomUUID } from 'node:crypto';
import { asCredential, PsSecureString, toDictionary } from '@sallyport/psrp';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../secret.ts';
import { type LentCredential, refusalText, VaultValues } from './using.ts';

const opened: Secret[] = [];
const asked: (readonly string[])[] = [];
function values(version: string | null, seal?: (signal: AbortSignal) => Promise<PsSecureString>): VaultValues {
  opened.length = 0;
  asked.length = 0;
  const pool = {
    ...{ poolId: randomUUID(), version, signal: new AbortController().signal },
    seal: (text: string, signal: AbortSignal) => seal?.(signal) ?? Promise.resolve(new PsSecureString(`<${text}>`)),
  };
  return new VaultValues(pool, (names) => {
    asked.push(names);
    const lent = names.map((name): LentCredential => ({ userName: `u-${name}`, password: new Secret(`p-${name}`) }));
    opened.push(...lent.map(({ password }) => password));
    return Promise.resolve(lent);
  });
}
/** Texts of the variables, in the order of the line, with the users that they got. */
async function given(line: string): Promise<readonly (readonly [string, string | undefined])[]> {
  const parameter = await values('7.6.5').parameterOf(line, 'pipeline');
  if (parameter === null) return [];
  expect(parameter.name).toBe('--%');
  return [...(toDictionary(parameter.value)?.entries() ?? [])].map(([key, value]) => [
    typeof key === 'string' ? Buffer.from(key, 'base64').toString('utf16le') : '',
    asCredential(value)?.userName,
  ]);
}

describe('$using:vault:NAME in a line', () => {
  it.each<[string, readonly (readonly [string, string])[]]>([
    ['Invoke-Command web -Credential $using:vault:Adm { hostname }', [['$using:vault:adm', 'u-adm']]],
    ['$USING:Vault:Adm;$using:vault:adm', [['$using:vault:adm', 'u-adm']]],
    ['f ${using:vault:web-In 1}', [['${using:vault:web-in 1}', 'u-web-in 1']]],
    ['f $using:vault:a $using:vault:b', [['$using:vault:a', 'u-a'], ['$using:vault:b', 'u-b']]], // prettier-ignore
    ['f $using:vault:a ${using:vault:A}', [['$using:vault:a', 'u-a'], ['${using:vault:a}', 'u-a']]], // prettier-ignore
    ['"a $using:vault:x." + ($using:vault:x).UserName', [['$using:vault:x', 'u-x']]],
    ['@"\n"$using:vault:x"\n"@', [['$using:vault:x', 'u-x']]],
    ['$using:vault:Größe_2', [['$using:vault:größe_2', 'u-größe_2']]],
    ['f#$using:vault:x', [['$using:vault:x', 'u-x']]],
  ])('is found in %s', async (line, found) => {
    expect(await given(line)).toEqual(found);
  });

  it.each([
    'Get-Item $using:x',
    "'$using:vault:x' ‘$using:vault:x’",
    "@'\n'$using:vault:x'\n'@",
    '1 # $using:vault:x',
    '<# $using:vault:x #> `$using:vault:x "`$using:vault:x"',
    '$using:vault: ${using:vault:}',
    "'$using:vault:x",
    '<# $using:vault:x',
  ])('is none in %s', async (line) => {
    expect(await given(line)).toEqual([]);
    expect(asked).toEqual([]);
  });

  it('goes on behind what is closed', async () => {
    expect(
      await given("'it''s' <# ' #> \"a `\" '\" $using:vault:x @'\n'@ + $using:vault:y # '\n$using:vault:z"),
    ).toEqual([
      ['$using:vault:x', 'u-x'],
      ['$using:vault:y', 'u-y'],
      ['$using:vault:z', 'u-z'],
    ]);
  });

  it('reads a line of a mebibyte in a moment, whatever it is made of', async () => {
    const started = performance.now();
    for (const part of ['<#', "'", '"', "@'\n", '@"\n', '${using:vault:', '$using:vault:', '`', '$', '#'])
      await given(part.repeat(Math.floor(2 ** 20 / part.length))).catch(() => undefined);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

it('refuses members, too many names and old PowerShells before the vault is asked', async () => {
  const none = { code: 'using_form' };
  const many = Array.from({ length: 17 }, (_, index) => `$using:vault:n${String(index)}`).join(' ');
  for (const line of ['$using:vault:x.Password', '$using:vault:x[0]', '$using:vault:x::y', many])
    await expect(values('7.6.5').parameterOf(line, 'pipeline')).rejects.toMatchObject(none);
  for (const version of ['4.0', '2.0', null])
    await expect(values(version).parameterOf('$using:vault:x', 'pipeline')).rejects.toMatchObject({
      code: 'using_unsupported',
    });
  expect(await values('5.1.17763.1').parameterOf('$using:vault:x', 'pipeline')).not.toBeNull();
  expect(asked).toHaveLength(1);
});

it('wipes the passwords, also when the line is stopped before the target gave its key', async () => {
  await values('7.6.5').parameterOf('$using:vault:a $using:vault:b', 'pipeline');
  expect(opened.map((secret) => secret.reveal())).toEqual(['\0\0\0', '\0\0\0']);
  const stopped = values('7.6.5', (signal) => {
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      queueMicrotask(() => stopped.cancel());
    });
  });
  const refused = stopped.parameterOf('$using:vault:a', 'pipeline');
  await expect(refused).rejects.toMatchObject({ code: 'cancelled' });
  expect(opened.map((secret) => secret.reveal())).toEqual(['\0\0\0']);
  expect(refusalText(await refused.catch((error: unknown) => error))).toBe('stopped before the line was sent');
});
