/**
 * A real Chromium for the tests of the page. `const browser = await startBrowser(); const tab = await browser.open(url);`
 * The terminal is drawn by the DOM renderer unless `webgl` is asked for, so that a test can read what the screen shows.
 */
import { existsSync } from 'node:fs';
import { parseServerFrame } from '@sallyport/shared/wire/frames';
import { ClientMessage, ServerMessage } from '@sallyport/shared/wire/control';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';

const PROGRAMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
/** How long a step of a person may take before the test says what it saw instead. */
export const STEP_MS = 30_000;

export interface TabOptions {
  readonly width?: number;
  readonly height?: number;
  readonly theme?: 'light' | 'dark';
  /** Cookies of this tab's person are shared with it. */
  readonly beside?: Tab;
  readonly timezoneId?: string;
  /** A finger in place of a mouse, as on a phone. */
  readonly touch?: boolean;
  readonly cookies?: readonly { readonly name: string; readonly value: string; readonly url: string }[];
}

/** One window of one person. */
export class Tab {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of the console, uncaught exceptions and violations of the content security policy. */
  readonly faults: string[] = [];
  /** Terminal bytes that came over the newest socket, and the offset of the first. */
  bytes: Buffer[] = [];
  offset = 0;
  /** Terminal bytes over all sockets of the window. */
  received = 0;
  readonly messages: ServerMessage[] = [];
  /** Sizes that the page asked for over the newest socket, as `columns x rows`. */
  sizes: string[] = [];

  constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.setDefaultTimeout(STEP_MS);
    page.on('console', (message) => {
      if (message.type() === 'error') this.faults.push(`${message.text()} (${message.location().url})`);
    });
    page.on('pageerror', (error) => this.faults.push(error.stack ?? error.message));
    page.on('websocket', (socket) => {
      this.sizes = [];
      socket.on('framereceived', ({ payload }) => this.#frame(payload));
      socket.on('framesent', ({ payload }) => this.#sent(payload));
    });
  }

  /** What the screen of the visible terminal shows, a line per row, without blanks at the ends. */
  async screen(): Promise<string> {
    const rows = this.page.locator('[role=tabpanel]:not([hidden]) .xterm-rows > div, .stage .xterm-rows > div');
    const lines = await rows.evaluateAll((found) =>
      found.map((row) => row.textContent.replaceAll('\u00a0', ' ').trimEnd()),
    );
    return lines.join('\n').trimEnd();
  }

  /** Waits until the screen shows it. @throws Error with the screen when it does not in time */
  async seen(part: string | RegExp, ms = STEP_MS): Promise<string> {
    const until = Date.now() + ms;
    for (;;) {
      const screen = await this.screen();
      if (typeof part === 'string' ? screen.includes(part) : part.test(screen)) return screen;
      if (Date.now() > until)
        throw new Error(`${String(part)}: not on the screen:\n${screen}\nfaults: ${this.faults.join('\n')}`);
      await this.#frameOfPage();
    }
  }

  /** Waits for something that is not on the screen. @throws Error with the last messages when it does not come */
  async until(check: () => boolean, what: string, ms = STEP_MS): Promise<void> {
    const until = Date.now() + ms;
    while (!check()) {
      if (Date.now() > until) throw new Error(`${what}: not seen; ${JSON.stringify(this.messages.slice(-5))}`);
      await this.#frameOfPage();
    }
  }

  /** Types a line, as keys, once there is a cursor to type at. */
  async line(text: string): Promise<void> {
    await this.page.locator('textarea:focus, input:focus').waitFor({ state: 'attached' });
    await this.page.keyboard.type(text);
    await this.page.keyboard.press('Enter');
  }

  /** Output bytes of the newest socket, from `offset` on. */
  output = (): Buffer => Buffer.concat(this.bytes);

  /** A frame of the page is the smallest step in which its screen can change. */
  async #frameOfPage(): Promise<void> {
    await this.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => resolve(null))));
  }

  #sent(payload: string | Buffer): void {
    if (typeof payload !== 'string') return;
    const message = ClientMessage.parse(JSON.parse(payload));
    if (message.type === 'attach' || message.type === 'resume' || message.type === 'resize')
      this.sizes.push(`${String(message.cols)} x ${String(message.rows)}`);
  }

  #frame(payload: string | Buffer): void {
    if (typeof payload === 'string') {
      const message = ServerMessage.parse(JSON.parse(payload));
      this.messages.push(message);
      if (message.type === 'attached') {
        this.bytes = [];
        this.offset = message.offset;
      }
      return;
    }
    const frame = parseServerFrame(payload);
    if (frame === null) return;
    this.bytes.push(Buffer.from(frame.bytes));
    this.received += frame.bytes.length;
  }
}

export interface LabBrowser {
  /** A new window with cookies of its own (or those of `beside`). */
  open(address: string, options?: TabOptions): Promise<Tab>;
  close(): Promise<void>;
}

/** Starts Chromium. @throws Error when none is installed */
export async function startBrowser(options: { readonly webgl?: boolean } = {}): Promise<LabBrowser> {
  const executablePath = process.env['CHROMIUM'] ?? PROGRAMS.find((file) => existsSync(file));
  if (executablePath === undefined) throw new Error('no Chromium: apt-get install chromium');
  const browser: Browser = await chromium.launch({
    executablePath,
    args: [
      // Chromium refuses its sandbox to root; what it opens here is this project's own page.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ...(options.webgl === true ? ['--use-angle=swiftshader', '--enable-unsafe-swiftshader'] : ['--disable-3d-apis']),
    ],
  });
  return {
    async open(
      address,
      {
        width = 1280,
        height = 800,
        theme = 'light',
        beside,
        timezoneId = 'Europe/Berlin',
        touch = false,
        cookies = [],
      } = {},
    ) {
      const context =
        beside?.context ??
        (await browser.newContext({
          viewport: { width, height },
          colorScheme: theme,
          timezoneId,
          locale: 'en-GB',
          hasTouch: touch,
          isMobile: touch,
        }));
      await context.addCookies([...cookies]);
      const page = await context.newPage();
      if (beside !== undefined) await page.setViewportSize({ width, height });
      const tab = new Tab(context, page);
      await page.goto(address);
      return tab;
    },
    close: () => browser.close(),
  };
}
