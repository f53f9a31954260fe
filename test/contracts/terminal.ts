/** What every terminal must do. Run it with `terminalContract('pty', async () => fixture)`. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Terminal } from '../../server/src/terminals/contract.ts';
import type { LabConsole } from '../lab/console.ts';
import { stopWatch } from './eventually.ts';

export interface TerminalFixture {
  /** A terminal of 80 x 24 that is ready for a command; the suite closes it. */
  open(): Promise<{ terminal: Terminal; console: LabConsole }>;
  /** Runs a command as a person would; does not wait for it. */
  run(terminal: Terminal, console: LabConsole, command: string): void;
  readonly commands: {
    /** Prints the sum, so that the echo of the command is not mistaken for its output. */
    sum(a: number, b: number): string;
    /** Prints columns and rows as `SIZE cols rows`. */
    readonly size: string;
    /** Prints the numbers from 1 to `n`, each in its own line, then `END` and nothing else. */
    count(n: number): string;
    /** How far to count to have some hundred pieces of output, in each of which there may be a pause. */
    readonly far: number;
    /** Prints `GO` and then waits for a minute. */
    readonly sleep: string;
    /** Prints without end. */
    readonly flood: string;
    exit(code: number): string;
  };
  stop(): Promise<void>;
}

/** Registers the suite. */
export function terminalContract(name: string, setup: () => Promise<TerminalFixture>): void {
  describe(`terminal contract: ${name}`, () => {
    let fixture: TerminalFixture;
    const terminals: Terminal[] = [];
    const open = async (): Promise<{ terminal: Terminal; console: LabConsole; run: (command: string) => void }> => {
      const { terminal, console } = await fixture.open();
      terminals.push(terminal);
      return { terminal, console, run: (command) => fixture.run(terminal, console, command) };
    };
    /** The target is at a prompt again: it answers. */
    const isAlive = async (console: LabConsole, run: (command: string) => void): Promise<void> => {
      run(fixture.commands.sum(1200, 34));
      await console.until(() => console.text.includes('1234'));
    };
    beforeAll(async () => {
      fixture = await setup();
    });
    afterEach(async () => {
      await Promise.all(terminals.splice(0).map((terminal) => terminal.close('closed_by_user', 3000)));
    });
    afterAll(() => fixture.stop());

    it('shows what a command prints', async () => {
      const { console, run } = await open();
      await isAlive(console, run);
    });

    it('ends with the exit code of the target, once and last', async () => {
      const { console, run } = await open();
      run(fixture.commands.exit(7));
      await console.until(() => console.end !== null);
      expect(console.end).toMatchObject({ reason: 'exited', exitCode: 7 });
    });

    it('stops what runs and lives on', async () => {
      const { terminal, console, run } = await open();
      run(fixture.commands.sleep);
      await console.until(() => /^GO/m.test(console.text));
      terminal.stop();
      await isAlive(console, run);
      expect(console.end).toBeNull();
    });

    it('gives the target each new size', async () => {
      const { terminal, console, run } = await open();
      run(fixture.commands.size);
      await console.until(() => console.text.includes('SIZE 80 24'));
      terminal.resize(101, 31);
      run(fixture.commands.size);
      await console.until(() => console.text.includes('SIZE 101 31'));
    });

    it('shows nothing while it is paused, and everything after, in order', async () => {
      const { terminal, console, run } = await open();
      let isPaused = false;
      let broken = 0;
      let pauses = 0;
      const output = console.output.bind(console);
      console.output = (bytes) => {
        if (isPaused) broken += 1;
        output(bytes);
        if (++pauses % 3 !== 0) return;
        isPaused = true;
        terminal.pause();
        setImmediate(() => {
          isPaused = false;
          terminal.resume();
        });
      };
      const { far } = fixture.commands;
      run(fixture.commands.count(far));
      await console.until(() => /^END/m.test(console.text));
      const numbers = [...console.text.matchAll(/^(\d+)\r?$/gm)].map(([, number]) => Number(number));
      expect(numbers).toEqual(Array.from({ length: far }, (_, i) => i + 1));
      expect(broken).toBe(0);
      expect(pauses).toBeGreaterThanOrEqual(3);
    });

    it.each(['flooding', 'flooding and paused', 'idle'])('closes in time when it is %s, once', async (state) => {
      const { terminal, console, run } = await open();
      if (state !== 'idle') {
        run(fixture.commands.flood);
        await console.until(() => console.bytes > 200_000);
      }
      if (state.endsWith('paused')) terminal.pause();
      const watched = stopWatch();
      await Promise.all([terminal.close('terminated', 2000), terminal.close('closed_by_user', 2000)]);
      expect(console.end?.reason).toBe('terminated');
      // Deadline, then the hard close.
      expect(watched()).toBeLessThan(10_000);
      const { bytes } = console;
      terminal.input(Buffer.from('x'));
      terminal.submit(99, 'x');
      terminal.resize(80, 24);
      terminal.pause();
      terminal.resume();
      terminal.stop();
      await new Promise((resolve) => setImmediate(resolve));
      expect(console.bytes).toBe(bytes);
    });

    it('answers a completion, if only with nothing', async () => {
      const { terminal } = await open();
      const found = await terminal.complete('nosuchthingatall', 16, AbortSignal.abort());
      expect(found.matches).toEqual([]);
    });
  });
}
