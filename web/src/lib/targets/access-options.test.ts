import { describe, expect, it } from 'vitest';
import { accessOptions, noDelegation } from './access-options.ts';

describe('access to other machines', () => {
  const options = accessOptions('web01.contoso.test', 'fs01.contoso.test');
  const lines = (key: string) => options.find((one) => one.key === key)?.steps.flatMap((step) => step.lines) ?? [];
  it('offers the ways in the order of what they risk', () => {
    expect(options.map(({ key }) => key)).toEqual([
      ...['rbcd', 'jea', 'runas', 'constrained', 'using', 'credssp', 'unconstrained'],
    ]);
    const rank = { low: 0, some: 1, high: 2 };
    const risks = options.map(({ risk }) => rank[risk]);
    expect(risks).toEqual(risks.toSorted((a, b) => a - b));
  });
  it('gives commands for these machines', () => {
    expect(lines('rbcd')[0]).toBe(
      "Set-ADComputer -Identity 'fs01' -PrincipalsAllowedToDelegateToAccount (Get-ADComputer -Identity 'web01')",
    );
    expect(lines('constrained')[0]).toContain("'cifs/fs01', 'cifs/fs01.contoso.test'");
    expect(lines('using')[0]).toContain("-ComputerName 'fs01.contoso.test' -Credential $using:vault:NAME");
  });
  it('lets no name out of its quotes, whatever quote it has', () => {
    const hostile = accessOptions("a'; Remove-Item x #", 'b’; x');
    const all = hostile.flatMap(({ steps }) => steps.flatMap((step) => step.lines)).join('\n');
    expect(all).toContain("'a''; Remove-Item x #'");
    expect(all).toContain('’’');
    expect(all).not.toMatch(/[^’]’;/);
  });
  it('says why it does not help over SSH', () => {
    expect(noDelegation({ transport: 'ssh' })).toContain('SSH');
    expect(noDelegation({ transport: 'wsman' })).toBeNull();
  });
});
