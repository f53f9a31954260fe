import type { HostKeyPin } from '@sallyport/shared/api/targets';
import type { Clock } from '../clock.ts';
import { SallyportError, codeOf } from '../errors.ts';
import { randomId } from '../random.ts';
import type { HostKeyRecord, Storage } from '../storage/contract.ts';
import { fingerprintOf } from './host-keys.ts';
import type { HostKeyPins, PresentedKey } from './host-keys.ts';
import type { KnownHosts } from './known-host-lines.ts';

/** Host keys on record. Callers have asked policy and audited before they call. */
export interface HostKeyStore extends HostKeyPins {
  list(): Promise<readonly HostKeyPin[]>;
  /** Of pins and imported lines: what a target is asked for first. */
  typesOnRecord(via: string, host: string, port: number): Promise<readonly string[]>;
  /**
   * Puts a key on record, so that the next connection goes through without a question.
   * @param via hop chain in front; empty for a direct target
   * @throws SallyportError host_key_changed when another key of that type is on record
   */
  pin(key: PresentedKey, via: string, acceptedBy: string): Promise<void>;
  /** @returns false when there is none */
  delete(id: string): Promise<boolean>;
}

const toPin = ({ id, via, host, port, keyType, key, acceptedBy, acceptedAt }: HostKeyRecord): HostKeyPin => ({
  id,
  via,
  host,
  port,
  keyType,
  fingerprint: fingerprintOf(key),
  acceptedBy,
  acceptedAt,
});

/** Host keys over a storage. */
export function createHostKeyStore(deps: {
  readonly storage: Pick<Storage, 'hostKeys'>;
  readonly knownHosts: Pick<KnownHosts, 'about'>;
  readonly clock: Clock;
}): HostKeyStore {
  const { hostKeys } = deps.storage;
  return {
    find: (via, host, port) => hostKeys.find(via, host, port),
    listed: (via, host, port) => deps.knownHosts.about(via, host, port),
    async typesOnRecord(via, host, port) {
      const { keys } = await deps.knownHosts.about(via, host, port);
      return [...(await hostKeys.find(via, host, port)), ...keys].map(({ keyType }) => keyType);
    },
    list: async () => (await hostKeys.list()).map(toPin),
    delete: (id) => hostKeys.delete(id),
    async pin({ host, port, type, key }, via, acceptedBy) {
      const row = { id: randomId(), via, host, port, keyType: type, key, acceptedBy, acceptedAt: deps.clock.now() };
      try {
        await hostKeys.insert(row);
      } catch (cause) {
        if (codeOf(cause) !== 'conflict') throw cause;
        // Somebody accepted a key of this type in the same moment: the same one is as good as ours.
        const known = (await hostKeys.find(via, host, port)).find((pin) => pin.keyType === type);
        if (known?.key !== key)
          throw new SallyportError('host_key_changed', 'another key of this type is on record', { cause });
      }
    },
  };
}
