import { widthProvider } from '@sallyport/shared/editor/width';
import type { WebglAddon } from '@xterm/addon-webgl';
import { Terminal, type IDisposable, type IMarker } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import { readTheme, watchTheme } from './colours.ts';

/** Lines kept above the screen. */
export const SCROLLBACK_LINES = 5000;
/** Several resizes within this time become one. line-editor.md section 7. */
const RESIZE_REST_MS = 50;

/** What xterm's own scroll bar takes at the right of the grid. */
const SCROLLBAR_PX = 14;
/** Sizes of elements are rounded by the browser; a cell is not lost for that. */
const ROUNDING = 0.001;
/** What the wire takes (shared/wire/control.ts), and what a wide character needs. */
const MIN_COLS = 2;
const MAX_COLS = 1000;
const MAX_ROWS = 500;

/** How a screen is set up. */
export interface ScreenOptions {
  readonly fontPx: number;
  readonly screenReader: boolean;
  /** Keys go to the program itself (a PTY); else xterm takes none and the line editor does. */
  readonly takesKeys: boolean;
  /** Size of a recording; null = as large as the host. */
  readonly fixedSize: { readonly cols: number; readonly rows: number } | null;
}

/** What a screen tells. */
export interface ScreenEvents {
  /** Input of a PTY: keys, pastes, mouse and answers, not yet judged. */
  data(data: string): void;
  /** Input that is bytes, one per character: old mouse reports. */
  binary(data: string): void;
  /** The host has room for another grid: take the editor's drawing off, then call `resize`. */
  room(cols: number, rows: number): void;
  /** A link was clicked: its real address, to be shown before anything is opened. */
  link(address: string): void;
  /** Rows moved or changed: marks beside the grid are to be placed anew. */
  moved(): void;
}

/** xterm as this product uses it: colours from the tokens, one width table, filter outside, no sockets. */
export class TerminalScreen {
  readonly terminal: Terminal;
  readonly #host: HTMLElement;
  readonly #isFixed: boolean;
  #disposables: IDisposable[] = [];
  #webgl: WebglAddon | null = null;
  #wantsWebgl = false;

  constructor(host: HTMLElement, options: ScreenOptions, events: ScreenEvents) {
    this.#host = host;
    this.#isFixed = options.fixedSize !== null;
    this.terminal = new Terminal({
      allowProposedApi: true, // For `unicode`: the editor and the screen must count cells by the same table.
      fontFamily: getComputedStyle(host).getPropertyValue('--mono').trim(),
      fontSize: options.fontPx,
      lineHeight: 1.15,
      theme: readTheme(host),
      minimumContrastRatio: 4.5,
      drawBoldTextInBrightColors: false,
      cursorStyle: 'block',
      cursorInactiveStyle: 'outline',
      scrollback: SCROLLBACK_LINES,
      scrollOnEraseInDisplay: true,
      screenReaderMode: options.screenReader && options.takesKeys,
      disableStdin: !options.takesKeys,
      ...(options.fixedSize ?? {}),
      linkHandler: {
        activate: (event, address) => {
          event.preventDefault();
          events.link(address);
        },
        allowNonHttpProtocols: false,
      },
    });
    this.terminal.unicode.register(widthProvider);
    this.terminal.unicode.activeVersion = widthProvider.version;
    this.terminal.open(host);
    const room = this.#isFixed ? null : this.room();
    if (room !== null) this.terminal.resize(room.cols, room.rows);
    this.#showCursor();
    this.#listen(events);
  }

  /** Puts bytes or text on the screen, in order. `done` once they are in the grid. */
  write(data: Uint8Array | string, done?: () => void): void {
    if (done === undefined) this.terminal.write(data);
    else this.terminal.write(data, done);
  }

  resize(cols: number, rows: number): void {
    this.terminal.resize(cols, rows);
  }

  /** The grid that the host has room for; null while it is hidden. */
  room(): { readonly cols: number; readonly rows: number } | null {
    const { clientWidth, clientHeight } = this.#host;
    const { width, height } = this.cell();
    if (clientWidth === 0 || !(width > 0) || !(height > 0)) return null;
    const fits = (room: number, each: number): number => Math.floor(room / each + ROUNDING);
    return {
      cols: Math.min(MAX_COLS, Math.max(MIN_COLS, fits(clientWidth - SCROLLBAR_PX, width))),
      rows: Math.min(MAX_ROWS, Math.max(1, fits(clientHeight, height))),
    };
  }

  set fontPx(px: number) {
    this.terminal.options.fontSize = px;
  }
  /** Whether xterm itself takes the keys. */
  set takesKeys(takesKeys: boolean) {
    this.terminal.options.disableStdin = !takesKeys;
  }
  /** The solid block of a focused line, or the hollow one. */
  set hasFocus(hasFocus: boolean) {
    this.terminal.options.cursorInactiveStyle = hasFocus ? 'block' : 'outline';
  }

  /** Height of a row and width of a cell in CSS pixels. */
  cell(): { readonly width: number; readonly height: number } {
    const box = this.#host.querySelector('.xterm-screen')?.getBoundingClientRect();
    return { width: (box?.width ?? 0) / this.terminal.cols, height: (box?.height ?? 0) / this.terminal.rows };
  }

  /** A mark at the row of the cursor; it moves with the text. Undefined in the alternate screen. */
  mark(): IMarker | undefined {
    return this.terminal.registerMarker(0);
  }

  /** Draws with WebGL while the pane is visible and the browser can; else with the DOM. */
  async useWebgl(isVisible: boolean): Promise<void> {
    this.#wantsWebgl = isVisible;
    if (!isVisible) this.#dropWebgl();
    if (!isVisible || this.#webgl !== null) return;
    const { WebglAddon } = await import('@xterm/addon-webgl');
    if (this.#canStartWebgl()) this.#startWebgl(new WebglAddon());
  }

  dispose(): void {
    this.#wantsWebgl = false;
    this.#dropWebgl();
    for (const one of this.#disposables) one.dispose();
    this.terminal.dispose();
  }

  /** xterm draws no cursor before it had the focus once; in line mode it never has. */
  #showCursor(): void {
    this.terminal.textarea?.dispatchEvent(new FocusEvent('focus'));
    this.terminal.textarea?.dispatchEvent(new FocusEvent('blur'));
  }

  #canStartWebgl(): boolean {
    return this.#wantsWebgl && this.#webgl === null;
  }

  #startWebgl(addon: WebglAddon): void {
    try {
      addon.onContextLoss(() => this.#dropWebgl());
      this.terminal.loadAddon(addon);
      this.#webgl = addon;
    } catch {
      addon.dispose(); // No WebGL 2 here: the DOM renderer goes on.
    }
  }

  /** Browsers keep few contexts: a hidden pane gives its own back at once, not when it is collected. */
  #dropWebgl(): void {
    const addon = this.#webgl;
    this.#webgl = null;
    if (addon === null) return;
    const canvases = [...this.#host.querySelectorAll('canvas')];
    addon.dispose();
    for (const canvas of canvases) canvas.getContext('webgl2')?.getExtension('WEBGL_lose_context')?.loseContext();
  }

  #listen(events: ScreenEvents): void {
    let rest: ReturnType<typeof setTimeout> | undefined;
    const look = (): void => {
      const size = this.room();
      const { cols, rows } = this.terminal;
      if (size !== null && (size.cols !== cols || size.rows !== rows)) events.room(size.cols, size.rows);
    };
    const observer = new ResizeObserver(() => {
      clearTimeout(rest);
      rest = setTimeout(look, RESIZE_REST_MS);
    });
    if (!this.#isFixed) observer.observe(this.#host);
    const stopTheme = watchTheme(() => (this.terminal.options.theme = readTheme(this.#host)));
    this.#disposables = [
      this.terminal.onData((data) => events.data(data)),
      this.terminal.onBinary((data) => events.binary(data)),
      this.terminal.onScroll(() => events.moved()),
      this.terminal.onRender(() => events.moved()),
      { dispose: () => observer.disconnect() },
      { dispose: () => clearTimeout(rest) },
      { dispose: stopTheme },
    ];
  }
}
