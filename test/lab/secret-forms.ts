/** The forms in which a secret may lie somewhere: on a wire, in a file, in a log. */
import { ntHash } from '@sallyport/wsman';

/** Base64 of bytes that stand anywhere within others: what is the same at each of the three places. */
function base64Forms(bytes: Buffer): string[] {
  const forms: string[] = [];
  for (let before = 0; before < 3; before++) {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    // Characters that hold bits of a neighbour too are left out.
    const whole = (before + bytes.length) % 3 === 0 ? text : text.slice(0, -1);
    forms.push(whole.slice(before === 0 ? 0 : before + 1));
  }
  return forms.flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]);
}

/** Bytes that are no text, a key for example: as they are, in hex, in base64. */
export function secretBytes(bytes: Buffer): Buffer[] {
  const hex = bytes.toString('hex');
  return [bytes, ...[hex, hex.toUpperCase(), ...base64Forms(bytes)].map((text) => Buffer.from(text, 'latin1'))];
}

/** As text (UTF-8, UTF-16 of both orders), in base64 at any place, in hex, percent-encoded, and the hash that NTLM takes for it. */
export function secretForms(secret: string): Buffer[] {
  const utf8 = Buffer.from(secret, 'utf8');
  const utf16 = Buffer.from(secret, 'utf16le');
  const hash = Buffer.from(ntHash(secret));
  const texts = [encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
  const other = [Buffer.from(utf16).swap16(), ...texts.map((text) => Buffer.from(text, 'latin1'))];
  return [...[utf8, utf16, hash].flatMap(secretBytes), ...other];
}

/** Whether one of the forms is somewhere in the bytes. */
export const holdsSecret = (bytes: Buffer, secret: string | Buffer): boolean =>
  (typeof secret === 'string' ? secretForms(secret) : secretBytes(secret)).some((form) => bytes.includes(form));
