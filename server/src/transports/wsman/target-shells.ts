/** What is asked about the shells of a target beside the traffic of a session: which there are, and one of them. */
import {
  COMMAND_RESOURCE,
  OPERATIONS,
  POWERSHELL_RESOURCE,
  Requests,
  SHELL_RESOURCE,
  WsManFaultError,
} from '@sallyport/wsman';
import type {
  CommandInfo,
  ConnectResponse,
  EnumerateResponse,
  Operation,
  RequestTarget,
  ShellInfo,
} from '@sallyport/wsman';
import { visibleText } from '@sallyport/shared/terminal-output/visible-text';
import { SallyportError } from '../../errors.ts';
import { type EnvelopeSize, isSizeRefused } from './envelope-size.ts';
import { toWsManTransportError } from './errors.ts';

/** Parts of one list; more than a person could have shells. */
const MAX_PULLS = 20;
/** Shells of one list: a user has 30 at the most where nobody has changed that. Each is asked about. */
const MAX_SHELLS = 200;
/** Characters of one text of a list. */
const MAX_SHOWN = 256;

/** A PowerShell shell that the target keeps for the user. */
export interface TargetShell {
  readonly shellId: string;
  readonly poolId: string;
  readonly name: string | null;
  readonly owner: string | null;
  /** For example `Microsoft.PowerShell`. */
  readonly configurationName: string;
  readonly state: 'Connected' | 'Disconnected';
  readonly clientIp: string | null;
  /** It is ended after this without a client; null = not told. */
  readonly idleTimeoutMs: number | null;
  /** How long nothing was asked of it. */
  readonly inactivityMs: number | null;
  readonly runTimeMs: number | null;
  readonly memoryUsed: string | null;
  /** What runs there, or waits to be fetched; null = the target did not tell. */
  readonly commands: readonly CommandInfo[] | null;
}

/** `MACHINE\\ann`, `CORP\\ann`, `ann@corp.example` and `ann`: the name alone, for comparing. */
const bareName = (user: string): string => (user.split('\\').at(-1) ?? '').split('@')[0]?.toLowerCase() ?? '';

/** Asks one thing after the other. Errors are those of the transport. */
export class TargetShells {
  readonly #requests: Requests;
  readonly #post: (envelope: Uint8Array) => Promise<Uint8Array>;

  readonly #size: EnvelopeSize;

  constructor(requests: Requests, size: EnvelopeSize, post: (envelope: Uint8Array) => Promise<Uint8Array>) {
    this.#requests = requests;
    this.#size = size;
    this.#post = post;
  }

  /** @param user only shells of this name; '' = of whoever signed in */
  async list(user: string): Promise<TargetShell[]> {
    const shells = (await this.#all(SHELL_RESOURCE, null)).flatMap(({ shells: some }) => some);
    // A shell that comes and goes while the parts are asked for may be in two of them.
    const once = new Map(shells.map((shell) => [shell.shellId, shell]));
    const own = [...once.values()].filter(
      ({ resourceUri, owner }) =>
        resourceUri?.startsWith(POWERSHELL_RESOURCE) === true &&
        (user === '' || owner === null || bareName(owner) === bareName(user)),
    );
    if (own.length > MAX_SHELLS) throw new SallyportError('wsman_too_large', 'a list of more than 200 shells');
    const listed: TargetShell[] = [];
    for (const shell of own) {
      const commands = await this.commandsOf(shell.shellId);
      // It went between the two questions.
      if (commands !== 'gone') listed.push(toTargetShell(shell, commands));
    }
    return listed;
  }

  /** null = the target does not tell. */
  async commandsOf(shellId: string): Promise<readonly CommandInfo[] | 'gone' | null> {
    try {
      return (await this.#all(COMMAND_RESOURCE, shellId)).flatMap(({ commands }) => commands);
    } catch (error) {
      if (!(error instanceof SallyportError && error.cause instanceof WsManFaultError)) throw error;
      return error.cause.explanation.kind === 'gone' ? 'gone' : null;
    }
  }

  get(shellId: string): Promise<ShellInfo> {
    return this.#ask(OPERATIONS.getShell, null, { resourceUri: SHELL_RESOURCE, selectors: Requests.shell(shellId) });
  }
  /** Ends what runs there, whoever holds it. @returns false when there is none of that id */
  async delete(shellId: string): Promise<boolean> {
    try {
      const { resourceUri } = await this.get(shellId);
      const selectors = Requests.shell(shellId);
      const place = resourceUri?.startsWith(POWERSHELL_RESOURCE) === true ? { resourceUri, selectors } : { selectors };
      await this.#ask(OPERATIONS.deleteShell, null, place);
      return true;
    } catch (error) {
      if (error instanceof SallyportError && error.code === 'target_shell_gone') return false;
      throw error;
    }
  }
  /** As the client that holds it. */
  async disconnect(place: RequestTarget): Promise<void> {
    await this.#ask(OPERATIONS.disconnect, { idleTimeoutMs: null, bufferMode: null }, place);
  }
  /** @param connectXml SESSION_CAPABILITY and CONNECT_RUNSPACEPOOL */
  connect(place: RequestTarget, connectXml: Uint8Array, protocolVersion = '2.3'): Promise<ConnectResponse> {
    return this.#ask(OPERATIONS.connect, { commandId: null, protocolVersion, connectXml }, place);
  }

  async #all(resourceUri: string, commandsOf: string | null): Promise<EnumerateResponse[]> {
    const parts = [await this.#ask(OPERATIONS.enumerate, { commandsOf }, { resourceUri })];
    for (let pulls = 0; pulls < MAX_PULLS; pulls++) {
      const context = parts.at(-1)?.context ?? null;
      if (context === null) break;
      parts.push(await this.#ask(OPERATIONS.pull, { context }, { resourceUri }));
    }
    return parts;
  }

  async #ask<Request, Response>(
    operation: Operation<Request, Response>,
    request: Request,
    target: RequestTarget,
  ): Promise<Response> {
    const { bytes: maxEnvelopeBytes } = this.#size;
    try {
      const prepared = this.#requests.prepare(operation, request, { ...target, maxEnvelopeBytes });
      return this.#requests.read(prepared, await this.#post(prepared.bytes));
    } catch (error) {
      const isRefused = error instanceof WsManFaultError && isSizeRefused(error);
      if (isRefused && this.#size.lower(maxEnvelopeBytes)) return this.#ask(operation, request, target);
      throw toWsManTransportError(error);
    }
  }
}

/** In the target's words, for a list. */
const shown = (text: string | null): string | null => (text === null ? null : visibleText(text, MAX_SHOWN, false));

function toTargetShell(shell: ShellInfo, commands: readonly CommandInfo[] | null): TargetShell {
  const { shellId, name, owner, clientIp, idleTimeoutMs, inactivityMs, runTimeMs, memoryUsed } = shell;
  return {
    ...{ shellId, poolId: shellId.toLowerCase(), idleTimeoutMs, inactivityMs, runTimeMs, memoryUsed, commands },
    ...{ name: shown(name), owner: shown(owner), clientIp: shown(clientIp) },
    configurationName: visibleText((shell.resourceUri ?? '').slice(POWERSHELL_RESOURCE.length), MAX_SHOWN, false),
    state: shell.state === 'Disconnected' ? 'Disconnected' : 'Connected',
  };
}
