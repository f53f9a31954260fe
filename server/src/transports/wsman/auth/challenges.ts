/** What a server offers in `WWW-Authenticate`, RFC 9110 section 11.6.1. winrm-auth.md section 1, rule 6. */

/** Tokens of 64 KiB and more are no tokens: a ticket with a large authorisation part has about 12 KiB. */
const MAX_TOKEN_CHARS = 88_000;

export interface Challenge {
  /** What follows the name; null when there is none. */
  readonly token: Uint8Array | null;
}

/**
 * Finds one scheme among the offers. Names are compared without case and whole; text in quotes is passed over, so that a
 * realm cannot pretend to be an offer.
 * @param values one per header line, each with one offer or several
 * @returns null when the scheme is not offered
 */
export function findChallenge(values: readonly string[], scheme: string): Challenge | null {
  for (const value of values) {
    // A quote without its end goes to the end: where it is looked for from each quote again, 32 KiB take a second.
    const plain = value.replace(/"(?:[^"\\]|\\.?)*(?:"|$)/g, '""');
    for (const offer of plain.split(',')) {
      const [name = '', token = '', ...rest] = offer.trim().split(/[ \t]+/);
      if (name.toLowerCase() !== scheme.toLowerCase()) continue;
      const isToken = /^[A-Za-z0-9+/]+={0,2}$/.test(token) && token.length <= MAX_TOKEN_CHARS && rest.length === 0;
      return { token: isToken ? new Uint8Array(Buffer.from(token, 'base64')) : null };
    }
  }
  return null;
}
