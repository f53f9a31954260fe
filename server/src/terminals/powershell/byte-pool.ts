/** A runspace pool over one byte channel: the lines of the SSH subsystem. */
import { OutOfProcClient } from '@sallyport/psrp';
import type { ClientEvent, OpenOptions } from '@sallyport/psrp';
import { SallyportError } from '../../errors.ts';
import type { ByteChannel, ChannelEvents, OpenPool, PoolChannel } from '../../transports/contract.ts';

const notLeavable = (): SallyportError =>
  new SallyportError('session_not_leavable', 'a pool over SSH ends with its connection');

type OpenChannel = (events: ChannelEvents) => Promise<ByteChannel>;

/** Makes pools over channels that `openChannel` opens. */
export function poolOverBytes(openChannel: OpenChannel): OpenPool {
  return (options, events) => {
    const client = new OutOfProcClient(options);
    /** What came before the pool was opened. */
    let early: Uint8Array[] | null = [];
    let channel: ByteChannel | null = null;
    let isClosed = false;
    const data = (bytes: Uint8Array): void => {
      if (isClosed) return;
      if (early === null) events.events(client.receive(bytes));
      else early.push(bytes);
    };
    const send = (): void => {
      const bytes = client.takeOutgoing();
      if (bytes.length > 0 && !isClosed) channel?.write(bytes);
    };
    const pool: PoolChannel = {
      client,
      shellId: null,
      async connect() {
        const opened = await openChannel({ data, drain: () => undefined, closed: (end) => events.closed(end) });
        channel = opened;
        if (isClosed) await opened.close();
      },
      open(opening: OpenOptions) {
        client.open(opening);
        send();
        const waiting = early ?? [];
        early = null;
        for (const bytes of waiting) data(bytes);
      },
      left: null,
      leftCalls: [],
      leave: () => Promise.reject(notLeavable()),
      rejoin: () => Promise.reject(notLeavable()),
      takeUp: () => undefined,
      send,
      ended: ({ exitCode }): readonly ClientEvent[] => client.channelEnded({ exitStatus: exitCode }),
      pause: () => channel?.pause(),
      resume: () => channel?.resume(),
      async close() {
        isClosed = true;
        await channel?.close();
      },
    };
    return pool;
  };
}
