/** Runs jobs one after the other: at once when nothing is under way, else in order. A job calls `next` when it is done. */
export class Serial {
  #jobs: ((next: () => void) => void)[] = [];
  #isBusy = false;

  get isBusy(): boolean {
    return this.#isBusy;
  }

  push(job: (next: () => void) => void): void {
    this.#jobs.push(job);
    if (!this.#isBusy) this.#run();
  }

  #run(): void {
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      this.#isBusy = true;
      const turn = { isSync: true, isDone: false };
      job(() => {
        if (turn.isDone) return;
        turn.isDone = true;
        this.#isBusy = false;
        if (!turn.isSync) this.#run();
      });
      turn.isSync = false;
      if (this.isBusy) return;
    }
  }
}
