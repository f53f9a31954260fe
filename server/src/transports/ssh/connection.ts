import type { ErrorCode } from '@sallyport/shared/error-codes';
import type { Client, ClientChannel, PseudoTtyOptions } from 'ssh2';
import type { Clock } from '../../clock.ts';
import { SallyportError, placed, toError } from '../../errors.ts';
import type { ByteChannel, ChannelEvents, Connection, Hop, Link, PtyChannel, RemoteFiles } from '../contract.ts';
import { SshChannel, type ChannelOwner } from './channel.ts';
import { escapePeerText, toTunnelError } from './errors.ts';
import { SftpFiles } from './sftp.ts';
import { Tunnel } from './tunnel.ts';

/** For a target that neither opens nor refuses the channel. */
const OPEN_MS = 30_000;
/** For the target to take our good-bye. */
const CLOSE_MS = 1000;
/** RFC 8160: the terminal's line editing knows UTF-8. Opcode 42, value 1, end of list; ssh2 has no name for it. */
const PTY_MODES = Buffer.from([42, 0, 0, 0, 1, 0]);

type OpenCallback<S = ClientChannel> = (error: Error | undefined, stream: S) => void;

/** What is known of a connection when it stands. */
export interface ConnectionFacts {
  readonly protection: string;
  readonly ip: string;
  readonly port: number;
  /** Where on the way it is; empty for a direct connection. */
  readonly place: string;
}

/** A signed-in SSH connection. */
export class SshConnection implements Connection, ChannelOwner {
  readonly protection: string;
  readonly ip: string;
  readonly port: number;
  readonly socket: Link;
  readonly #client: Client;
  readonly clock: Clock;
  readonly #channels = new Set<SshChannel>();
  readonly #pending = new Set<(error: SallyportError) => void>();
  readonly #closed: Promise<void>;
  readonly #place: string;
  /** The jump host that this connection goes through; it ends with it. */
  readonly #under: Hop | null;
  #lost: SallyportError | null = null;
  #isClosing = false;
  #isClosed = false;

  constructor(
    client: Client,
    socket: Link,
    facts: ConnectionFacts,
    clock: Clock,
    closed: () => void,
    under: Hop | null,
  ) {
    this.#client = client;
    this.socket = socket;
    this.protection = facts.protection;
    this.ip = facts.ip;
    this.port = facts.port;
    this.#place = facts.place;
    this.#under = under;
    this.clock = clock;
    socket.on('drain', () => {
      for (const channel of this.#channels) channel.socketDrained();
    });
    this.#closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#isClosed = true;
        for (const reject of [...this.#pending]) reject(this.#loss());
        closed();
        resolve();
        void under?.close();
      });
    });
  }

  lost(): Error | null {
    return this.#lost;
  }
  gone(channel: SshChannel): void {
    this.#channels.delete(channel);
  }
  /** The connection broke; its channels end with this error. The first reason stays. */
  broke(error: SallyportError): void {
    if (!this.#isClosing) this.#lost ??= placed(error, this.#place);
    this.socket.destroy();
  }
  /** The client said it is closing; called before ssh2 closes the channels. */
  ended(): void {
    if (this.#isClosing || this.#lost !== null) return;
    const below = this.#under?.lost();
    const own = new SallyportError('target_lost', 'target closed the connection');
    this.#lost = below instanceof SallyportError ? below : placed(own, this.#place);
  }
  /** @throws SallyportError ssh_protocol_error when the target ignores the window of a channel */
  checkFlood(): void {
    for (const channel of this.#channels)
      if (channel.isFlooded()) throw new SallyportError('ssh_protocol_error', 'target ignores the channel window');
  }

  /** @throws SallyportError shell_refused, target_timeout, target_lost */
  openPty(options: { cols: number; rows: number; term: string }, events: ChannelEvents): Promise<PtyChannel> {
    // The types know only modes by name; ssh2 sends a buffer as it is.
    const pty = {
      ...options,
      width: 0,
      height: 0,
      modes: PTY_MODES as unknown as NonNullable<PseudoTtyOptions['modes']>,
    };
    return this.#channel('shell_refused', events, true, (callback) => this.#client.shell(pty, callback));
  }

  openSubsystem(name: string, events: ChannelEvents): Promise<ByteChannel> {
    return this.#channel('subsystem_refused', events, false, (callback) => this.#client.subsys(name, callback));
  }

  openTunnel(host: string, port: number): Promise<Link> {
    const request = (callback: OpenCallback) => this.#client.forwardOut('127.0.0.1', 0, host, port, callback);
    const refused = (error: Error): SallyportError => placed(toTunnelError(error), this.#place);
    return this.#open(request, refused, (stream) => new Tunnel(stream));
  }

  #channel(
    refusal: ErrorCode,
    events: ChannelEvents,
    isErrorShown: boolean,
    request: (callback: OpenCallback) => unknown,
  ): Promise<SshChannel> {
    const refused = (error: Error): SallyportError =>
      new SallyportError(refusal, `target refused the channel: ${escapePeerText(error.message)}`);
    return this.#open(request, refused, (stream) => {
      const channel = new SshChannel(stream, this, events, isErrorShown);
      this.#channels.add(channel);
      setImmediate(() => channel.start());
      return channel;
    });
  }

  openFiles(): Promise<RemoteFiles> {
    const refused = (error: Error): SallyportError =>
      new SallyportError('sftp_refused', `target refused sftp: ${escapePeerText(error.message)}`);
    const request = (callback: OpenCallback<SftpFiles>) =>
      this.#client.sftp((error, sftp) => {
        if (error === undefined) callback(undefined, new SftpFiles(sftp));
        else callback(error, undefined as never);
      });
    return this.#open(request, refused, (files: SftpFiles) => files);
  }

  get closed(): Promise<void> {
    return this.#closed;
  }

  #open<S extends { close(): unknown }, T>(
    request: (callback: OpenCallback<S>) => unknown,
    refused: (error: Error) => SallyportError,
    made: (stream: S) => T,
  ): Promise<T> {
    if (this.#isClosing || this.#isClosed) return Promise.reject(this.#loss());
    return new Promise((resolve, reject) => {
      const settle = (): boolean => {
        cancel();
        return this.#pending.delete(fail);
      };
      const fail = (error: SallyportError): void => {
        if (settle()) reject(error);
      };
      const cancel = this.clock.after(OPEN_MS, () =>
        fail(new SallyportError('target_timeout', 'target did not answer the request for a channel')),
      );
      this.#pending.add(fail);
      const opened: OpenCallback<S> = (error, stream) => {
        if (error !== undefined) fail(this.#isClosed || this.#lost !== null ? this.#loss() : refused(error));
        else if (!settle()) void stream.close();
        else resolve(made(stream));
      };
      try {
        request(opened);
      } catch (thrown) {
        fail(new SallyportError('target_lost', 'connection is gone', { cause: toError(thrown) }));
      }
    });
  }

  #loss(): SallyportError {
    return this.#lost ?? new SallyportError('target_lost', 'connection is closed');
  }

  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      await Promise.all([...this.#channels].map((channel) => channel.close()));
      this.#client.end();
      this.clock.after(CLOSE_MS, () => this.socket.destroy());
    }
    await this.#closed;
    await this.#under?.close();
  }
}
