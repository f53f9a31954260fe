import type { ReplayEvent } from '@sallyport/shared/api/sessions';
import type { CommandMark } from '@sallyport/shared/wire/control';
import { TerminalController } from '../terminal/terminal-controller.ts';
import type { PlayerRenderer } from './player-controller.ts';

/** What a replay needs of its page. */
export interface ReplayPorts {
  changed(): void;
  link(address: string): void;
}
interface Size {
  readonly cols: number;
  readonly rows: number;
}
const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
const nothing = (): void => undefined;
const refuse = (): boolean => false;

/** Draws a recording into the same terminal, through the same filter, as the console does. It takes no keys at all. */
export class ReplayRenderer implements PlayerRenderer {
  readonly controller: TerminalController;
  readonly #commands: readonly CommandMark[];
  readonly #size: Size;

  constructor(host: HTMLElement, size: Size, fontPx: number, commands: readonly CommandMark[], ports: ReplayPorts) {
    this.#size = size;
    this.#commands = commands;
    const mute = {
      submit: refuse,
      input: refuse,
      stop: nothing,
      answer: nothing,
      complete: nothing,
      resized: nothing,
      announce: nothing,
      askPaste: nothing,
      bell: nothing,
    };
    this.controller = new TerminalController(
      host,
      { fontPx, screenReader: false, fixedSize: size },
      { ...mute, ...ports },
    );
    this.controller.gutter.set(commands);
  }

  reset(): void {
    this.controller.restart(0);
    this.controller.screen.resize(this.#size.cols, this.#size.rows);
    this.controller.gutter.set(this.#commands);
  }

  show(event: ReplayEvent): void {
    switch (event.type) {
      case 'output':
        this.controller.output(bytesOf(event.data ?? ''), event.offset, null, nothing);
        return;
      case 'resize':
        this.controller.screen.resize(event.cols ?? this.#size.cols, event.rows ?? this.#size.rows);
        return;
      case 'clear':
        this.controller.message({ type: 'clear' });
        return;
      case 'command':
      case 'title':
      case 'note':
      case 'corrupt':
      case 'end':
        return;
    }
  }

  dispose(): void {
    this.controller.dispose();
  }
}
