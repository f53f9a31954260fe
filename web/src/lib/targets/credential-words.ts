import type { CertificateFacts } from '@sallyport/shared/api/certificates';
import type { Credential, CredentialKind } from '@sallyport/shared/api/targets';

/** What the kinds of credentials are called. */
export const KIND_NAMES: Readonly<Record<CredentialKind, string>> = {
  password: 'password',
  privateKey: 'private key',
  agent: 'key of the agent',
  signed: 'signed by this gateway',
  certificate: 'client certificate',
};

/** The name at the target, in words. */
export const userOf = ({ kind, user }: Pick<Credential, 'kind' | 'user'>): string =>
  kind === 'signed' && user === '' ? "the person's own name" : user;

/** Whether a certificate can be used at an instant. */
export function validityOf({ validAfter, validBefore }: CertificateFacts, now: number): 'early' | 'valid' | 'expired' {
  if (validAfter !== null && now < validAfter) return 'early';
  return validBefore !== null && now >= validBefore ? 'expired' : 'valid';
}
