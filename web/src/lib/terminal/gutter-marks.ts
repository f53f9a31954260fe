import type { CommandMark } from '@sallyport/shared/wire/control';
import type { IMarker } from '@xterm/xterm';
import type { TerminalScreen } from './terminal-screen.ts';

/** One command as the gutter draws it, in CSS pixels from the top of the grid. */
export interface GutterRow {
  readonly number: number;
  readonly state: CommandMark['state'];
  readonly errorCount: number;
  readonly top: number;
  readonly height: number;
}
/** Marks kept without a command that claims them: echoes whose `command` message is on its way. */
const MAX_UNCLAIMED = 16;

/**
 * Which row of the screen each command began at. A mark is set while the stream passes the command's offset; the
 * numbers and states come with the gateway's messages, before or after the bytes.
 */
export class GutterMarks {
  #commands: readonly CommandMark[] = [];
  #marks = new Map<number, IMarker>();

  /** @returns offsets inside [from, to) where a command begins that has no mark yet, in order */
  offsetsIn(from: number, to: number): number[] {
    return this.#commands.map(({ offset }) => offset).filter((at) => at >= from && at < to && !this.#marks.has(at));
  }

  /** The screen stands where the stream has the given offset. */
  mark(offset: number, screen: TerminalScreen): void {
    const marker = screen.mark();
    if (marker === undefined) return;
    this.#marks.set(offset, marker);
    const known = new Set(this.#commands.map((command) => command.offset));
    const unclaimed = [...this.#marks.keys()].filter((at) => !known.has(at));
    for (const at of unclaimed.slice(0, Math.max(0, unclaimed.length - MAX_UNCLAIMED))) this.#drop(at);
  }

  set(commands: readonly CommandMark[]): void {
    this.#commands = commands;
  }
  /** One command began or changed its state. */
  put(command: CommandMark): void {
    this.#commands = [...this.#commands.filter(({ number }) => number !== command.number), command].sort(
      (a, b) => a.number - b.number,
    );
  }

  /** The screen was cleared. */
  clear(): void {
    for (const at of [...this.#marks.keys()]) this.#drop(at);
  }

  /** Line of a command in the buffer; null when it has left the scrollback. */
  lineOf(number: number): number | null {
    const offset = this.#commands.find((command) => command.number === number)?.offset;
    const marker = offset === undefined ? undefined : this.#marks.get(offset);
    return marker === undefined || marker.isDisposed ? null : marker.line;
  }

  /** Numbers of the commands that can be gone to, oldest first. */
  numbers(): number[] {
    return this.#commands.map(({ number }) => number).filter((number) => this.lineOf(number) !== null);
  }

  /** What the gutter shows now. */
  rows(screen: TerminalScreen): GutterRow[] {
    const { active } = screen.terminal.buffer;
    if (active.type === 'alternate') return [];
    const { height } = screen.cell();
    const cursor = active.baseY + active.cursorY;
    const placed = this.#commands.flatMap((command) => {
      const line = this.lineOf(command.number);
      return line === null ? [] : [{ command, line }];
    });
    return placed.flatMap(({ command, line }, index) => {
      const end = Math.max(line + 1, placed[index + 1]?.line ?? (command.endedAt === null ? cursor + 1 : cursor));
      const from = Math.max(line, active.viewportY);
      const to = Math.min(end, active.viewportY + screen.terminal.rows);
      if (to <= from || height === 0) return [];
      return [
        {
          number: command.number,
          state: command.state,
          errorCount: command.errorCount,
          top: (line - active.viewportY) * height,
          height: (end - line) * height,
        },
      ];
    });
  }

  #drop(offset: number): void {
    this.#marks.get(offset)?.dispose();
    this.#marks.delete(offset);
  }
}
