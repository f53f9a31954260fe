import { malformed } from '../errors.ts';
import type { WsManLimits } from '../limits.ts';
import { NS } from '../soap/namespaces.ts';
import { element, textElement } from '../xml/writer.ts';
import { readXmlBytes } from '../xml/reader.ts';
import { required, requiredText } from './operation.ts';

const SECTION = 'DSP0226 11 Identify';

/** What a service says it is. */
export interface Identity {
  readonly protocolVersion: string;
  /** For example `Microsoft Corporation`; null when it keeps that to itself. */
  readonly productVendor: string | null;
  /** For example `OS: 10.0.17763 SP: 0.0 Stack: 3.0`. */
  readonly productVersion: string | null;
}

const declarations = [
  ['xmlns:s', NS.s],
  ['xmlns:wsmid', NS.wsmid],
] as const;
const envelope = (body: string): string => element('s:Envelope', `<s:Header /><s:Body>${body}</s:Body>`, declarations);

/** Asks without any header, and where the server allows it without sign-in: a probe. DSP0226 11 Identify. */
export const encodeIdentify = (): string => envelope(element('wsmid:Identify', ''));

/** Server role. */
export function encodeIdentity({ protocolVersion, productVendor, productVersion }: Identity): string {
  const parts = [
    textElement('wsmid:ProtocolVersion', protocolVersion),
    productVendor === null ? '' : textElement('wsmid:ProductVendor', productVendor),
    productVersion === null ? '' : textElement('wsmid:ProductVersion', productVersion),
  ];
  return envelope(element('wsmid:IdentifyResponse', parts.join('')));
}

/** Server role: true for an Identify request, which has no header to read. @throws WsManProtocolError */
export function isIdentify(bytes: Uint8Array, limits?: Partial<WsManLimits>): boolean {
  const root = readXmlBytes(bytes, limits);
  const body = root.is(NS.s, 'Envelope') ? root.first(NS.s, 'Body') : null;
  return body !== null && body.first(NS.wsmid, 'Identify') !== null;
}

/** @throws WsManProtocolError */
export function decodeIdentity(bytes: Uint8Array, limits?: Partial<WsManLimits>): Identity {
  const root = readXmlBytes(bytes, limits);
  const body = root.is(NS.s, 'Envelope') ? root.first(NS.s, 'Body') : null;
  if (body === null) malformed('no SOAP 1.2 envelope', SECTION);
  const response = required(body, NS.wsmid, 'IdentifyResponse', SECTION);
  return {
    protocolVersion: requiredText(response, NS.wsmid, 'ProtocolVersion', SECTION),
    productVendor: response.textOf(NS.wsmid, 'ProductVendor'),
    productVersion: response.textOf(NS.wsmid, 'ProductVersion'),
  };
}
