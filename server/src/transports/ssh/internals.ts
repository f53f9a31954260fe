/**
 * The few things of ssh2 1.17.0 (pinned exactly) that its public interface does not give. Each is checked when it is
 * reached for, so that another version fails at once and closed, and the contract suite runs them against a real sshd.
 */
import type { Client } from 'ssh2';
import type { Clock } from '../../clock.ts';
import { SallyportError } from '../../errors.ts';

type Handler = (protocol: unknown, ...rest: unknown[]) => unknown;
interface Internals {
  readonly _protocol: { readonly _strictMode?: boolean; readonly _handlers: Record<string, Handler> };
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

function parseInternals(client: unknown): Internals {
  const protocol = isRecord(client) ? client['_protocol'] : undefined;
  const handlers = isRecord(protocol) ? protocol['_handlers'] : undefined;
  if (!isRecord(handlers)) throw new SallyportError('internal', 'ssh2 is not the version this was written for');
  for (const name of ['CHANNEL_OPEN', 'CHANNEL_OPEN_CONFIRMATION', 'CHANNEL_REQUEST', 'GLOBAL_REQUEST'])
    if (typeof handlers[name] !== 'function')
      throw new SallyportError('internal', `ssh2 has no handler ${name}; it is not the version this was written for`);
  return client as Internals;
}

/** True when both sides agreed to strict key exchange (OpenSSH PROTOCOL section 1.9; the answer to CVE-2023-48795). */
export const isStrictKex = (client: Client): boolean => parseInternals(client)._protocol._strictMode === true;

/** RFC 4254 section 5.2 has 32768 as the least; some small servers say less. Zero would make ssh2 loop without end. */
const MIN_PACKET_BYTES = 256;

/** Requests and channel opens of a target: an honest one sends a keepalive each second at most, and some at the start. */
const ASK_BURST = 256;
const ASKS_PER_S = 16;

/** @returns to be called for each request; throws SallyportError ssh_protocol_error when they come too fast */
function createAskBudget(clock: Clock): () => void {
  let left = ASK_BURST;
  let at = clock.monotonic();
  return () => {
    const now = clock.monotonic();
    left = Math.min(ASK_BURST, left + ((now - at) / 1000) * ASKS_PER_S) - 1;
    at = now;
    // Each costs some microseconds, and an answer: without a limit a target takes a whole core with them.
    if (left < 0) throw new SallyportError('ssh_protocol_error', 'target asks without end');
  };
}

/**
 * Call right after `client.connect`. Reports channels that the target opens by itself (ssh2 then refuses them, since
 * nothing was asked for), refuses a packet size that cannot be, and leaves global requests unanswered but for a no.
 */
export function hardenClient(client: Client, clock: Clock, opened: (type: string) => void): void {
  const spend = createAskBudget(clock);
  const handlers = parseInternals(client)._protocol._handlers;
  const { CHANNEL_OPEN: open, CHANNEL_OPEN_CONFIRMATION: confirm, GLOBAL_REQUEST: request } = handlers;
  const { CHANNEL_REQUEST: channelRequest } = handlers;
  handlers['CHANNEL_OPEN'] = (protocol, info) => {
    spend();
    if (isRecord(info) && typeof info['type'] === 'string') opened(info['type']);
    return open?.(protocol, info);
  };
  handlers['CHANNEL_OPEN_CONFIRMATION'] = (protocol, info) => {
    const size = isRecord(info) ? info['packetSize'] : undefined;
    if (typeof size !== 'number' || size < MIN_PACKET_BYTES)
      throw new SallyportError('ssh_protocol_error', 'target names a packet size that cannot be');
    return confirm?.(protocol, info);
  };
  // ssh2 would ask the target to prove each further host key it announces: a queue that a hostile target can grow.
  handlers['GLOBAL_REQUEST'] = (protocol, name, wantReply, data) => {
    spend();
    return name === 'hostkeys-00@openssh.com' ? undefined : request?.(protocol, name, wantReply, data);
  };
  handlers['CHANNEL_REQUEST'] = (...rest) => {
    spend();
    return channelRequest?.(...rest);
  };
}
