/** From the settings of a target to the options of a session there, and to what makes its requests. */
import { randomUUID } from 'node:crypto';
import type { WsManSettings } from '@sallyport/shared/api/wsman';
import { parseSessionOptions, Requests, resourceUri, type SessionOptions } from '@sallyport/wsman';
import type { EnvelopeSize } from './envelope-size.ts';
import { MAX_REDIRECTS } from './redirect.ts';

/**
 * By the names of `New-PSSessionOption`; the codec's reader judges them, and knows which there are.
 * @param given language of the person, where the settings name none; '' = en-US
 */
export function sessionOptionsOf(settings: WsManSettings, given: string): SessionOptions {
  const language = given === '' ? 'en-US' : given;
  return parseSessionOptions({
    MaximumRedirection: settings.redirects ? MAX_REDIRECTS : 0,
    NoMachineProfile: settings.noMachineProfile,
    Culture: settings.dataLocale === '' ? language : settings.dataLocale,
    UICulture: settings.locale === '' ? language : settings.locale,
    MaximumReceivedDataSizePerCommand: settings.maxCommandBytes,
    MaximumReceivedObjectSize: settings.maxObjectBytes,
    OutputBufferingMode: settings.outputBuffering,
    MaxConnectionRetryCount: settings.maxConnectionRetries,
    ApplicationArguments: Object.fromEntries(settings.applicationArguments.map(({ name, value }) => [name, value])),
    OpenTimeout: settings.openTimeoutMs,
    CancelTimeout: settings.cancelTimeoutMs,
    IdleTimeout: settings.idleTimeoutMs ?? -1,
    OperationTimeout: settings.operationTimeoutMs,
    SkipCACheck: settings.trust.skipCaCheck,
    SkipCNCheck: settings.trust.skipCnCheck,
    IncludePortInSPN: settings.spn.includePort,
  });
}

/** Of one client at an endpoint. @param sessionId one for its life */
export const requestsOf = (
  { url, size, configurationName }: { url: string; size: EnvelopeSize; configurationName: string },
  { operationTimeoutMs, uiCulture, culture }: SessionOptions,
  sessionId: string,
): Requests =>
  new Requests({
    ...{ url, sessionId, operationTimeoutMs, resourceUri: resourceUri(configurationName), newId: () => randomUUID() },
    ...{ maxEnvelopeBytes: size.bytes, locale: uiCulture ?? 'en-US', dataLocale: culture ?? 'en-US' },
  });
