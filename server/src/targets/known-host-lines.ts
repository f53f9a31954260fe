import { MAX_KNOWN_HOST_LINES } from '@sallyport/shared/api/host-keys';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import { randomId } from '../random.ts';
import type { KnownHostRecord, Storage } from '../storage/contract.ts';
import type { ListedKeys } from './host-keys.ts';
import { type KnownHostLine, knownHostName, matchesHost, writeLine } from './known-hosts.ts';

/** Lines looked at in one turn of the event loop: each hashed name costs some microseconds. */
const LINES_A_TURN = 500;

/** Lines of imported `known_hosts` files. Callers have asked policy and audited before they call. */
export interface KnownHosts {
  list(): Promise<readonly KnownHostRecord[]>;
  /** What the lines say of a machine. Keys count for a direct connection only, what is revoked always. */
  about(via: string, host: string, port: number): Promise<ListedKeys>;
  /** What `add` would add: lines that are not there yet. @throws SallyportError payload_too_large beyond MAX_KNOWN_HOST_LINES */
  fresh(lines: readonly KnownHostLine[]): Promise<readonly KnownHostLine[]>;
  add(lines: readonly KnownHostLine[], by: string): Promise<void>;
  /** @returns false when there is none */
  delete(id: string): Promise<boolean>;
}

/** Lines over a storage; kept in memory, since each connection asks for all of them. */
export function createKnownHosts(deps: {
  readonly storage: Pick<Storage, 'knownHosts'>;
  readonly clock: Clock;
}): KnownHosts {
  const { knownHosts } = deps.storage;
  let kept: Promise<readonly KnownHostRecord[]> | null = null;
  const all = (): Promise<readonly KnownHostRecord[]> => {
    kept ??= knownHosts.list().catch((error: unknown) => {
      kept = null;
      throw error;
    });
    return kept;
  };
  return {
    list: all,
    async about(via, host, port) {
      const name = knownHostName(host, port);
      const found: KnownHostRecord[] = [];
      for (const [index, line] of (await all()).entries()) {
        if (index % LINES_A_TURN === LINES_A_TURN - 1) await new Promise((resolve) => setImmediate(resolve));
        if (line.marker !== 'cert-authority' && matchesHost(line.hosts, name)) found.push(line);
      }
      return {
        keys: via === '' ? found.filter(({ marker }) => marker === '') : [],
        revoked: found.filter(({ marker }) => marker === 'revoked').map(({ key }) => key),
      };
    },
    async fresh(lines) {
      const there = await all();
      const known = new Set(there.map(writeLine));
      const fresh = new Map(lines.map((line) => [writeLine(line), line]));
      for (const text of known) fresh.delete(text);
      if (there.length + fresh.size > MAX_KNOWN_HOST_LINES)
        throw new SallyportError('payload_too_large', `more than ${MAX_KNOWN_HOST_LINES} lines of known hosts`);
      return [...fresh.values()];
    },
    async add(lines, by) {
      const rows = lines.map(({ marker, hosts, keyType, key }) => ({
        ...{ id: randomId(), marker, hosts, keyType, key },
        ...{ importedBy: by, importedAt: deps.clock.now() },
      }));
      await knownHosts.insert(rows).finally(() => (kept = null));
    },
    delete: (id) => knownHosts.delete(id).finally(() => (kept = null)),
  };
}
