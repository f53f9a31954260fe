import type { CertificateFacts, ClientCertificateFacts } from '@sallyport/shared/api/certificates';
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
export function userOf({
  kind,
  user,
  clientCertificate,
}: Pick<Credential, 'kind' | 'user' | 'clientCertificate'>): string {
  if (user !== '') return user;
  return kind === 'signed' ? "the person's own name" : (clientCertificate?.upn ?? '');
}

/** Whether a client certificate can be used at an instant. */
export const clientValidityOf = (
  { validFrom, validTo }: Pick<ClientCertificateFacts, 'validFrom' | 'validTo'>,
  now: number,
): 'early' | 'valid' | 'expired' => (now < validFrom ? 'early' : now > validTo ? 'expired' : 'valid');

/** Whether a certificate can be used at an instant. */
export function validityOf({ validAfter, validBefore }: CertificateFacts, now: number): 'early' | 'valid' | 'expired' {
  if (validAfter !== null && now < validAfter) return 'early';
  return validBefore !== null && now >= validBefore ? 'expired' : 'valid';
}
