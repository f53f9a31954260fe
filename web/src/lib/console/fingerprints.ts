/** What a person pasted against what the target showed: nothing to say yet, the same, or another key. */
export type Comparison = 'none' | 'equal' | 'different';

/**
 * Compares a pasted fingerprint with the shown one. A whole line of `ssh-keygen -lf` will do; white space and the
 * padding of base64 do not matter, letters' case does.
 */
export function compareFingerprints(given: string, shown: string): Comparison {
  const clean = (text: string): string => text.replace(/\s|=+$/g, '');
  if (given.trim() === '') return 'none';
  const named = /SHA256:\s*([A-Za-z0-9+/=]+)/.exec(given)?.[1];
  const digest = clean(named ?? given);
  return digest === clean(shown.replace(/^SHA256:/, '')) ? 'equal' : 'different';
}

/** A SHA-256 in hexadecimal, as Windows shows it, also when it came as `SHA256:` and base64. */
export function hexDigest(fingerprint: string): string {
  const base64 = /^SHA256:(.*)$/.exec(fingerprint)?.[1];
  if (base64 === undefined) return fingerprint;
  return Array.from(atob(base64), (char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}

/** The same for the SHA-256 of a certificate: hexadecimal, with colons, hyphens or blanks, in any case. */
export function compareDigests(given: string, shown: string): Comparison {
  const clean = (text: string): string => text.replace(/^\s*SHA-?256\b(?:\s+Fingerprint=)?[: ]*/i, '').replace(/[\s:-]/g, '').toLowerCase(); // prettier-ignore
  if (given.trim() === '') return 'none';
  return clean(given) === clean(shown) ? 'equal' : 'different';
}

/** Prints what the certificates of a Windows machine hash to, at that machine. */
export const CERTIFICATE_COMMAND =
  'Get-ChildItem Cert:\\LocalMachine\\My | ForEach-Object { $_.Subject; [BitConverter]::ToString([Security.Cryptography.SHA256]::Create().ComputeHash($_.RawData)) }';

/** Every SHA-256 fingerprint that a text names, in order. */
export const fingerprintsIn = (text: string): string[] => text.match(/SHA256:[A-Za-z0-9+/]{43}=?/g) ?? [];
