/** The lab's WinRM in front of the PowerShell stand-in, with the consoles that a test opens there. */
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

  /** `opened`, or the code that it was refused with. */
  async openCode(at: LabWsMan, options: LabConnect = {}): Promise<string> {
    return codeOf(openWsManConsole(at, options));
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
