/** What the routes of administrators need, over the rooms that have it. */
import type { Settings } from '@sallyport/shared/api/settings';
import { Settings as SettingsSchema } from '@sallyport/shared/api/settings';
import type { SessionId } from '@sallyport/shared/ids';
import { parseRange } from '../config/addresses.ts';
import { SallyportError } from '../errors.ts';
import type { HostKeyAdmin, RecordingAdmin, SettingsStore } from '../http/ports.ts';
import { toAsciicast } from '../recording/asciicast.ts';
import type { Recordings } from '../recording/contract.ts';
import type { Storage } from '../storage/contract.ts';
import { fingerprintOf } from '../targets/host-keys.ts';
import type { KnownHosts } from '../targets/known-host-lines.ts';
import { hashName, isHashedName, knownHostName, writeLine } from '../targets/known-hosts.ts';

const SETTINGS = 'settings';
const DEFAULTS: Settings = {
  targetRanges: [],
  detachedHours: 8,
  idleMinutes: 15,
  absoluteHours: 12,
  retentionDays: null,
};

/** Settings that are changed at run time, kept in memory and in storage. */
export async function openSettings(storage: Storage): Promise<SettingsStore> {
  const stored = await storage.values.get(SETTINGS);
  let now: Settings = stored === null ? DEFAULTS : SettingsSchema.parse(JSON.parse(stored));
  return {
    get: () => now,
    check({ targetRanges }) {
      const wrong = targetRanges.find((range) => parseRange(range) === null);
      if (wrong !== undefined) throw new SallyportError('bad_request', 'targetRanges: not an address or CIDR range');
    },
    async set(body) {
      await storage.values.set(SETTINGS, JSON.stringify(body));
      now = body;
      return now;
    },
  };
}

/** Pins, and lines of imported files. */
export const hostKeyAdmin = (storage: Storage, knownHosts: KnownHosts): HostKeyAdmin => ({
  list: async () =>
    (await storage.hostKeys.list()).map(({ id, via, host, port, keyType, key, acceptedBy, acceptedAt }) => ({
      ...{ id, via, host, port, keyType, acceptedBy, acceptedAt },
      fingerprint: fingerprintOf(key),
    })),
  delete: async (id) => (await storage.hostKeys.delete(id)) || knownHosts.delete(id),
  lines: async () =>
    (await knownHosts.list()).map(({ id, marker, hosts, keyType, key, importedBy, importedAt }) => ({
      ...{ id, marker, hosts, isHashed: isHashedName(hosts), keyType, importedBy, importedAt },
      fingerprint: fingerprintOf(key),
    })),
  fresh: (lines) => knownHosts.fresh(lines),
  add: (lines, by) => knownHosts.add(lines, by),
  async file(hashed) {
    const nameOf = (host: string, port: number): string => {
      const name = knownHostName(host, port);
      return hashed ? hashName(name) : name;
    };
    const pins = (await storage.hostKeys.list()).map(({ via, host, port, keyType, key }) => {
      const line = writeLine({ marker: '', hosts: nameOf(host, port), keyType, key });
      // ssh has no name for "that host behind this one", and another machine may have the same name there.
      return via === '' ? line : `# behind ${hashed ? 'a jump host' : via}: ${line}`;
    });
    return [...pins, ...(await knownHosts.list()).map(writeLine), ''].join('\n');
  },
});

export const recordingAdmin = (storage: Storage, recordings: Recordings): RecordingAdmin => ({
  async exists(id) {
    const row = await storage.recordings.bySession(id);
    return row !== null && row.state !== 'deleted';
  },
  async delete(id) {
    await recordings.delete(id as SessionId);
    return true;
  },
  asciicast: (id) => toAsciicast(recordings, id as SessionId),
});
