/** Entries that are kept for the arrow keys. */
const MAX_ENTRIES = 4096;
/** Lines that look like they hold a secret are kept in memory only and travel marked. line-editor.md section 6. */
const SENSITIVE = /password|asplaintext|token|apikey|secret/i;

/** True for lines that the history service shall hide: sensitive words, a leading blank. */
export const keepsOut = (line: string): boolean => SENSITIVE.test(line) || /^[ \t]/.test(line);

/** Lines for the arrow keys. The draft and edited entries are kept while walking. */
export class History {
  #lines: string[] = [];
  /** Index into `#lines`; its length stands for the draft. */
  #at = 0;
  #edited = new Map<number, string>();
  #prefix: string | null = null;

  /** Replaces what is known, oldest first. */
  load(lines: readonly string[]): void {
    this.#lines = lines.slice(-MAX_ENTRIES);
    this.leave();
  }
  /** Adds an accepted line: not when blank, led by a blank, or equal to the newest. */
  add(line: string): void {
    if (line.trim() !== '' && !/^[ \t]/.test(line) && line !== this.#lines.at(-1)) this.#lines.push(line);
    if (this.#lines.length > MAX_ENTRIES) this.#lines.shift();
    this.leave();
  }
  /** Ends the walk. */
  leave(): void {
    this.#at = this.#lines.length;
    this.#edited.clear();
    this.#prefix = null;
  }
  get isWalking(): boolean {
    return this.#at < this.#lines.length;
  }
  /** A different edit ends a prefix search. */
  endSearch(): void {
    this.#prefix = null;
  }

  /** @returns the next older (-1) or newer (1) text, or null at the end; texts equal to `current` are skipped */
  step(direction: -1 | 1, current: string): string | null {
    return this.#walk(direction, current, () => true);
  }
  /** Like `step`, among the lines that start with `prefix`, case ignored. */
  search(direction: -1 | 1, current: string, prefix: string): string | null {
    this.#prefix ??= prefix;
    const wanted = this.#prefix.toLowerCase();
    return this.#walk(direction, current, (line) => line.toLowerCase().startsWith(wanted));
  }
  #walk(direction: -1 | 1, current: string, fits: (line: string) => boolean): string | null {
    this.#edited.set(this.#at, current);
    for (let at = this.#at + direction; at >= 0 && at <= this.#lines.length; at += direction) {
      const isDraft = at === this.#lines.length;
      const text = this.#edited.get(at) ?? this.#lines[at] ?? '';
      if (!isDraft && (text === current || !fits(this.#lines[at] ?? ''))) continue;
      this.#at = at;
      return text;
    }
    return null;
  }
}
