import { decodeBase64, encodeBase64 } from '../base64.ts';
import { malformed } from '../errors.ts';
import type { WsManOption } from '../soap/header.ts';
import { NS } from '../soap/namespaces.ts';
import type { Prefix } from '../soap/namespaces.ts';
import type { XmlElement } from '../xml/element.ts';

/** What a request says besides the common header. */
export interface RequestContent {
  /** Markup of the body. */
  readonly body: string;
  readonly options?: readonly WsManOption[];
}

/** How an operation is answered. */
export interface AnswerCodec<Response> {
  readonly name: string;
  /** `MS-WSMV 3.1.4.x Name`, for errors. */
  readonly section: string;
  readonly action: string;
  readonly responseAction: string;
  /** Prefixes that the bodies use. */
  readonly prefixes: readonly Prefix[];
  /** Server role: markup of the body. */
  encodeResponse(response: Response): string;
  /** @throws WsManProtocolError */
  decodeResponse(body: XmlElement): Response;
}

/** One operation, both directions, both roles. */
export interface Operation<Request, Response> extends AnswerCodec<Response> {
  /** @throws WsManEncodeError */
  encodeRequest(request: Request): RequestContent;
  /** Server role. @throws WsManProtocolError */
  decodeRequest(body: XmlElement, options: readonly WsManOption[]): Request;
}

/** The action of the answer is that of the request with `Response` behind it. */
export const actions = (action: string): { readonly action: string; readonly responseAction: string } => ({
  action,
  responseAction: `${action}Response`,
});

/** A child that must be there. @throws WsManProtocolError */
export const required = (parent: XmlElement, namespace: string, name: string, section: string): XmlElement =>
  parent.first(namespace, name) ?? malformed(`${name} is missing`, section);

/** Text of a child that must be there and must not be empty. @throws WsManProtocolError */
export function requiredText(parent: XmlElement, namespace: string, name: string, section: string): string {
  const text = parent.textOf(namespace, name) ?? '';
  return text === '' ? malformed(`${name} is missing or empty`, section) : text;
}

/**
 * Ids of shells and commands: GUIDs, but for what a server makes up. They go into every later request, into logs and
 * ledgers: nothing in them may be unseen, or turn what stands beside it.
 */
const ID = /^[!-~]{1,256}$/;
/** @throws WsManProtocolError */
export const checkedId = (id: string, section: string): string =>
  ID.test(id) ? id.toUpperCase() : malformed('an id that is none, or of more than 256 characters', section);

/** Text of a child that is an id, in upper case. @throws WsManProtocolError */
export const requiredId = (parent: XmlElement, name: string, section: string): string =>
  checkedId(requiredText(parent, NS.rsp, name, section), section);

/** Bytes of a base64 text. @throws WsManProtocolError */
export const bytesOf = (element: XmlElement, section: string): Uint8Array =>
  decodeBase64(element.text) ?? malformed(`${element.name} is not base64`, section);

/** Base64 as it stands in an element; nothing in it needs an escape. */
export const base64Text = encodeBase64;

/** Attribute with an id, in upper case; null when absent. */
export const idAttribute = (element: XmlElement, name: string): string | null =>
  element.attribute(name)?.trim().toUpperCase() ?? null;

/** A finding option, by name without case; null when absent. */
export const optionValue = (options: readonly WsManOption[], name: string): string | null =>
  options.find((each) => each.name.toLowerCase() === name.toLowerCase())?.value ?? null;
