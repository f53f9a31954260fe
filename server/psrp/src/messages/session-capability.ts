import { bag } from '../clixml/build.ts';
import type { PsObject } from '../clixml/object.ts';
import { PsVersion } from '../clixml/scalars.ts';
import { asBag, badContent } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** What both sides say first. */
export interface SessionCapability {
  readonly protocolVersion: PsVersion;
  readonly psVersion: PsVersion;
  readonly serializationVersion: PsVersion;
}

function version(object: PsObject, name: string): PsVersion {
  const value = object.get(name);
  return value instanceof PsVersion ? value : badContent(`${name} is no version`);
}

/** SESSION_CAPABILITY, both ways: protocol versions. [MS-PSRP] 2.2.2.1 SESSION_CAPABILITY Message. */
export const sessionCapability: MessageCodec<'SESSION_CAPABILITY', SessionCapability> = {
  name: 'SESSION_CAPABILITY',
  type: 0x00010002,
  direction: 'both',
  target: 'pool',
  encode: (content) =>
    bag({
      protocolversion: content.protocolVersion,
      PSVersion: content.psVersion,
      SerializationVersion: content.serializationVersion,
    }),
  decode: (body) => {
    const object = asBag(body, 'a capability');
    return {
      protocolVersion: version(object, 'protocolversion'),
      psVersion: version(object, 'PSVersion'),
      serializationVersion: version(object, 'SerializationVersion'),
    };
  },
};
