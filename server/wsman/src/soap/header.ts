import { malformed } from '../errors.ts';
import { encodeDuration, parseDuration } from '../duration.ts';
import type { XmlElement } from '../xml/element.ts';
import { XML_NAMESPACE } from '../xml/namespaces.ts';
import { element, textElement } from '../xml/writer.ts';
import { ANONYMOUS, NS } from './namespaces.ts';

const SECTION = 'DSP0226 5 Addressing';

/** One entry of the option set. [MS-WSMV] 2.2.4.27 OptionSet. */
export interface WsManOption {
  readonly name: string;
  readonly value: string;
  /** The server must refuse the request when it does not know the option. */
  readonly mustComply?: boolean;
}

/** One key of the resource that is meant. DSP0226 5.1.2.2 Selectors. */
export interface Selector {
  readonly name: string;
  readonly value: string;
}

/** Header of a request. [MS-WSMV] 2.2.4.1 Common Message Headers. */
export interface RequestHeader {
  readonly to: string;
  readonly resourceUri: string;
  readonly action: string;
  /** `uuid:GUID` */
  readonly messageId: string;
  /** Largest answer that is accepted, in bytes; null leaves it to the server. */
  readonly maxEnvelopeBytes: number | null;
  readonly operationTimeoutMs: number | null;
  /** Language of messages, for example `en-US`. */
  readonly locale: string | null;
  /** Language of numbers and dates. */
  readonly dataLocale: string | null;
  /** `uuid:GUID`, one for the life of a client; Reconnect compares it. */
  readonly sessionId: string | null;
  readonly options: readonly WsManOption[];
  readonly selectors: readonly Selector[];
}

/** Header of an answer. */
export interface ResponseHeader {
  readonly action: string;
  readonly messageId: string | null;
  /** The MessageID of the request; null where the server could not read it. */
  readonly relatesTo: string | null;
  /** Id under which Windows logs the request; null where the server sends none. */
  readonly activityId: string | null;
}

const MUST = ['s:mustUnderstand', 'true'] as const;
const NEED_NOT = ['s:mustUnderstand', 'false'] as const;

function localeElement(name: string, locale: string | null): string {
  return locale === null ? '' : element(name, '', [['xml:lang', locale], NEED_NOT]);
}

function optionSet(options: readonly WsManOption[]): string {
  if (options.length === 0) return '';
  const items = options.map(({ name, value, mustComply }) =>
    textElement('wsman:Option', value, [
      ['Name', name],
      ['MustComply', mustComply === true ? 'true' : null],
    ]),
  );
  return element('wsman:OptionSet', items.join(''), [MUST]);
}

/** Selectors as they stand in a header, a reference or a filter; empty for none. */
export function selectorSet(selectors: readonly Selector[]): string {
  if (selectors.length === 0) return '';
  const items = selectors.map(({ name, value }) => textElement('wsman:Selector', value, [['Name', name]]));
  return element('wsman:SelectorSet', items.join(''));
}

/** The header's content. @throws WsManEncodeError */
export function encodeRequestHeader(header: RequestHeader): string {
  const { maxEnvelopeBytes, operationTimeoutMs } = header;
  return [
    textElement('wsa:To', header.to),
    textElement('wsman:ResourceURI', header.resourceUri, [MUST]),
    element('wsa:ReplyTo', textElement('wsa:Address', ANONYMOUS, [MUST])),
    textElement('wsa:Action', header.action, [MUST]),
    maxEnvelopeBytes === null ? '' : textElement('wsman:MaxEnvelopeSize', String(maxEnvelopeBytes), [MUST]),
    textElement('wsa:MessageID', header.messageId),
    localeElement('wsman:Locale', header.locale),
    localeElement('wsmv:DataLocale', header.dataLocale),
    header.sessionId === null ? '' : textElement('wsmv:SessionId', header.sessionId, [NEED_NOT]),
    operationTimeoutMs === null ? '' : textElement('wsman:OperationTimeout', encodeDuration(operationTimeoutMs)),
    optionSet(header.options),
    selectorSet(header.selectors),
  ].join('');
}

/** The header's content of an answer. */
export function encodeResponseHeader(header: ResponseHeader): string {
  return [
    textElement('wsa:Action', header.action),
    header.messageId === null ? '' : textElement('wsa:MessageID', header.messageId),
    header.activityId === null ? '' : textElement('wsmv:ActivityId', header.activityId),
    textElement('wsa:To', ANONYMOUS),
    header.relatesTo === null ? '' : textElement('wsa:RelatesTo', header.relatesTo),
  ].join('');
}

function requiredText(header: XmlElement, namespace: string, name: string): string {
  const text = header.textOf(namespace, name);
  if (text === null || text === '') malformed(`a header without ${name}`, SECTION);
  return text;
}

function lengthOf(header: XmlElement): number | null {
  const text = header.textOf(NS.wsman, 'OperationTimeout');
  if (text === null) return null;
  const ms = parseDuration(text);
  if (ms === null) malformed('an OperationTimeout that is no length of time', SECTION);
  return ms;
}

function sizeOf(header: XmlElement): number | null {
  const text = header.textOf(NS.wsman, 'MaxEnvelopeSize');
  if (text === null) return null;
  if (!/^[0-9]{1,10}$/.test(text)) malformed('a MaxEnvelopeSize that is no number', SECTION);
  return Number(text);
}

const nameOf = (item: XmlElement, what: string): string =>
  item.attribute('Name') ?? malformed(`${what} without name`, SECTION);

/** Selectors of a set; a set that is absent has none. */
export const decodeSelectors = (set: XmlElement | null): Selector[] =>
  (set?.all(NS.wsman, 'Selector') ?? []).map((item) => ({ name: nameOf(item, 'a selector'), value: item.text.trim() }));

function decodeOptions(set: XmlElement | null): WsManOption[] {
  return (set?.all(NS.wsman, 'Option') ?? []).map((item) => ({
    name: nameOf(item, 'an option'),
    value: item.text.trim(),
    mustComply: item.attribute('MustComply')?.toLowerCase() === 'true',
  }));
}

/** Server role. @throws WsManProtocolError */
export function decodeRequestHeader(header: XmlElement): RequestHeader {
  const locale = (namespace: string, name: string): string | null =>
    header.first(namespace, name)?.attribute('lang', XML_NAMESPACE) ?? null;
  return {
    to: requiredText(header, NS.wsa, 'To'),
    resourceUri: requiredText(header, NS.wsman, 'ResourceURI'),
    action: requiredText(header, NS.wsa, 'Action'),
    messageId: requiredText(header, NS.wsa, 'MessageID'),
    maxEnvelopeBytes: sizeOf(header),
    operationTimeoutMs: lengthOf(header),
    locale: locale(NS.wsman, 'Locale'),
    dataLocale: locale(NS.wsmv, 'DataLocale'),
    sessionId: header.textOf(NS.wsmv, 'SessionId'),
    options: decodeOptions(header.first(NS.wsman, 'OptionSet')),
    selectors: decodeSelectors(header.first(NS.wsman, 'SelectorSet')),
  };
}

/** Client role. @throws WsManProtocolError */
export function decodeResponseHeader(header: XmlElement): ResponseHeader {
  return {
    action: requiredText(header, NS.wsa, 'Action'),
    messageId: header.textOf(NS.wsa, 'MessageID'),
    relatesTo: header.textOf(NS.wsa, 'RelatesTo'),
    activityId: header.textOf(NS.wsmv, 'ActivityId'),
  };
}

const KNOWN: ReadonlySet<string> = new Set([
  ...['To', 'ReplyTo', 'FaultTo', 'From', 'Action', 'MessageID', 'RelatesTo'].map((name) => `${NS.wsa} ${name}`),
  ...['ResourceURI', 'MaxEnvelopeSize', 'Locale', 'OperationTimeout', 'OptionSet', 'SelectorSet'].map(
    (name) => `${NS.wsman} ${name}`,
  ),
  ...['DataLocale', 'SessionId', 'OperationID', 'SequenceId', 'ActivityId'].map((name) => `${NS.wsmv} ${name}`),
]);

/** Names of header elements that must be understood and are not. SOAP 1.2 Part 1, 2.4 Understanding SOAP Header Blocks. */
export function notUnderstood(header: XmlElement): string[] {
  const isMust = (each: XmlElement): boolean => {
    const value = each.attribute('mustUnderstand', NS.s);
    return value === 'true' || value === '1';
  };
  return header.children
    .filter((each) => isMust(each) && !KNOWN.has(`${each.namespace} ${each.name}`))
    .map(({ name }) => name);
}
