/** What lies above the page: palette, list of keys, step-up, a short message. One of each at most. */
class Layers {
  paletteOpen = $state(false);
  keysOpen = $state(false);
  /** The session whose files are shown. */
  filesOf = $state.raw<{ readonly id: string; readonly name: string } | null>(null);
  /** Set while the password is asked for again; resolves the request that waits for it. */
  stepUp = $state.raw<((confirmed: boolean) => void) | null>(null);
  toast = $state<string | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Asks for the password again. @returns whether it was confirmed */
  askStepUp(): Promise<boolean> {
    this.stepUp?.(false);
    return new Promise((resolve) => {
      this.stepUp = (confirmed) => {
        this.stepUp = null;
        resolve(confirmed);
      };
    });
  }

  /** "Copied", "Sent": said politely, gone after 4 s. Never an error. */
  say(text: string): void {
    this.toast = text;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.toast = null), 4000);
  }
}

/** The one set of layers of the page. */
export const layers = new Layers();
