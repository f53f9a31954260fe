import { PsVersion } from '../clixml/scalars.ts';
import { PsrpProtocolError } from '../errors.ts';
import type { SessionCapability } from '../messages/session-capability.ts';

const SECTION = 'MS-PSRP 3.1.5.4.1 SESSION_CAPABILITY Message';
/** Fixed by convention; they are not the real versions. */
const PS_VERSION = new PsVersion(2, 0);
const SERIALIZATION_VERSION = new PsVersion(1, 1, 0, 1);

/** Protocol versions that can be announced. */
export type ProtocolVersion = '2.0' | '2.1' | '2.2' | '2.3' | '2.4';

/** What a side says about itself. */
export function capability(version: ProtocolVersion): SessionCapability {
  return {
    protocolVersion: new PsVersion(2, Number(version.slice(2))),
    psVersion: PS_VERSION,
    serializationVersion: SERIALIZATION_VERSION,
  };
}

function bad(version: PsVersion): never {
  throw new PsrpProtocolError('psrp_version', `version ${version.text} is not supported`, { section: SECTION });
}

const known = (version: PsVersion): ProtocolVersion | null => {
  const text = `${version.major}.${version.minor}`;
  return text === '2.0' || text === '2.1' || text === '2.2' || text === '2.3' || text === '2.4' ? text : null;
};

/**
 * The client's rule: the server's answer is our own version or a known lower one.
 * @throws PsrpProtocolError psrp_version
 */
export function acceptServer(own: ProtocolVersion, server: SessionCapability): ProtocolVersion {
  const answer = known(server.protocolVersion) ?? bad(server.protocolVersion);
  // Texts of this closed set compare like numbers.
  if (answer > own) bad(server.protocolVersion);
  if (server.psVersion.text !== PS_VERSION.text) bad(server.psVersion);
  if (server.serializationVersion.text !== SERIALIZATION_VERSION.text) bad(server.serializationVersion);
  return answer;
}

/**
 * The server's rule: 2.0 to 2.3 are taken as they are, a later minor gets the server's own version. null = cannot speak
 * with this client.
 */
export function acceptClient(own: ProtocolVersion, client: SessionCapability): ProtocolVersion | null {
  const { protocolVersion } = client;
  const asked = known(protocolVersion);
  const ownMinor = Number(own.slice(2));
  const isOk = (version: PsVersion, against: PsVersion): boolean =>
    version.major === against.major && version.minor >= against.minor;
  if (!isOk(client.psVersion, PS_VERSION) || !isOk(client.serializationVersion, SERIALIZATION_VERSION)) return null;
  if (asked !== null && asked !== '2.4' && asked <= own) return asked;
  return protocolVersion.major === 2 && protocolVersion.minor >= ownMinor ? own : null;
}
