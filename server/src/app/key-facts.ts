/** What people are shown of certificates and of the agent's keys. */
import type { AgentState, CertificateFacts } from '@sallyport/shared/api/certificates';
import type { KeyFacts } from '../http/ports.ts';
import type { KeyAgent } from '../transports/contract.ts';
import { parseCertificate, type UserCertificate } from '../transports/ssh/certificate.ts';
import { escapePeerText } from '../transports/ssh/errors.ts';
import { fingerprintOf } from '../transports/ssh/host-key.ts';
import { readAgentKey } from '../transports/ssh/late-offers.ts';
import { describePrivateKey } from '../transports/ssh/private-key.ts';
import { describeClientCertificate, readClientCertificate } from '../transports/wsman/client-certificate.ts';
import type { KeyReader } from '../vault/credentials.ts';

function toFacts(certificate: UserCertificate): CertificateFacts {
  const { keyType, keyId, serial, principals, validAfter, validBefore, criticalOptions, extensions } = certificate;
  const { authorityType, authorityFingerprint } = certificate;
  const escaped = (options: UserCertificate['extensions']) =>
    options.map(({ name, value }) => ({ name: escapePeerText(name), value: escapePeerText(value) }));
  return {
    ...{ keyType, validAfter, validBefore, authorityType, authorityFingerprint },
    keyId: escapePeerText(keyId),
    serial: String(serial),
    principals: principals.map(escapePeerText),
    criticalOptions: escaped(criticalOptions),
    extensions: escaped(extensions),
    keyFingerprint: fingerprintOf(certificate.publicBlob),
  };
}

/** What the vault needs to know of keys. */
export const keyReader: KeyReader = {
  describeKey: describePrivateKey,
  readCertificate: (line) => toFacts(parseCertificate(line)),
  readClientCertificate,
  describeClientCertificate,
};

/** One line for the person whose session is about to use it. */
export function describeCertificate({ keyId, principals, validBefore }: CertificateFacts): string {
  const until = validBefore === null ? 'without an end' : `until ${new Date(validBefore).toISOString()}`;
  const names = principals.length === 0 ? 'nobody' : principals.slice(0, 4).join(', ');
  return `certificate "${keyId}" for ${names}${principals.length > 4 ? ' and more' : ''}, valid ${until}`;
}

/** @param isConfigured whether there is an agent to ask; keys of kinds that cannot sign in are left out */
export const keyFactsOf = (agent: KeyAgent, isConfigured: boolean): KeyFacts => ({
  readCertificate: (line) => toFacts(parseCertificate(line)),
  agentState: async (signal): Promise<AgentState> => ({
    isConfigured,
    keys: (isConfigured ? await agent.list(signal) : []).flatMap((key) => {
      const read = readAgentKey(key);
      if (read === null) return [];
      const { type, fingerprint, certificate } = read;
      const facts = certificate === null ? null : toFacts(certificate);
      return [{ type, fingerprint, comment: escapePeerText(key.comment), certificate: facts }];
    }),
  }),
});
