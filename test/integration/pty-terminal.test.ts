/** A shell of a real sshd behind the PTY terminal: what a person at a console relies on. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../server/src/clock.ts';
import type { Terminal } from '../../server/src/terminals/contract.ts';
import { openPtyTerminal } from '../../server/src/terminals/pty.ts';
import { stopWatch } from '../contracts/eventually.ts';
import { LabConsole, memoryInUse } from '../lab/console.ts';
import { connectLab } from '../lab/ssh-target.ts';
import { startSshd, type LabSshd } from '../lab/sshd.ts';

const MIB = 1024 * 1024;
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
let lab: LabSshd;
let files: string;
beforeAll(async () => {
  lab = await startSshd({ subsystem: null });
  files = mkdtempSync(path.join(tmpdir(), 'sallyport-pty-'));
  chmodSync(files, 0o755);
});
afterAll(async () => {
  rmSync(files, { recursive: true, force: true });
  await lab.stop();
});

/** Keeps the bytes as they came, and the end of the text. */
class ByteConsole extends LabConsole {
  readonly chunks: Buffer[] = [];
  isKeeping = true;
  override output(bytes: Uint8Array): void {
    if (this.isKeeping) this.chunks.push(Buffer.from(bytes));
    this.text = this.text.slice(-64 * 1024);
    super.output(bytes);
  }
  buffer(): Buffer {
    return Buffer.concat(this.chunks);
  }
}
let terminal: Terminal;
let person: ByteConsole;
async function open(size = { cols: 80, rows: 24 }): Promise<void> {
  person = new ByteConsole();
  const connection = await connectLab(lab);
  terminal = await openPtyTerminal({ connection, ...size, events: person, clock: systemClock });
  // A shell without a line editor of its own, so that every byte seen is one that a command wrote.
  type('stty -echo; PS1= PS2= exec sh\n');
  type('echo rea""dy\n');
  await sees('ready\r\n');
}
afterEach(() => terminal.close('closed_by_user', 2000));
const type = (text: string | Uint8Array): void => terminal.input(Buffer.from(text));
/** Runs a script of its own, so that nothing of it is in what is seen. */
function runScript(script: string): void {
  writeFileSync(path.join(files, 'script'), script, { mode: 0o644 });
  type(`sh ${files}/script\n`);
}
const sees = (part: string): Promise<void> => person.until(() => person.text.includes(part));

describe('size', () => {
  it('is what was asked for, and the program is told of each change', async () => {
    await open({ cols: 132, rows: 43 });
    runScript("trap 'stty size; echo WINCH' WINCH; stty size; echo start; while :; do sleep 0.05; done");
    await sees('43 132\r\nstart');
    terminal.resize(300, 90);
    await sees('90 300\r\nWINCH');
  });
  it('that cannot be is made one that can', async () => {
    await open({ cols: 0, rows: 1e9 });
    type('stty size\n');
    await sees('4096 1\r\n');
  });
});

describe('signals and ends', () => {
  it.each([
    ['Ctrl+C', () => type('\x03')],
    ['stop()', () => terminal.stop()],
  ])('interrupts with %s', async (_name, interrupt) => {
    await open();
    runScript("trap 'echo GOT INT; exit' INT; echo waiting; while :; do sleep 0.05; done");
    await sees('waiting');
    interrupt();
    await sees('GOT INT');
  });
  it.each([0, 1, 7, 255])('tells the exit status %i', async (code) => {
    await open();
    type(`exit ${String(code)}\n`);
    await person.until(() => person.end !== null);
    expect(person.end).toEqual({ reason: 'exited', exitCode: code, detail: '' });
  });
  it.each(['TERM', 'KILL', 'HUP', 'SEGV'])('tells the signal %s that ended the shell', async (signal) => {
    await open();
    // bash ignores TERM at a prompt.
    type(`exec sh -c 'kill -${signal} $$'\n`);
    await person.until(() => person.end !== null);
    expect(person.end).toEqual({ reason: 'exited', exitCode: null, detail: `ended by signal ${signal}` });
  });
  it('ends a program that does not listen, in time', async () => {
    await open();
    runScript("trap '' HUP INT TERM; echo deaf; while :; do sleep 0.1; done");
    await sees('deaf');
    const watched = stopWatch();
    await terminal.close('terminated', 300);
    expect(person.end?.reason).toBe('terminated');
    expect(watched()).toBeLessThan(8000);
  });
  it('says lost when the target dies, with what had come before', async () => {
    await open();
    type('echo bef""ore\n');
    await sees('before');
    type('kill -KILL $PPID\n');
    await person.until(() => person.end !== null);
    expect(person.end?.reason).toBe('target_lost');
  });
});

describe('bytes', () => {
  it('passes all 256, and text split at any byte, as they are', async () => {
    await open();
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const text = Buffer.from('é€😀e\u0301\u200d👩\u200d👩\u200d👧中');
    writeFileSync(path.join(files, 'all'), Buffer.concat([all, text]), { mode: 0o644 });
    writeFileSync(path.join(files, 'text'), text, { mode: 0o644 });
    const start = person.bytes + all.length + text.length;
    type(`stty raw; cat ${files}/all; for i in $(seq ${String(text.length)}); do `);
    type(`head -c $i ${files}/text; read -r go; tail -c +$((i + 1)) ${files}/text; done; printf END\n`);
    for (let split = 1; split <= text.length; split++) {
      // The rest is sent when this piece is here, and nothing else: the split is real at each byte.
      const upTo = start + (split - 1) * text.length + split;
      await person.until(() => person.bytes >= upTo);
      expect(person.bytes).toBe(upTo);
      type('\n');
    }
    await sees('END');
    const seen = person.buffer();
    const expected = Buffer.concat([all, text, ...Array.from({ length: text.length }, () => text), Buffer.from('END')]);
    expect(seen.subarray(seen.length - expected.length).equals(expected)).toBe(true);
  });
  it('takes typed text split at any byte', async () => {
    await open();
    const text = 'é€😀中';
    type('read -r line; echo "<$line>"; echo -n "$line" | od -An -tx1 | tr -d " \\n"; echo .\n');
    for (const byte of Buffer.from(`${text}\n`)) terminal.input(Uint8Array.of(byte));
    await sees(`<${text}>`);
    await sees(`${Buffer.from(text).toString('hex')}.`);
  });
  it('leaves the alternate screen and every other sequence to the page', async () => {
    await open();
    const sequences = '\x1b[?1049h\x1b[2J\x1b[H\x1b[31mfull\x1b[0m\x1b]0;title\x07\x1b[?1049l';
    type(`printf '${sequences.replaceAll('\x1b', '\\033').replaceAll('\x07', '\\007')}'; echo END\n`);
    await sees('END');
    expect(person.text).toContain(`${sequences}END`);
    expect(person.titles).toEqual([]);
  });
  it('keeps every byte of 8 MiB of binary output', async () => {
    await open();
    const sent = randomBytes(8 * MIB);
    writeFileSync(path.join(files, 'random'), sent, { mode: 0o644 });
    type(`stty raw; cat ${files}/random; printf END_OF_IT\n`);
    await person.until(() => person.text.endsWith('END_OF_IT'));
    const seen = person.buffer();
    expect(sha(seen.subarray(seen.length - 9 - sent.length, -9))).toBe(sha(sent));
  });
});

describe('a slow reader', () => {
  it('stops the target and does not grow memory', async () => {
    await open();
    person.isKeeping = false;
    type('yes 0123456789012345678901234567890123456789012345678901234567890123456789 | head -c 33554432; echo END\n');
    await person.until(() => person.bytes > MIB);
    terminal.pause();
    const before = person.bytes;
    const memory = memoryInUse();
    // Round trips of another connection: the time in which a target that were not stopped would have sent it all.
    const other = await connectLab(lab);
    const echo = new LabConsole();
    const neighbour = await openPtyTerminal({
      connection: other,
      cols: 80,
      rows: 24,
      events: echo,
      clock: systemClock,
    });
    neighbour.input(Buffer.from('stty -echo; PS1=; for i in $(seq 40); do sleep 0.02; echo tick $i; done\n'));
    await echo.until(() => echo.text.includes('tick 40'));
    await neighbour.close('closed_by_user', 2000);
    expect(person.bytes).toBe(before);
    // The window of the channel is 2 MiB; what is above that is noise of the heap.
    expect(memoryInUse() - memory).toBeLessThan(12 * MIB);
    terminal.resume();
    await person.until(() => person.text.endsWith('END\r\n'));
    expect(person.bytes).toBeGreaterThan(32 * MIB);
  });
  it('that never comes back does not keep the terminal from closing', async () => {
    await open();
    type('yes\n');
    await person.until(() => person.bytes > MIB);
    terminal.pause();
    await terminal.close('detached_too_long', 60_000);
    expect(person.end?.reason).toBe('detached_too_long');
  });
});

describe('input', () => {
  it('that the target does not take is refused above 1 MiB, and that is said once', async () => {
    await open();
    type('stty raw; echo st""op; sleep 60\n');
    await sees('stop');
    const paste = Buffer.alloc(64 * 1024, 'p');
    for (let i = 0; i < 400 && person.notices.length === 0; i++) terminal.input(paste);
    for (let i = 0; i < 20; i++) terminal.input(paste);
    expect(person.notices).toEqual([expect.stringContaining('input_refused') as string]);
  });
  it('is empty after the end, without an error', async () => {
    await open();
    type('exit\n');
    await person.until(() => person.end !== null);
    type('late\n');
    terminal.submit(1, 'late');
    expect(person.refusals).toEqual([]);
  });
});
