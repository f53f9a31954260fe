import { malformed } from '../errors.ts';
import type { WsManLimits } from '../limits.ts';
import type { XmlElement } from '../xml/element.ts';
import { readXmlBytes } from '../xml/reader.ts';
import { element } from '../xml/writer.ts';
import { NS } from './namespaces.ts';
import type { Prefix } from './namespaces.ts';

const SECTION = 'SOAP 1.2 Part 1, 5.1 SOAP Envelope';

/** An envelope as it was read. */
export interface Envelope {
  readonly header: XmlElement;
  readonly body: XmlElement;
}

/** Prefixes that every header needs. */
const COMMON: readonly Prefix[] = ['s', 'wsa', 'wsman', 'wsmv'];

/**
 * An envelope as text.
 * @param prefixes those of the body, besides the ones of the header
 */
export function encodeEnvelope(header: string, body: string, prefixes: readonly Prefix[]): string {
  const all = [...new Set([...COMMON, ...prefixes])];
  const declarations = all.map((prefix) => [`xmlns:${prefix}`, NS[prefix]] as const);
  // Always both tags: an envelope's parts are never written empty.
  const parts = `<s:Header>${header}</s:Header><s:Body>${body}</s:Body>`;
  return element('s:Envelope', parts, declarations);
}

/** Takes an envelope apart. SOAP 1.2 Part 1, 5.1 SOAP Envelope. @throws WsManProtocolError */
export function decodeEnvelope(bytes: Uint8Array, limits?: Partial<WsManLimits>): Envelope {
  const root = readXmlBytes(bytes, limits);
  if (!root.is(NS.s, 'Envelope')) malformed('no SOAP 1.2 envelope', SECTION);
  const header = root.first(NS.s, 'Header');
  const body = root.first(NS.s, 'Body');
  if (header === null) malformed('an envelope without header', SECTION);
  if (body === null) malformed('an envelope without body', SECTION);
  return { header, body };
}
