/** A small seeded generator (xorshift32 with a mixed seed): one seed, one run, on every machine. */
export class Random {
  #state: number;

  constructor(...seed: readonly (number | string)[]) {
    let state = 0x811c9dc5;
    for (const char of seed.join('/')) state = Math.imul(state ^ char.charCodeAt(0), 0x01000193);
    state ^= state >>> 16;
    state = Math.imul(state, 0x85ebca6b);
    this.#state = (state ^ (state >>> 13)) | 1;
    for (let i = 0; i < 4; i++) this.next();
  }
  /** 0 to 2^32-1. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
  /** 0 to `below`-1; 0 when there is nothing to choose from. */
  below(below: number): number {
    return below <= 1 ? 0 : this.next() % below;
  }
  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }
  /** One of them. @throws when there is none */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}

/** Cuts bytes into pieces at random places, one byte at a time now and then. */
export function* pieces(bytes: Uint8Array, random: Random): Generator<Uint8Array> {
  const most = random.oneIn(4) ? 1 : 1 + random.below(Math.max(2, bytes.length));
  for (let at = 0; at < bytes.length;) {
    const size = 1 + random.below(most);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}
