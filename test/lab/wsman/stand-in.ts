/** The lab's WinRM in front of the PowerShell stand-in, with the consoles that a test opens there. */
import { WsManSettings } from '@sallyport/shared/api/wsman';
import { afterAll, afterEach, beforeEach } from 'vitest';
import { SallyportError } from '../../../server/src/errors.ts';
import type { LabConsole } from '../console.ts';
import { type BuiltStandIn, buildStandIn } from '../powershell.ts';
import { labCertificate, type LabConnect, openWsManConsole, startLabWsMan } from './console.ts';
import type { LabWsMan, LabWsManOptions } from './server.ts';

/** One a test file. `end` ends what a test has started, `remove` what all of them share. */
export class StandInWsMan {
  /** The certificate of every service that is started without another. */
  readonly tls = labCertificate();
  #standIn: BuiltStandIn | undefined;
  readonly #consoles: LabConsole[] = [];
  readonly #services: LabWsMan[] = [];

  /** Another service, beside those that are there. */
  async start(options: Partial<LabWsManOptions> = {}): Promise<LabWsMan> {
    this.#standIn ??= await buildStandIn();
    const service = await startLabWsMan({ command: this.#standIn.argv, tls: this.tls, ...options });
    this.#services.push(service);
    return service;
  }

  /** A service instead of those that are there. */
  async restart(options: Partial<LabWsManOptions>): Promise<LabWsMan> {
    await this.end();
    return this.start(options);
  }

  /** A console that is closed when the test ends. */
  async open(at: LabWsMan, options: LabConnect & { readonly console?: LabConsole } = {}): Promise<LabConsole> {
    const console = await openWsManConsole(at, options);
    this.#consoles.push(console);
    return console;
  }

  /** Forgets a console whose client is as good as killed. */
  abandon(console: LabConsole): void {
    this.#consoles.splice(this.#consoles.indexOf(console), 1);
  }

  async end(): Promise<void> {
    await Promise.all(this.#consoles.splice(0).map(closeIt));
    await Promise.all(this.#services.splice(0).map((service) => service.stop()));
  }

  remove(): void {
    this.#standIn?.remove();
  }
}

/** What the tests of a file do with the service of each. */
export interface StandInOfTests {
  /** The certificate of every service that is started without another. */
  readonly tls: StandInWsMan['tls'];
  /** Another service beside that of the test. */
  readonly start: (options?: Partial<LabWsManOptions>) => Promise<LabWsMan>;
  /** A service instead of that of the test. */
  readonly restart: (options: Partial<LabWsManOptions>) => Promise<void>;
  /** A console at the service of the test; closed when the test ends. */
  readonly open: (options?: LabConnect & { readonly console?: LabConsole }) => Promise<LabConsole>;
  /** `opened`, or the code that it was refused with. */
  readonly openCode: (options?: LabConnect) => Promise<string>;
  /** Forgets a console whose client is as good as killed. */
  readonly abandon: (console: LabConsole) => void;
}

/** For the top of a test file: each test has a service of its own, which ends with it. @param serve hears which one */
export function standInForEachTest(serve: (lab: LabWsMan) => void): StandInOfTests {
  const winrm = new StandInWsMan();
  let current: LabWsMan;
  const take = (lab: LabWsMan): void => serve((current = lab));
  beforeEach(async () => take(await winrm.start()));
  afterEach(() => winrm.end());
  afterAll(() => winrm.remove());
  return {
    tls: winrm.tls,
    start: (options) => winrm.start(options),
    restart: async (options) => take(await winrm.restart(options)),
    open: (options) => winrm.open(current, options),
    openCode: (options) => codeOf(openWsManConsole(current, options)),
    abandon: (console) => winrm.abandon(console),
  };
}

/** What a target's settings say, with Basic unless they say otherwise. */
export const settings = (more: Record<string, unknown>): { readonly settings: WsManSettings } => ({
  settings: WsManSettings.parse({ method: 'basic', ...more }),
});

/** `opened`, or the code that the attempt was refused with; what was made is closed. */
export async function codeOf(attempt: Promise<LabConsole | { close(): Promise<void> }>): Promise<string> {
  try {
    await closeIt(await attempt);
    return 'opened';
  } catch (error) {
    return error instanceof SallyportError ? error.code : String(error);
  }
}

const closeIt = async (made: LabConsole | { close(): Promise<void> }): Promise<void> => {
  if ('close' in made) await made.close();
  else await made.terminal?.close('closed_by_user', 2000);
};
