/** Lines that wait while a command runs: what is typed ahead, or pasted to run line by line. line-editor.md, Paste. */

const MAX_TYPED = 16;
const MAX_PASTED = 10_000;

export class LineQueue {
  #lines: string[] = [];
  #isPasted = false;

  get lines(): readonly string[] {
    return this.#lines;
  }
  /** True when the next line may be run only after the one before has not failed. */
  get isPasted(): boolean {
    return this.#isPasted && this.#lines.length > 0;
  }
  /** Words on what is left when a line has failed. */
  get notRun(): string {
    const { length } = this.#lines;
    return `A line failed: ${length === 1 ? '1 line was' : `${String(length)} lines were`} not run.`;
  }
  /** @returns false when there is no room */
  type(line: string): boolean {
    if (this.#lines.length >= MAX_TYPED) return false;
    this.#isPasted = this.isPasted;
    this.#lines.push(line);
    return true;
  }
  /** @returns false when there is no room for all */
  paste(lines: readonly string[]): boolean {
    if (this.#lines.length + lines.length > MAX_PASTED) return false;
    this.#isPasted = true;
    this.#lines.push(...lines);
    return true;
  }
  next(): string | undefined {
    return this.#lines.shift();
  }
  takeAll(): string[] {
    return this.#lines.splice(0);
  }
}
