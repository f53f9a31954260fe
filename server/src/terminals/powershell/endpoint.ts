/** What an endpoint can do: whether a console works there, and whether it takes script. interactive.md 1, 11. */
import { PsObject, toBoolean, toDictionary, toText } from '@sallyport/psrp';
import type { PsValue } from '@sallyport/psrp';
import type { Clock } from '../../clock.ts';
import type { Jobs } from './jobs.ts';
import type { CommandTable, KnownCommand } from './simple-commands.ts';

/** Without these a line cannot be shown and the session cannot be left. */
const REQUIRED = ['Out-Default', 'Exit-PSSession'] as const;

const EXAMINE_MS = 5_000;

/** What was found out. */
export type Endpoint =
  /** Script, or nothing that says otherwise. */
  | { readonly kind: 'full' }
  /** Commands only, these. */
  | { readonly kind: 'restricted'; readonly commands: CommandTable }
  | { readonly kind: 'not_interactive' };

function knownCommand(value: PsValue): KnownCommand | null {
  const name = value instanceof PsObject ? value.getString('Name') : null;
  if (name === null || !(value instanceof PsObject)) return null;
  const parameters = [...(toDictionary(value.get('Parameters'))?.entries() ?? [])].map(([key, each]) => ({
    name: toText(key) ?? '',
    isSwitch: each instanceof PsObject && toBoolean(each.get('SwitchParameter') ?? null) === true,
  }));
  return { name, parameters };
}

/** @returns null when the endpoint did not answer as it should */
function commandsOf(jobs: Jobs, names: readonly string[] | null, send: () => void): Promise<CommandTable | null> {
  return new Promise((resolve) => {
    const found = new Map<string, KnownCommand>();
    let hasCount = false;
    jobs.commandMetadata(names, (event) => {
      if (event.type === 'output') {
        hasCount ||= event.value instanceof PsObject && event.value.get('Count') !== undefined;
        const command = knownCommand(event.value);
        if (command !== null) found.set(command.name.toLowerCase(), command);
      } else if (event.type === 'pipelineState') resolve(hasCount ? found : null);
    });
    send();
  });
}

/** True when a script is refused for being one. */
function refusesScript(jobs: Jobs, send: () => void): Promise<boolean> {
  return new Promise((resolve) => {
    const script = { command: '$ExecutionContext.SessionState.LanguageMode', isScript: true };
    jobs.start([script], {}, (event) => {
      if (event.type !== 'pipelineState') return;
      resolve(event.state === 'Failed' && event.error?.fullyQualifiedErrorId.startsWith('ScriptsNotAllowed') === true);
    });
    send();
  });
}

async function examine(jobs: Jobs, isBare: boolean, send: () => void): Promise<Endpoint> {
  const commands = await commandsOf(jobs, isBare ? null : REQUIRED, send);
  // No answer: without a prompt function it is no console, with one it is tried.
  if (commands === null) return { kind: isBare ? 'not_interactive' : 'full' };
  if (!REQUIRED.every((name) => commands.has(name.toLowerCase()))) return { kind: 'not_interactive' };
  return isBare && (await refusesScript(jobs, send)) ? { kind: 'restricted', commands } : { kind: 'full' };
}

/**
 * What does not answer in time is taken for a full console.
 * @param isBare there is no prompt function: all commands are asked for, and whether script is taken
 * @param send writes what the pool has to say
 */
export async function examineEndpoint(jobs: Jobs, isBare: boolean, clock: Clock, send: () => void): Promise<Endpoint> {
  let cancel = (): void => undefined;
  const late = new Promise<Endpoint>((resolve) => {
    cancel = clock.after(EXAMINE_MS, () => resolve({ kind: 'full' }));
  });
  // The pool may go between two questions; then there is nothing to find out.
  const seen = examine(jobs, isBare, send).catch((): Endpoint => ({ kind: 'full' }));
  const endpoint = await Promise.race([seen, late]);
  cancel();
  return endpoint;
}
