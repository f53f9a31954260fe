/** Which of the usual doors of a machine are open: a TCP connection each, closed at once, nothing sent. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { ProbedPort } from '@sallyport/shared/api/targets';
import { USUAL_DOORS } from '@sallyport/shared/winrm';
import { codeOf } from '../errors.ts';
import type { Endpoint } from './contract.ts';

async function stateOf(ip: string, port: number, ms: number, signal: AbortSignal): Promise<ProbedPort['state']> {
  const socket = connect({ host: ip, port });
  socket.on('error', () => undefined);
  try {
    await once(socket, 'connect', { signal: AbortSignal.any([signal, AbortSignal.timeout(ms)]) });
    return 'open';
  } catch (error) {
    return error instanceof Error && error.name === 'AbortError' ? 'silent' : 'closed';
  } finally {
    socket.destroy();
  }
}

/**
 * @param endpoint resolves and checks for each port; security.md section 3 "Target connections"
 * @throws SallyportError target_name_unresolved
 */
export async function openPorts(
  endpoint: (port: number) => Endpoint,
  ms: number,
  signal: AbortSignal,
): Promise<readonly ProbedPort[]> {
  return Promise.all(
    USUAL_DOORS.map(async ({ way, port }) => {
      try {
        return { way, port, state: await stateOf(await endpoint(port).resolve(signal), port, ms, signal) };
      } catch (error) {
        if (codeOf(error) !== 'target_address_refused') throw error;
        return { way, port, state: 'refused' as const };
      }
    }),
  );
}
