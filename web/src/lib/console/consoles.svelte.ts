import type { OpenSession } from '@sallyport/shared/api/sessions';
import type { TerminalKind } from '@sallyport/shared/wire/control';
import { openSession } from '../api/sessions.ts';
import { router } from '../router/router.svelte.ts';
import { ConsoleSession } from './console-session.svelte.ts';

/** Ids of the open tabs, so that a reload brings all of them back. Of this browser tab only. */
const KEY = 'sallyport.tabs';
/** Size that a session is opened with; the terminal sends its own as soon as it stands. */
const FIRST_SIZE = { cols: 120, rows: 30 };

/** The language of the browser, where it is a tag that targets understand. */
const language = (): string =>
  /^[a-z]{2,8}(-[a-z0-9]{1,8}){0,4}$/i.test(navigator.language) ? navigator.language : '';
const isId = (text: string): boolean => /^[a-z2-7]{52}$/.test(text);

/** The tabs of the console. */
class Consoles {
  open = $state.raw<readonly ConsoleSession[]>([]);

  /** @returns the tab of a session, opened when there is none */
  ensure(id: string, ticket: string | null): ConsoleSession {
    const known = this.open.find((session) => session.id === id);
    if (known !== undefined) return known;
    const session = new ConsoleSession(id, ticket);
    this.#keep([...this.open, session]);
    return session;
  }

  /** Brings back the tabs of before a reload. */
  restore(): void {
    for (const id of (sessionStorage.getItem(KEY) ?? '').split(' ')) if (isId(id)) this.ensure(id, null);
  }

  /** Closes a tab. The session goes on. @returns the tab to show next, or null */
  remove(session: ConsoleSession): ConsoleSession | null {
    const at = this.open.indexOf(session);
    session.dispose();
    this.#keep(this.open.filter((other) => other !== session));
    return this.open[Math.min(Math.max(at, 0), this.open.length - 1)] ?? null;
  }

  /** Opens a session and shows it. @throws ApiError */
  async connect(
    to: OpenSession['to'],
    kind: TerminalKind,
    credential: OpenSession['credential'] = { by: 'default' },
    shell?: OpenSession['shell'],
  ): Promise<void> {
    const { sessionId, ticket } = await openSession({
      to,
      kind,
      credential,
      ...(shell && { shell }),
      ...FIRST_SIZE,
      language: language(),
    });
    this.ensure(sessionId, ticket);
    router.go({ name: 'console', id: sessionId });
  }

  /** Nobody is signed in any more. */
  clear(): void {
    for (const session of this.open) session.dispose();
    this.#keep([]);
  }

  #keep(open: readonly ConsoleSession[]): void {
    this.open = open;
    try {
      sessionStorage.setItem(KEY, open.map(({ id }) => id).join(' '));
    } catch {
      // Storage refused: a reload brings back only the tab of the address.
    }
  }
}

/** The one set of tabs of the page. */
export const consoles = new Consoles();
