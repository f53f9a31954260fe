import { printableText } from './visible-text.ts';

/** Longest string sequence that is looked at; a longer one is dropped and counted. security.md section 4. */
export const MAX_STRING_BYTES = 64 * 1024;
/** A link address above this is no link that a person follows. */
const MAX_LINK_BYTES = 4096;
/** Characters of a title that are shown. */
export const MAX_TITLE_CHARS = 128;

/** What becomes of an OSC. */
export type OscVerdict =
  | { readonly kind: 'drop' }
  | { readonly kind: 'title'; readonly text: string }
  /** Bytes between `ESC ]` and the terminator. */
  | { readonly kind: 'pass'; readonly body: string };

const DROP: OscVerdict = { kind: 'drop' };

/** Judges the body of an OSC: titles are told apart, links to http and https pass, all else is dropped. */
export function judgeOsc(body: Uint8Array): OscVerdict {
  const text = new TextDecoder().decode(body);
  const split = text.indexOf(';');
  const number = split < 0 ? text : text.slice(0, split);
  const rest = split < 0 ? '' : text.slice(split + 1);
  if (number === '0' || number === '2') return { kind: 'title', text: printableText(rest, MAX_TITLE_CHARS) };
  if (number !== '8' || split < 0) return DROP;
  const end = rest.indexOf(';');
  if (end < 0) return DROP;
  const link = rest.slice(end + 1);
  if (link === '') return { kind: 'pass', body: '8;;' };
  return isWebAddress(link) ? { kind: 'pass', body: `8;${linkId(rest.slice(0, end))};${link}` } : DROP;
}

/** Printable ASCII only: what is not percent-encoded could show another address than it opens. */
function isWebAddress(link: string): boolean {
  if (link.length > MAX_LINK_BYTES || !/^https?:\/\/[\x21-\x7e]+$/i.test(link)) return false;
  try {
    const url = new URL(link);
    return url.protocol === 'http:' || url.protocol === 'https:';
  } catch {
    return false;
  }
}

/** Of the parameters only a plain `id=` is kept: it joins the parts of one link. */
function linkId(parameters: string): string {
  const id = /(?:^|:)id=([\w./@-]{1,256})(?:$|:)/.exec(parameters)?.[1];
  return id === undefined ? '' : `id=${id}`;
}

/**
 * DECRQSS: constant answers, whatever the state of the screen is, so that a question reads nothing back.
 * @param body between `ESC P` and the terminator
 * @returns the answer to send as input, or null when it is no DECRQSS
 */
export function answerDcs(body: Uint8Array): string | null {
  if (body.length > 16) return null;
  const text = new TextDecoder().decode(body);
  if (!text.startsWith('$q')) return null;
  const value = { m: '0m', ' q': '1 q', r: '1;24r', '"q': '0"q', '"p': '61;1"p' }[text.slice(2)];
  return value === undefined ? '\x1bP0$r\x1b\\' : `\x1bP1$r${value}\x1b\\`;
}
