import type { CommandMark } from '@sallyport/shared/wire/control';

/** What a screen reader is told of a console. Never what is typed. design.md section 7 "Live regions". */
export class Announcer {
  polite = $state('');
  assertive = $state('');
  #last = '';
  // Nothing is drawn from it, so it need not be reactive.
  // eslint-disable-next-line svelte/prefer-svelte-reactivity
  readonly #known = new Map<number, CommandMark['state']>();

  /** A prompt that is the same as before is not said again. */
  say(text: string, isPolite: boolean): void {
    if (text.trim() === '' || (isPolite && text === this.#last)) return;
    this.#last = text;
    if (isPolite) this.polite = text;
    else this.assertive = text;
  }

  /** Says the end of each command once. */
  commands(commands: readonly CommandMark[]): void {
    for (const { number, state, errorCount } of commands) {
      const before = this.#known.get(number);
      this.#known.set(number, state);
      if (before !== 'running' && before !== 'stopping') continue;
      const errors = errorCount === 1 ? ', 1 error' : errorCount > 1 ? `, ${errorCount} errors` : '';
      if (state === 'completed') this.say(`Command ${number} done${errors}`, true);
      else if (state === 'failed' || state === 'stopped' || state === 'lost')
        this.say(`Command ${number} ${state}${errors}`, true);
    }
  }
}
