import { describe, expect, it } from 'vitest';
import { isSecondHopFailure, textFrom } from './second-hop.ts';

describe('the failure of a second hop', () => {
  it.each([
    "Get-ChildItem: Access to the path '\\\\fs01\\share' is denied.",
    'dir : Access is denied\nAt line:1 char:1\n+ dir \\\\fs01.contoso.test\\c$\n+ CategoryInfo : PermissionDenied: (\\\\fs01.contoso.test\\c$:String)',
    'The following error with errorcode 0x8009030e occurred while using Kerberos authentication: A specified logon session does not exist.',
  ])('is seen in %j', (text) => expect(isSecondHopFailure(text)).toBe(true));
  it.each([
    "Get-Item: Access to the path 'C:\\Windows\\System32\\config' is denied.",
    'Name\n\\\\fs01\\share',
    "Cannot find path '\\\\fs01\\share' because it does not exist.",
    '',
  ])('is not seen in %j', (text) => expect(isSecondHopFailure(text)).toBe(false));
  it('is looked for in lines that are joined where they were wrapped, and not in all of a long output', () => {
    const lines = ['old \\\\fs01\\share', ...Array<string>(300).fill('x'), 'access is de', 'nied'];
    const getLine = (at: number) => ({ isWrapped: at === 302, translateToString: () => lines[at] ?? '' });
    const terminal = { buffer: { active: { baseY: 262, cursorY: 40, getLine } } };
    const text = textFrom(terminal as never, 0);
    expect(text.endsWith('\naccess is denied')).toBe(true);
    expect(text).not.toContain('old');
  });
});
