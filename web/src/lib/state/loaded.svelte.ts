/** What a panel shows of the gateway: loaded once it is there, and anew after each change. */
export class Loaded<T> {
  /** null until the first answer. */
  value = $state.raw<T | null>(null);
  error = $state.raw<unknown>(null);
  readonly #fetch: () => Promise<T>;

  constructor(fetch: () => Promise<T>) {
    this.#fetch = fetch;
  }

  /** @param change what is done first; when it fails nothing is loaded, and `error` says why */
  async load(change: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    this.error = null;
    try {
      await change();
      this.value = await this.#fetch();
    } catch (caught) {
      this.error = caught;
    }
  }
}
