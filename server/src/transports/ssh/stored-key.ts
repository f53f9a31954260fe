import type { Identity } from '../contract.ts';
import { checkValidNow, parseCertificate } from './certificate.ts';
import { toOffers } from './offers.ts';
import { isEncryptedKey, readPrivateKey } from './private-key.ts';
import type { StoredKey } from './sign-in.ts';

/**
 * What can be read of an identity without asking anybody. A key whose passphrase must be asked for comes later, only when
 * the target wants a key.
 * @param now UTC milliseconds
 * @throws SallyportError key_unreadable, key_too_slow, certificate_unreadable, certificate_not_valid_now
 */
export async function readStoredKey(identity: Identity, now: number, signal: AbortSignal): Promise<StoredKey> {
  if (identity.kind !== 'privateKey') return { key: null, certificate: null };
  const text = identity.certificate ?? null;
  const certificate = text === null ? null : parseCertificate(text);
  if (certificate !== null) checkValidNow(certificate, now);
  if (identity.passphrase === null && isEncryptedKey(identity.key)) return { key: null, certificate };
  const key = await readPrivateKey(identity.key, identity.passphrase, signal);
  toOffers(key, certificate, () => undefined); // Refuses the certificate of another key before anything is sent.
  return { key, certificate };
}
