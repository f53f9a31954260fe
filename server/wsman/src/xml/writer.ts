import { WsManEncodeError } from '../errors.ts';

/** What XML 1.0 cannot hold in any form. */
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const SPECIAL = /[&<>"\r\n\t]/;
const REPLACEMENTS: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ['\r', '&#xD;'],
  ['\n', '&#xA;'],
  ['\t', '&#x9;'],
]);

/**
 * Text for an element or an attribute.
 * @throws WsManEncodeError when it holds a character that XML 1.0 cannot
 */
export function escapeXml(text: string): string {
  if (FORBIDDEN.test(text) || text.search(LONE_SURROGATE) >= 0)
    throw new WsManEncodeError('a character that XML cannot hold');
  return SPECIAL.test(text) ? text.replace(/[&<>"\r\n\t]/g, (found) => REPLACEMENTS.get(found) ?? found) : text;
}

/** Text without what XML cannot hold, for labels that nobody reads back. */
export const withoutForbidden = (text: string): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\ufffe\uffff]/g, ' ').replace(LONE_SURROGATE, '\ufffd');

/** Attributes as they are written, in order; null leaves one out. */
export type AttributeList = readonly (readonly [name: string, value: string | null])[];

/** An element with markup inside. */
export function element(name: string, content: string, attributes: AttributeList = []): string {
  let start = `<${name}`;
  for (const [key, value] of attributes) if (value !== null) start += ` ${key}="${escapeXml(value)}"`;
  return content === '' ? `${start} />` : `${start}>${content}</${name}>`;
}

/** An element with text inside. */
export const textElement = (name: string, text: string, attributes: AttributeList = []): string =>
  element(name, escapeXml(text), attributes);
