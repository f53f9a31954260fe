import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseDuration, parseSessionOptions, SESSION_OPTIONS, encodeDuration } from './index.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

describe('session options', () => {
  it('have the defaults of New-PSSessionOption, or leave it to the caller', () => {
    expect(parseSessionOptions()).toEqual({
      maximumRedirection: 5,
      noMachineProfile: false,
      culture: null,
      uiCulture: null,
      maximumReceivedDataSizePerCommand: Infinity,
      maximumReceivedObjectSize: null,
      outputBufferingMode: null,
      maxConnectionRetryCount: null,
      applicationArguments: [],
      openTimeoutMs: null,
      cancelTimeoutMs: null,
      idleTimeoutMs: null,
      operationTimeoutMs: 180_000,
      skipCaCheck: false,
      skipCnCheck: false,
      includePortInSpn: false,
    });
  });

  it('are read by the names of PowerShell', () => {
    const given = {
      MaximumRedirection: 0,
      NoMachineProfile: true,
      Culture: 'de-DE',
      UICulture: 'zh-Hant-TW',
      MaximumReceivedDataSizePerCommand: 1_048_576,
      MaximumReceivedObjectSize: 209_715_200,
      OutputBufferingMode: 'Drop',
      MaxConnectionRetryCount: 0,
      ApplicationArguments: { Site: 'Bern', PSVersionTable: {} },
      OpenTimeout: 20_000,
      CancelTimeout: 5000,
      IdleTimeout: 60_000,
      SkipCACheck: true,
      IncludePortInSPN: true,
      NoCompression: true,
      SkipRevocationCheck: true,
      ProxyAccessType: 'NoProxyServer',
      NoEncryption: false,
      UseUTF16: false,
    };
    expect(parseSessionOptions(given)).toMatchObject({
      maximumRedirection: 0,
      noMachineProfile: true,
      culture: 'de-DE',
      uiCulture: 'zh-Hant-TW',
      maximumReceivedDataSizePerCommand: 1_048_576,
      maximumReceivedObjectSize: 209_715_200,
      maxConnectionRetryCount: 0,
      applicationArguments: [['Site', 'Bern']],
      openTimeoutMs: 20_000,
      cancelTimeoutMs: 5000,
      outputBufferingMode: 'Drop',
      idleTimeoutMs: 60_000,
      skipCaCheck: true,
      includePortInSpn: true,
    });
    expect(parseSessionOptions({ IdleTimeout: -1, OutputBufferingMode: 'None' })).toEqual(parseSessionOptions());
  });

  it.each([
    ['NoEncryption', true],
    ['UseUTF16', true],
    ['ProxyAccessType', 'IEConfig'],
    ['ProxyCredential', {}],
    ['IdleTimeout', 59_999],
    ['IdleTimeout', '60000'],
    ['MaximumRedirection', 6],
    ['MaximumReceivedObjectSize', 209_715_201],
    ['OperationTimeout', 0],
    ['OpenTimeout', 1.5],
    ['CancelTimeout', 0],
    ['MaxConnectionRetryCount', 101],
    ['ApplicationArguments', 'x'],
    ['ApplicationArguments', { 'a b': 'x' }],
    ['ApplicationArguments', { a: 1 }],
    ['ApplicationArguments', { a: 'x'.repeat(257) }],
    ['ApplicationArguments', Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`a${i}`, '']))],
    ['OutputBufferingMode', 'Odd'],
    ['Culture', 'de_DE'],
    ['UICulture', '"'],
    ['SkipCACheck', 'true'],
    ['Odd', 1],
    ['constructor', 1],
  ])('%s = %j is refused by name', (option, value) => {
    expect(() => parseSessionOptions({ [option]: value })).toThrow(
      expect.objectContaining({ code: 'wsman_option', option }),
    );
  });

  it('are those of New-PSSessionOption, every one', () => {
    // [PSSessionOption].GetProperties() of PowerShell 7.6.5; the first is the parameter MaximumRedirection.
    const properties =
      'MaximumConnectionRedirectionCount,NoCompression,NoMachineProfile,ProxyAccessType,ProxyAuthentication,ProxyCredential,SkipCACheck,SkipCNCheck,SkipRevocationCheck,OperationTimeout,NoEncryption,UseUTF16,IncludePortInSPN,OutputBufferingMode,MaxConnectionRetryCount,Culture,UICulture,MaximumReceivedDataSizePerCommand,MaximumReceivedObjectSize,ApplicationArguments,OpenTimeout,CancelTimeout,IdleTimeout';
    const parameters = properties.replace('ConnectionRedirectionCount', 'Redirection').split(',');
    expect(Object.keys(SESSION_OPTIONS).sort()).toEqual(parameters.sort());
  });

  it('stand in the README with what becomes of them and why', () => {
    for (const [name, { standing, why }] of Object.entries(SESSION_OPTIONS)) {
      const cells = readme
        .split('\n')
        .find((line) => line.startsWith(`| ${name} `))
        ?.split('|');
      expect(
        cells?.slice(2, 4).map((cell) => cell.trim()),
        name,
      ).toEqual([standing, why]);
    }
  });
});

describe('durations', () => {
  it.each([
    ['PT180.000S', 180_000],
    ['PT0S', 0],
    ['P0DT0H0M0S', 0],
    ['P1DT2H3M4.5S', 93_784_500],
    ['PT2147483.647S', 2_147_483_647],
    ['P1Y1M', 34_128_000_000],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });
  it.each(['', 'P', 'PT', 'P1DT', 'PT-1S', '-PT1S', 'PT1', '1S', 'PT.5S', 'pt1s', `PT${'1'.repeat(70)}S`])(
    '%s is none',
    (text) => {
      expect(parseDuration(text)).toBeNull();
    },
  );
  it('are written in one form', () => {
    expect(encodeDuration(180_000)).toBe('PT180.000S');
    expect(encodeDuration(1.6)).toBe('PT0.002S');
    expect(() => encodeDuration(-1)).toThrow(expect.objectContaining({ code: 'wsman_encode' }));
    expect(() => encodeDuration(Infinity)).toThrow(expect.objectContaining({ code: 'wsman_encode' }));
  });
});
