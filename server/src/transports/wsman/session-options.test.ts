import { WsManSettings } from '@sallyport/shared/api/wsman';
import { parseSessionOptions, SESSION_OPTIONS } from '@sallyport/wsman';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { sessionOptionsOf } from './session-options.ts';

const of = (settings: unknown, language = 'de-CH') => sessionOptionsOf(WsManSettings.parse(settings), language);

describe('the options of a session', () => {
  it('are those of the target, in the language of the person', () => {
    expect(of({})).toEqual({
      ...parseSessionOptions(),
      ...{ maximumRedirection: 0, culture: 'de-CH', uiCulture: 'de-CH', operationTimeoutMs: 60_000 },
    });
    expect(of({}, '')).toMatchObject({ culture: 'en-US', uiCulture: 'en-US' });
    const settings = {
      ...{ redirects: true, noMachineProfile: true, dataLocale: 'sv-SE', locale: 'fr-FR', outputBuffering: 'Drop' },
      ...{ maxCommandBytes: 65_536, maxObjectBytes: 65_537, maxConnectionRetries: 0, openTimeoutMs: 5000 },
      ...{ cancelTimeoutMs: 6000, idleTimeoutMs: 70_000, operationTimeoutMs: 8000 },
      trust: { skipCaCheck: true, skipCnCheck: true },
      spn: { includePort: true },
      applicationArguments: [{ name: 'Site', value: 'Bern' }, { name: '__proto__', value: 'x' }], // prettier-ignore
    };
    expect(of(settings)).toEqual({
      ...{ maximumRedirection: 5, noMachineProfile: true, culture: 'sv-SE', uiCulture: 'fr-FR' },
      ...{ outputBufferingMode: 'Drop', maximumReceivedDataSizePerCommand: 65_536, maximumReceivedObjectSize: 65_537 },
      ...{ maxConnectionRetryCount: 0, openTimeoutMs: 5000, cancelTimeoutMs: 6000, idleTimeoutMs: 70_000 },
      ...{ operationTimeoutMs: 8000, skipCaCheck: true, skipCnCheck: true, includePortInSpn: true },
      applicationArguments: [['Site', 'Bern'], ['__proto__', 'x']], // prettier-ignore
    });
  });

  it.each([
    ['the least', { maxCommandBytes: 65_536, maxObjectBytes: 65_536, openTimeoutMs: 1000, cancelTimeoutMs: 1000, operationTimeoutMs: 1000, idleTimeoutMs: 60_000 }],
    ['the most', { maxCommandBytes: 2 ** 40, maxObjectBytes: 200 * 2 ** 20, maxConnectionRetries: 100, openTimeoutMs: 600_000, cancelTimeoutMs: 600_000, operationTimeoutMs: 600_000, idleTimeoutMs: 2_147_483_647, applicationArguments: Array.from({ length: 16 }, (_, i) => ({ name: `A${String(i)}`, value: 'x'.repeat(256) })) }],
  ])('are taken by the codec as far as a target may have them: %s', (_, settings) => {
    expect(() => of(settings)).not.toThrow();
  }); // prettier-ignore

  it.each([
    { applicationArguments: [{ name: 'PSVersionTable', value: '' }] },
    { applicationArguments: [{ name: 'a', value: '' }, { name: 'A', value: '' }] }, // prettier-ignore
    { applicationArguments: [{ name: 'a b', value: '' }] },
    { applicationArguments: [{ name: 'a', value: 'line\n' }] },
    { maxEnvelopeKb: 31 },
    { maxEnvelopeKb: 2049 },
    { maxConnectionRetries: -1 },
    { maxObjectBytes: 200 * 2 ** 20 + 1 },
  ])('cannot be %j', (settings) => {
    expect(WsManSettings.safeParse(settings).success).toBe(false);
  });

  it('stand in docs/winrm.md as the codec judges them: none is left out, none is fixed', () => {
    const rows = readFileSync(new URL('../../../../docs/winrm.md', import.meta.url), 'utf8').split('\n');
    for (const [name, { standing }] of Object.entries(SESSION_OPTIONS)) {
      const row = rows.find((line) => /^\|[^|]*\|[^|]*\|/.exec(line)?.[0].match(new RegExp(`[ ,]${name}[ ,]`)) !== null && line.startsWith('| ')); // prettier-ignore
      const said = row?.split('|')[2]?.trim();
      expect(said, name).toBe(name === 'ProxyAuthentication' ? 'refused' : standing);
    }
  });
});
