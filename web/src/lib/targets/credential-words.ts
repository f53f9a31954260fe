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

export type ValidityState = 'early' | 'valid' | 'expired';

/** Whether a client certificate can be used at an instant. */
export const clientValidityOf = (
  { validFrom, validTo }: Pick<ClientCertificateFacts, 'validFrom' | 'validTo'>,
  now: number,
): ValidityState => (now < validFrom ? 'early' : now > validTo ? 'expired' : 'valid');

/** Whether a certificate can be used at an instant. */
export function validityOf({ validAfter, validBefore }: CertificateFacts, now: number): ValidityState {
  if (validAfter !== null && now < validAfter) return 'early';
  return validBefore !== null && now >= validBefore ? 'expired' : 'valid';
}
