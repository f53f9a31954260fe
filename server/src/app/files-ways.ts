/** How a session comes to its target's files: SFTP, PowerShell over SSH where there is no SFTP, PowerShell over WinRM. */
import type { Clock } from '../clock.ts';
import { SallyportError, codeOf } from '../errors.ts';
import { poolOverBytes } from '../terminals/powershell/byte-pool.ts';
import { openPowerShellFiles } from '../terminals/powershell/files.ts';
import type { Connection, OpenPool, RemoteFiles } from '../transports/contract.ts';
import type { FilesWay } from './session-files.ts';

/** SFTP; where there is none and the target offers PowerShell, that. */
export const sshFiles = (
  connection: Pick<Connection, 'closed' | 'openFiles' | 'openSubsystem'>,
  { subsystem, hasPowerShell }: { readonly subsystem: string; readonly hasPowerShell: boolean },
  clock: Clock,
): FilesWay => ({
  closed: connection.closed,
  openFiles: () =>
    connection.openFiles().catch((refusal: unknown) => {
      if (codeOf(refusal) !== 'sftp_refused' || !hasPowerShell) throw refusal;
      return openPowerShellFiles({
        openPool: poolOverBytes((events) => connection.openSubsystem(subsystem, events)),
        clock,
      });
    }),
});

/** A shell of their own, which the target would keep for hours: it is closed there before the connection goes. */
export class WinRmFiles implements FilesWay {
  readonly closed: Promise<void>;
  readonly #openPool: OpenPool;
  readonly #clock: Clock;
  readonly #opened = new Set<Promise<RemoteFiles>>();
  #resolveClosed: () => void = () => undefined;
  #isClosed = false;

  constructor(openPool: OpenPool, clock: Clock) {
    this.#openPool = openPool;
    this.#clock = clock;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
  }

  /** @throws SallyportError target_lost, and as opening a console does */
  openFiles(): Promise<RemoteFiles> {
    if (this.#isClosed) return Promise.reject(new SallyportError('target_lost', 'the session has ended'));
    const opening = openPowerShellFiles({ openPool: this.#openPool, clock: this.#clock });
    this.#opened.add(opening);
    opening.then(
      (files) => files.isOver && this.#opened.delete(opening),
      () => this.#opened.delete(opening),
    );
    return opening;
  }

  /** Idempotent; what is being opened is closed as soon as it is there. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#resolveClosed();
    await Promise.allSettled([...this.#opened].map(async (opening) => (await opening).close()));
  }
}
