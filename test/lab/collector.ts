import type { ChannelEnd, ChannelEvents } from '../../server/src/transports/contract.ts';

/** Takes what a channel gives and lets a test wait for it. */
export class Collector implements ChannelEvents {
  readonly chunks: Uint8Array[] = [];
  /** Names of the calls after `closed`: there must be none. */
  readonly late: string[] = [];
  bytes = 0;
  drains = 0;
  readonly ended: Promise<ChannelEnd>;
  #resolveEnded: (end: ChannelEnd) => void = () => undefined;
  #isClosed = false;
  #watchers = new Set<() => void>();

  constructor() {
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
  }
  data(bytes: Uint8Array): void {
    this.#note('data');
    this.chunks.push(bytes);
    this.bytes += bytes.length;
    for (const watcher of [...this.#watchers]) watcher();
  }
  drain(): void {
    this.#note('drain');
    this.drains++;
    for (const watcher of [...this.#watchers]) watcher();
  }
  closed(end: ChannelEnd): void {
    this.#note('closed');
    this.#isClosed = true;
    this.#resolveEnded(end);
    for (const watcher of [...this.#watchers]) watcher();
  }
  buffer(): Buffer {
    return Buffer.concat(this.chunks);
  }
  text(): string {
    return this.buffer().toString('utf8');
  }
  /** Resolves when `check` holds; rejects with what was seen when the channel ended before, or after `ms`. */
  until(check: () => boolean, ms = 60_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
      };
      const look = (): void => {
        if (check()) {
          finish();
          resolve();
        } else if (this.#isClosed) {
          finish();
          reject(new Error(`channel ended; seen: ${JSON.stringify(this.text().slice(-2000))}`));
        }
      };
      const timer = setTimeout(() => {
        finish();
        reject(new Error(`not seen in ${String(ms)} ms; seen: ${JSON.stringify(this.text().slice(-2000))}`));
      }, ms);
      this.#watchers.add(look);
      look();
    });
  }
  untilText(part: string | RegExp, ms?: number): Promise<void> {
    return this.until(() => (typeof part === 'string' ? this.text().includes(part) : part.test(this.text())), ms);
  }
  #note(call: string): void {
    if (this.#isClosed) this.late.push(call);
  }
}
