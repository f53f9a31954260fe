/** One gateway, one machine to go to, one browser: what every test of the page starts from. */
import type { Target } from '@sallyport/shared/api/targets';
import type { TerminalKind } from '@sallyport/shared/wire/control';
import { startBrowser, type LabBrowser, type Tab, type TabOptions } from '../lab/browser.ts';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { LAB_PASSWORD, startGateway, type GatewayOptions, type LabGateway, type Person } from '../lab/gateway.ts';
import { acceptHostKey, addLabTarget } from '../lab/journeys.ts';
import { startSshd, type LabSshd } from '../lab/sshd.ts';

/** A person at a prompt: what the shell of the lab's user shows. */
export const SHELL_PROMPT = /[$#] ?$/;
export const PS_PROMPT = /PS [^>]*> ?$/;

export class World {
  readonly gateway: LabGateway;
  readonly sshd: LabSshd;
  readonly browser: LabBrowser;
  /** The first administrator, over the API. */
  readonly ann: Person;
  readonly target: Target;

  private constructor(gateway: LabGateway, sshd: LabSshd, browser: LabBrowser, ann: Person, target: Target) {
    this.gateway = gateway;
    this.sshd = sshd;
    this.browser = browser;
    this.ann = ann;
    this.target = target;
  }

  /** A gateway with an administrator and one target whose host key is pinned. */
  static async start(options: GatewayOptions = {}): Promise<World> {
    const [gateway, sshd, browser] = await Promise.all([startGateway(options), startSshd(), startBrowser()]);
    const ann = await gateway.setUp();
    const target = await addLabTarget(ann, sshd);
    const first = await ConsolePage.open(ann, openBody(target.id, 'pty'));
    await acceptHostKey(first);
    await first.untilLive();
    first.send({ type: 'close' });
    await first.untilClosed();
    return new World(gateway, sshd, browser, ann, target);
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await this.gateway.stop();
    await this.sshd.stop();
  }

  /** A window of the administrator, signed in, at a path such as `/sessions`. */
  async signedIn(path = '/', options: TabOptions = {}): Promise<Tab> {
    return this.browser.open(`${this.gateway.url}${path}`, { ...options, cookies: [this.cookie()] });
  }

  /** The administrator's login, for a window. */
  cookie(): { name: string; value: string; url: string } {
    const [name = '', value = ''] = (this.ann.cookie ?? '').split('=');
    return { name, value, url: this.gateway.url };
  }

  /** Opens a console from "Where to?" in this window and waits for the prompt. @returns the session's id */
  async openConsole(tab: Tab, kind: TerminalKind): Promise<string> {
    await tab.page.getByRole('button', { name: kind === 'pty' ? /^Shell +at lab/ : /^PowerShell +at lab/ }).click();
    await tab.seen(kind === 'pty' ? SHELL_PROMPT : PS_PROMPT);
    return sessionOf(tab);
  }
}

/** Id of the session in the address. */
export const sessionOf = (tab: Tab): string => new URL(tab.page.url()).pathname.split('/').at(-1) ?? '';

/** Signs in by hand, as a person at the sign-in page does. */
export async function signInByHand(tab: Tab, name = 'ann'): Promise<void> {
  await tab.page.getByLabel('User name').fill(name);
  await tab.page.getByLabel('Password', { exact: true }).fill(LAB_PASSWORD);
  await tab.page.keyboard.press('Enter');
}

/**
 * Notes where the keyboard is whenever a dialog leaves the page, before the page can take another key: a key is a task
 * of its own, the note is taken in the turn of the change. @returns reads the notes: names of the elements
 */
export async function focusWhenLayersLeave(tab: Tab): Promise<() => Promise<string[]>> {
  const watched = await tab.page.evaluateHandle(() => {
    const notes: string[] = [];
    new MutationObserver((records) => {
      const gone = records.flatMap(({ removedNodes }) => [...removedNodes]);
      const isLayer = (node: Node): boolean =>
        node instanceof Element && (node.matches('[role=dialog]') || node.querySelector('[role=dialog]') !== null);
      const focused = document.activeElement;
      if (gone.some(isLayer)) notes.push(focused?.getAttribute('aria-label') ?? focused?.tagName ?? 'nothing');
    }).observe(document.body, { childList: true, subtree: true });
    return notes;
  });
  return () => watched.jsonValue();
}
