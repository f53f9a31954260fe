/** Keys that are made or found only when the target wants one: issued for this sign-in, or in an agent. */
import type { ParsedKey } from 'ssh2';
import type { Clock } from '../../clock.ts';
import { SallyportError } from '../../errors.ts';
import type { AgentKey, Identity, KeyAgent } from '../contract.ts';
import { checkValidNow, readCertificateBlob, type UserCertificate } from './certificate.ts';
import { fingerprintOf } from './host-key.ts';
import { toSsh2Key } from './offered-key.ts';
import { signaturesOf, toOffers, typeOfBlob } from './offers.ts';
import { parseEd25519 } from './private-key.ts';
import type { LateIdentity } from './sign-in.ts';

type AgentIdentity = Extract<Identity, { readonly kind: 'agent' }>;

/** A key of an agent, understood; null when it is of no kind that we offer. */
export function readAgentKey({ blob }: AgentKey): {
  readonly fingerprint: string;
  readonly certificate: UserCertificate | null;
  readonly type: string;
} | null {
  try {
    const type = typeOfBlob(blob);
    if (!type.includes('-cert-')) return { fingerprint: fingerprintOf(blob), certificate: null, type };
    const certificate = readCertificateBlob(Buffer.from(blob));
    return { fingerprint: fingerprintOf(certificate.publicBlob), certificate, type: certificate.keyType };
  } catch (error) {
    if (error instanceof SallyportError) return null; // Another program's kind of key: not ours to offer.
    throw error;
  }
}

function offersOfKey(
  blob: Uint8Array,
  type: string,
  isCertificate: boolean,
  agent: KeyAgent,
  signing: () => void,
  signal: AbortSignal,
): ParsedKey[] {
  return signaturesOf(type).map(([algorithm, hash]) =>
    toSsh2Key({
      algorithm: isCertificate ? `${algorithm}-cert-v01@openssh.com` : algorithm,
      blob: Buffer.from(blob),
      sign: async (data) => {
        signing();
        const signature = Buffer.from(await agent.sign(blob, data, hash ?? null, signal));
        if (typeOfBlob(signature) !== algorithm)
          throw new SallyportError('agent_refused', `agent signed with another algorithm than ${algorithm}`);
        return signature;
      },
    }),
  );
}

/** The one key that was chosen, with its certificate first where the agent has one. */
async function agentOffers(
  { agent, fingerprint }: AgentIdentity,
  signing: () => void,
  now: number,
  signal: AbortSignal,
): Promise<ParsedKey[]> {
  const found = (await agent.list(signal)).flatMap((key) => {
    const read = readAgentKey(key);
    return read?.fingerprint === fingerprint ? [{ ...read, blob: key.blob }] : [];
  });
  if (found.length === 0) throw new SallyportError('agent_key_missing', `agent has no key ${fingerprint}`);
  const bare = found.filter(({ certificate }) => certificate === null);
  const certified = found.filter(({ certificate }) => certificate !== null);
  const isValid = ({ certificate }: (typeof found)[number]): boolean => {
    try {
      if (certificate !== null) checkValidNow(certificate, now);
      return true;
    } catch {
      return false; // An expired one is no way in; the bare key may be.
    }
  };
  return [...certified.filter(isValid).slice(0, 1), ...bare.slice(0, 1)].flatMap(({ blob, type, certificate }) =>
    offersOfKey(blob, type, certificate !== null, agent, signing, signal),
  );
}

/** @throws SallyportError agent_unavailable, agent_key_missing, and whatever issuing throws */
export async function lateOffers(
  identity: LateIdentity,
  signing: () => void,
  clock: Pick<Clock, 'now'>,
  signal: AbortSignal,
): Promise<ParsedKey[]> {
  if (identity.kind === 'agent') return agentOffers(identity, signing, clock.now(), signal);
  const { privateKey, certificate } = await identity.issue();
  return toOffers(parseEd25519(privateKey), readCertificateBlob(Buffer.from(certificate)), signing);
}
