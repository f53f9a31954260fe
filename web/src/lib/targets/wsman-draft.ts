import type { WsManMethod, WsManSettings } from '@sallyport/shared/api/wsman';
import { limitProblems, limitsOf, type LimitTexts, limitTextsOf } from './wsman-limits.ts';

type Limits = ReturnType<typeof limitsOf>;

/** Settings of WinRM as the form holds them: numbers as texts, whole units. */
export interface WsManDraft
  extends Omit<WsManSettings, 'trust' | 'spn' | 'idleTimeoutMs' | 'operationTimeoutMs' | keyof Limits>, LimitTexts {
  pin: string;
  ca: string;
  skipCaCheck: boolean;
  skipCnCheck: boolean;
  spnService: WsManSettings['spn']['service'];
  spnInCredSsp: WsManSettings['spn']['credSspService'];
  spnHost: string;
  spnPort: boolean;
  /** Empty: the target's own. */
  idleMinutes: string;
  operationS: string;
}

/** The draft of a new target. */
export const WSMAN_DRAFT: Readonly<WsManDraft> = {
  tls: true,
  applicationName: 'wsman',
  configurationName: 'Microsoft.PowerShell',
  method: 'default',
  certificateThumbprint: '',
  isTrustedForNtlm: false,
  isTrustedForDelegation: false,
  ticketDelegation: 'never',
  redirects: false,
  alwaysSeal: false,
  partHeaderTab: true,
  locale: '',
  dataLocale: '',
  noMachineProfile: false,
  outputBuffering: 'None',
  pin: '',
  ca: '',
  skipCaCheck: false,
  skipCnCheck: false,
  spnService: 'HTTP',
  spnInCredSsp: 'WSMAN',
  spnHost: '',
  spnPort: false,
  idleMinutes: '',
  operationS: '60',
  ...{ openTimeoutMs: '', cancelTimeoutMs: '', maxObjectBytes: '', maxCommandBytes: '', maxConnectionRetries: '' },
  ...{ maxEnvelopeKb: '', argumentLines: '' },
};

const MINUTE = 60_000;

/** The draft of settings that are stored. */
export function wsManDraftOf(settings: WsManSettings): WsManDraft {
  const { trust, spn, idleTimeoutMs, operationTimeoutMs, ...rest } = settings;
  return {
    ...rest,
    ...limitTextsOf(settings),
    ...trust,
    spnService: spn.service,
    spnInCredSsp: spn.credSspService,
    spnHost: spn.host,
    spnPort: spn.includePort,
    idleMinutes: idleTimeoutMs === null ? '' : String(idleTimeoutMs / MINUTE),
    operationS: String(operationTimeoutMs / 1000),
  };
}

/** A SHA-256 as tools print it, with colons, blanks or capitals, in the one spelling that is stored. */
export const cleanPin = (text: string): string => text.replace(/[\s:]/g, '').toLowerCase();

/** The settings that the gateway takes. */
export function wsManOf(draft: WsManDraft): WsManSettings {
  const { pin, ca, skipCaCheck, skipCnCheck, spnService, spnInCredSsp, spnHost, spnPort, ...others } = draft;
  const { idleMinutes, operationS, argumentLines, ...rest } = others;
  return {
    ...rest,
    ...limitsOf({ ...draft, argumentLines }),
    applicationName: rest.applicationName.trim(),
    configurationName: rest.configurationName.trim(),
    locale: rest.locale.trim(),
    dataLocale: rest.dataLocale.trim(),
    certificateThumbprint: rest.method === 'certificate' ? cleanPin(rest.certificateThumbprint) : '',
    trust: { pin: cleanPin(pin), ca: ca.trim(), skipCaCheck, skipCnCheck },
    spn: { service: spnService, credSspService: spnInCredSsp, host: spnHost.trim(), includePort: spnPort },
    idleTimeoutMs: idleMinutes.trim() === '' ? null : Math.round(Number(idleMinutes) * MINUTE),
    operationTimeoutMs: Math.round(Number(operationS) * 1000),
  };
}

const LANGUAGE = /^(?:[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4})?$/;
/** Ways that show the password, or a guessable proof of it, to whoever ends the TLS connection. */
const NEEDS_VERIFIED: ReadonlySet<WsManMethod> = new Set(['basic', 'digest']);

/** Whether the certificate is looked at as strictly as these ways need. */
const isVerified = (draft: WsManDraft): boolean =>
  draft.tls && (cleanPin(draft.pin) !== '' || !(draft.skipCaCheck || draft.skipCnCheck));

function methodProblem(draft: WsManDraft): string | null {
  if (draft.method === 'certificate' && !draft.tls) return 'A client certificate is shown over HTTPS only.';
  if (NEEDS_VERIFIED.has(draft.method) && !isVerified(draft))
    return 'Basic and Digest go over HTTPS with a checked certificate only.';
  return draft.method === 'credssp' && !draft.isTrustedForDelegation
    ? 'CredSSP hands the password over: tick "The target may receive passwords" below, or choose another method.'
    : null;
}

const within = (text: string, low: number, high: number): boolean => {
  const value = Number(text);
  return text.trim() !== '' && value >= low && value <= high;
};

/** What is wrong with the settings, in words; null where nothing is. The gateway checks again. */
export function wsManProblems(draft: WsManDraft) {
  const pin = cleanPin(draft.pin);
  return {
    method: methodProblem(draft),
    configurationName: draft.configurationName.trim() === '' ? 'An endpoint has a name.' : null,
    applicationName: /^[A-Za-z0-9_~-][A-Za-z0-9_.~/-]{0,254}$/.test(draft.applicationName.trim())
      ? null
      : 'A path without a slash in front, usually wsman.',
    pin: pin === '' || /^[0-9a-f]{64}$/.test(pin) ? null : 'A SHA-256 has 64 hexadecimal digits.',
    ca: draft.ca.trim() === '' || draft.ca.includes('-----BEGIN CERTIFICATE-----') ? null : 'Certificates as PEM text.',
    certificateThumbprint: /^(?:[0-9a-f]{40}|[0-9a-f]{64})?$/.test(cleanPin(draft.certificateThumbprint))
      ? null
      : 'SHA-1 has 40 hexadecimal digits, SHA-256 has 64.',
    spnHost: /^[A-Za-z0-9._-]{0,253}$/.test(draft.spnHost.trim()) ? null : 'A host name.',
    locale: LANGUAGE.test(draft.locale.trim()) ? null : 'A language tag, such as de-DE.',
    dataLocale: LANGUAGE.test(draft.dataLocale.trim()) ? null : 'A language tag, such as de-DE.',
    idleMinutes:
      draft.idleMinutes.trim() === '' || within(draft.idleMinutes, 1, 35_791) ? null : 'At least one minute, or empty.',
    operationS: within(draft.operationS, 1, 600) ? null : '1 to 600 seconds.',
    ...limitProblems(draft),
  } satisfies Record<string, string | null>;
}

/** Whether one of these fields is not what a new target has. */
export const isChanged = (draft: WsManDraft, names: readonly (keyof WsManDraft)[]): boolean =>
  names.some((name) => draft[name] !== WSMAN_DRAFT[name]);

/** Whether something is wrong with one of these fields. */
export const isWrong = (
  problems: Readonly<Partial<Record<keyof ReturnType<typeof wsManProblems>, string | null>>>,
  names: readonly (keyof ReturnType<typeof wsManProblems>)[],
): boolean => names.some((name) => (problems[name] ?? null) !== null);

/** The name of a way to sign in, and what it means. */
export const METHOD_WORDS: Readonly<Record<WsManMethod, string>> = {
  default: 'Default: Kerberos, else NTLM where allowed',
  negotiate: 'Negotiate: Kerberos, else NTLM',
  kerberos: 'Kerberos alone',
  basic: 'Basic, over HTTPS',
  digest: 'Digest, over HTTPS',
  credssp: 'CredSSP: hands the password to the target',
  certificate: 'Client certificate, over HTTPS',
  'negotiate-implicit': "The gateway's own identity",
};
