import fc from 'fast-check';
import { Terminal } from '@xterm/headless';
import { describe, expect, it } from 'vitest';
import { createEditor, type Editor } from './editor.ts';
import { plainEcho } from './plain-echo.ts';
import type { EditorEvent, Effect } from './types.ts';
import { widthProvider } from './width.ts';

const PROMPT = '[web01]: PS /home/ann> ';
const key = (chord: string): EditorEvent => {
  const parts = chord.split('+');
  return {
    type: 'key',
    key: parts.at(-1) ?? '',
    ctrl: parts.includes('Ctrl'),
    alt: parts.includes('Alt'),
    shift: parts.includes('Shift'),
  };
};
const type = (text: string): EditorEvent => ({ type: 'text', text });
const prompt = (lineId = 1): EditorEvent => ({ type: 'prompt', lineId, text: PROMPT });

/** An editor with its terminal. */
class Desk {
  readonly terminal: Terminal;
  readonly editor: Editor;
  readonly effects: Effect[] = [];
  now = 0;
  constructor(cols = 80, rows = 24) {
    this.terminal = new Terminal({ cols, rows, allowProposedApi: true, logLevel: 'off' });
    this.terminal.unicode.register(widthProvider);
    this.terminal.unicode.activeVersion = widthProvider.version;
    this.editor = createEditor({ cols, rows });
  }
  async write(vt: string): Promise<void> {
    await new Promise<void>((done) => this.terminal.write(vt, done));
  }
  async do(...events: EditorEvent[]): Promise<void> {
    for (const event of events) {
      this.now += 10;
      const { vt, effects } = this.editor.handle(event, this.now);
      this.effects.push(...effects);
      await this.write(vt);
    }
  }
  async output(text: string): Promise<void> {
    await this.do({ type: 'output', phase: 'before' });
    await this.write(text);
    await this.do({ type: 'output', phase: 'after', column: this.terminal.buffer.active.cursorX });
  }
  async resize(cols: number, rows: number): Promise<void> {
    await this.do({ type: 'resize', phase: 'before' });
    this.terminal.resize(cols, rows);
    await this.do({ type: 'resize', phase: 'after', cols, rows });
  }
  get screen(): string[] {
    const { active } = this.terminal.buffer;
    return Array.from(
      { length: this.terminal.rows },
      (_, y) => active.getLine(active.baseY + y)?.translateToString(true) ?? '',
    );
  }
  get text(): string {
    return this.screen.join('\n').trimEnd();
  }
  get wraps(): boolean[] {
    const { active } = this.terminal.buffer;
    return Array.from({ length: this.terminal.rows }, (_, y) => active.getLine(active.baseY + y)?.isWrapped ?? false);
  }
  get cursor(): [number, number] {
    return [this.terminal.buffer.active.cursorX, this.terminal.buffer.active.cursorY];
  }
  sent(): string[] {
    return this.effects.flatMap((effect) => (effect.type === 'submit' ? [effect.text] : []));
  }
}
async function desk(...events: EditorEvent[]): Promise<Desk> {
  const made = new Desk();
  await made.do(prompt(), ...events);
  return made;
}

describe('a line', () => {
  it('is drawn, sent, echoed', async () => {
    const d = await desk(type('Get-Date'), key('Enter'));
    expect(d.effects.at(-1)).toEqual({ type: 'submit', lineId: 1, text: 'Get-Date', keepOutOfHistory: false });
    expect(d.text).toBe(`${PROMPT}Get-Date`);
    await d.do({ type: 'echo', lineId: 1 });
    await d.write(plainEcho(PROMPT, 'Get-Date'));
    await d.output('now\r\n');
    await d.do(prompt(2));
    expect(d.text).toBe(`${PROMPT}Get-Date\nnow\n${PROMPT.trimEnd()}`);
    expect(d.cursor).toEqual([PROMPT.length, 2]);
  });

  it('costs one character on the wire to the screen when one is typed', async () => {
    const d = await desk(type('ab'));
    expect(d.editor.handle(type('c'), 1000).vt).toBe('c');
  });

  it('moves and deletes by what people call characters', async () => {
    const d = await desk(type('a👩‍👩‍👧é'), key('ArrowLeft'), key('Backspace'));
    expect(d.editor.snapshot()).toMatchObject({ text: 'aé', cursor: 1 });
    await d.do(
      key('End'),
      key('Ctrl+Backspace'),
      type('Get-Item -Path x'),
      key('Ctrl+ArrowLeft'),
      key('Ctrl+ArrowLeft'),
    );
    expect(d.editor.snapshot().cursor).toBe('Get-Item -'.length);
  });

  it('inserts a line when something is open, and sends the whole', async () => {
    const d = await desk(type('if ($true) {'), key('Enter'), type('1'), key('Enter'), type('}'));
    expect(d.screen.slice(0, 3)).toEqual([`${PROMPT}if ($true) {`, '>> 1', '>> }']);
    await d.do(key('Enter'));
    expect(d.sent()).toEqual(['if ($true) {\n1\n}']);
  });
  it('adds a line on Shift+Enter and sends anything on Alt+Enter', async () => {
    const d = await desk(type('a'), key('Shift+Enter'), type('('), key('Alt+Enter'));
    expect(d.sent()).toEqual(['a\n(']);
  });
  it('submits a line that waits for more when the last line is left blank', async () => {
    const d = await desk(type('1 |'), key('Enter'), key('Enter'));
    expect(d.sent()).toEqual(['1 |\n']);
  });

  it('copies a selection, else drops the line on Ctrl+C', async () => {
    const d = await desk(type('abc'), key('Shift+Home'), key('Ctrl+c'));
    expect(d.effects.at(-1)).toEqual({ type: 'copy', text: 'abc' });
    await d.do(key('End'), key('Ctrl+c'));
    expect(d.text).toBe(`${PROMPT}abc^C\n${PROMPT.trimEnd()}`);
    expect(d.sent()).toEqual([]);
  });
  it('undoes typing word by word and a paste at once', async () => {
    const d = await desk(type('a'), type('b'), type(' '), type('c'), { type: 'paste', text: 'XYZ' });
    const seen = [];
    for (let n = 0; n < 4; n += 1) {
      await d.do(key('Ctrl+z'));
      seen.push(d.editor.snapshot().text);
    }
    expect(seen).toEqual(['ab c', 'ab', '', '']);
    await d.do(key('Ctrl+y'));
    expect(d.editor.snapshot().text).toBe('ab');
  });
  it('shows hidden characters as marks', async () => {
    const d = await desk(type('a\u202eb\tc'));
    expect(d.text).toBe(`${PROMPT}a<202E>b    c`);
    expect(plainEcho(PROMPT, 'a\u202eb')).toBe(`${PROMPT}\x1b[0ma<202E>b\r\n`);
  });
  it('lets no control reach the screen, from the prompt neither', () => {
    expect(plainEcho('\x1b]0;t\x07\x1b[31mp\x1b[2J> ', 'a\x1b[31m\nb')).toBe('\x1b[31mp> \x1b[0ma^[[31m\r\n>> b\r\n');
  });
  it('comes back when it was refused', async () => {
    const d = await desk(type('x'), key('Enter'), { type: 'refused', lineId: 1, message: 'busy' });
    expect(d.editor.snapshot()).toMatchObject({ mode: 'line', text: 'x' });
  });
  it('goes on as a block when the target wants more', async () => {
    const d = await desk({ type: 'incomplete', lineId: 1, text: 'a' }, type('b'), key('Enter'));
    expect(d.editor.snapshot()).toMatchObject({ mode: 'block', text: 'a\nb\n' });
    await d.do(key('Enter'));
    expect(d.sent()).toEqual(['a\nb']);
  });
});

describe('history', () => {
  it('walks, keeps the draft, searches by prefix', async () => {
    const d = await desk({ type: 'history', lines: ['Get-Date', 'ls', 'Get-Item x'] }, type('Get'));
    await d.do(key('ArrowUp'));
    expect(d.editor.snapshot().text).toBe('Get-Item x');
    await d.do(key('ArrowUp'), key('ArrowDown'), key('ArrowDown'));
    expect(d.editor.snapshot()).toMatchObject({ text: 'Get', cursor: 3 });
    await d.do(key('F8'), key('F8'));
    expect(d.editor.snapshot()).toMatchObject({ text: 'Get-Date', cursor: 3 });
  });
  it('marks lines that hold secrets and keeps none that begin with a blank', async () => {
    const d = await desk(type('$password = 1'), key('Enter'));
    expect(d.effects.at(-1)).toMatchObject({ keepOutOfHistory: true });
    await d.do(prompt(2), type(' hidden'), key('Enter'), prompt(3), key('ArrowUp'));
    expect(d.editor.snapshot().text).toBe('$password = 1');
  });
});

describe('paste', () => {
  it('asks for several lines and controls, inserts one line', async () => {
    const d = await desk({ type: 'paste', text: 'one\r\n' });
    expect(d.editor.snapshot().text).toBe('one');
    await d.do({ type: 'paste', text: 'a\r\nb' }, { type: 'paste', text: 'x\x1b[31m' });
    expect(d.effects.filter(({ type: t }) => t === 'askPaste')).toEqual([
      { type: 'askPaste', text: 'a\nb', lines: 2, hadControls: false },
      { type: 'askPaste', text: 'x[31m', lines: 1, hadControls: true },
    ]);
    expect(d.sent()).toEqual([]);
  });
  it('runs as one block, or line by line', async () => {
    const d = await desk({ type: 'pasteAs', how: 'block', text: 'a\nb' });
    expect(d.sent()).toEqual(['a\nb']);
    const e = await desk({ type: 'pasteAs', how: 'lines', text: '1\n2\n3' });
    await e.do({ type: 'echo', lineId: 1 }, prompt(2), { type: 'echo', lineId: 2 }, prompt(3));
    expect(e.sent()).toEqual(['1', '2', '3']);
  });
  it('stops line by line at the first that fails, and loses none', async () => {
    const d = await desk({ type: 'pasteAs', how: 'lines', text: '1\n2\n3\n4' });
    await d.do({ type: 'echo', lineId: 1 }, prompt(2), { type: 'echo', lineId: 2 }, { type: 'failed' }, prompt(3));
    expect(d.sent()).toEqual(['1', '2']);
    expect(d.editor.snapshot()).toMatchObject({ mode: 'line', text: '3\n4', queued: [] });
    expect(d.effects).toContainEqual({ type: 'announce', text: 'A line failed: 2 lines were not run.', polite: false });
    // What somebody typed ahead goes on, as at any console.
    const e = await desk();
    await e.do(
      type('x'),
      key('Enter'),
      { type: 'echo', lineId: 1 },
      type('y'),
      key('Enter'),
      { type: 'failed' },
      prompt(2),
    );
    expect(e.sent()).toEqual(['x', 'y']);
  });
  it('runs line by line in its order when a command runs still', async () => {
    const d = await desk();
    await d.do(
      type('x'),
      key('Enter'),
      { type: 'echo', lineId: 1 },
      { type: 'pasteAs', how: 'lines', text: '1\n2\n3' },
    );
    expect(d.editor.snapshot()).toMatchObject({ text: '', queued: ['1', '2', '3'] });
    for (const n of [2, 3, 4]) await d.do(prompt(n), { type: 'echo', lineId: n });
    expect(d.sent()).toEqual(['x', '1', '2', '3']);
  });
  it('runs more lines one after the other than somebody types ahead', async () => {
    const lines = Array.from({ length: 40 }, (_, i) => String(i));
    const d = await desk({ type: 'pasteAs', how: 'lines', text: lines.join('\n') });
    for (const [i] of lines.entries()) await d.do({ type: 'echo', lineId: i + 1 }, prompt(i + 2));
    expect(d.sent()).toEqual(lines);
  });
});

describe('while a command runs', () => {
  it('keeps what is typed for the next prompt, and runs queued lines in order', async () => {
    const d = await desk(type('a'), key('Enter'), { type: 'echo', lineId: 1 });
    const before = d.text;
    await d.do(type('b'), key('Enter'), type('draft'));
    expect(d.text).toBe(before);
    expect(d.editor.snapshot()).toMatchObject({ mode: 'busy', queued: ['b'], text: 'draft' });
    await d.do(prompt(2));
    expect(d.sent()).toEqual(['a', 'b']);
    await d.do({ type: 'echo', lineId: 2 }, prompt(3));
    expect(d.editor.snapshot()).toMatchObject({ mode: 'line', text: 'draft' });
  });
  it('stops it on Ctrl+C', async () => {
    const d = await desk(type('a'), key('Enter'), { type: 'echo', lineId: 1 }, key('Ctrl+c'));
    expect(d.effects.at(-1)).toEqual({ type: 'stop' });
  });
});

describe('completion', () => {
  const match = (text: string, kind = 'Command') => ({ text, list: text, kind, toolTip: '' });
  const answer = (reqId: number, ...matches: ReturnType<typeof match>[]): EditorEvent => ({
    type: 'completion',
    reqId,
    index: 0,
    length: 5,
    matches,
  });
  it('cycles', async () => {
    const d = await desk(type('Get-D'), key('Tab'));
    expect(d.effects.at(-1)).toEqual({ type: 'complete', reqId: 1, text: 'Get-D', cursor: 5 });
    await d.do(answer(1, match('Get-Date'), match('Get-Disk')));
    const seen = [d.editor.snapshot().text];
    for (const chord of ['Tab', 'Tab', 'Shift+Tab']) {
      await d.do(key(chord));
      seen.push(d.editor.snapshot().text);
    }
    expect(seen).toEqual(['Get-Date', 'Get-Disk', 'Get-Date', 'Get-Disk']);
  });
  it('gives way to typing, and a late answer is dropped', async () => {
    const d = await desk(type('Get-D'), key('Tab'), type('x'));
    expect(d.effects.at(-1)).toEqual({ type: 'cancel', reqId: 1 });
    await d.do(answer(1, match('Get-Date')));
    expect(d.editor.snapshot().text).toBe('Get-Dx');
  });
  it('puts the separator of a folder inside the quote', async () => {
    const d = await desk(type("'./a "), key('Tab'), answer(1, match("'./a b'", 'ProviderContainer')));
    expect(d.editor.snapshot()).toMatchObject({ text: "'./a b/'", cursor: 7 });
  });
  it('refuses what could act on the terminal, and places outside the text', async () => {
    const d = await desk(type('Get-D'), key('Tab'), answer(1, match('x\x1b]0;t\x07')));
    expect(d.editor.snapshot().text).toBe('Get-D');
    await d.do(key('Tab'), { type: 'completion', reqId: 2, index: 4, length: 9, matches: [match('y')] });
    expect(d.editor.snapshot().text).toBe('Get-D');
  });
});

describe('questions of the target', () => {
  const ask = (question: Extract<EditorEvent, { type: 'hostCall' }>['question'], column = 0): EditorEvent => ({
    type: 'hostCall',
    question,
    column,
  });
  it('takes a line right behind what stands there', async () => {
    const d = new Desk();
    await d.do(prompt(), type('x'), key('Enter'), { type: 'echo', lineId: 1 });
    await d.output('Name? ');
    await d.do(ask({ id: 7, kind: 'line', prompt: '', secure: false }, 6), type('Bøb'));
    expect(d.text).toBe('Name? Bøb');
    await d.do(key('Enter'));
    expect(d.effects.at(-1)).toEqual({ type: 'answer', id: 7, answer: { kind: 'text', text: 'Bøb' } });
    expect([d.text, d.cursor]).toEqual(['Name?', [6, 0]]);
  });
  it('never shows or keeps a secret', async () => {
    const d = await desk();
    await d.do(ask({ id: 8, kind: 'line', prompt: 'Password: ', secure: true }), type('canary-7'));
    expect(d.text).toContain('Password: ********');
    expect(JSON.stringify([d.editor.snapshot(), d.effects])).not.toContain('canary');
    await d.do(key('Enter'));
    expect(d.effects.at(-1)).toEqual({ type: 'answer', id: 8, answer: { kind: 'text', text: 'canary-7' } });
    await d.do(prompt(2), key('ArrowUp'), key('Ctrl+z'));
    expect(d.editor.snapshot().text).toBe('');
    expect(d.text).not.toContain('canary');
  });
  it('asks field by field, lists until empty', async () => {
    const field = { label: '', help: 'hm', mandatory: true, defaultText: null };
    const d = await desk();
    await d.do(
      ask({
        id: 9,
        kind: 'prompt',
        caption: 'cmdlet m',
        message: 'Supply values:',
        fields: [
          { ...field, name: 'N', kind: 'text' },
          { ...field, name: 'L', kind: 'list' },
          { ...field, name: 'S', kind: 'secure' },
          { ...field, name: 'B', kind: 'boolean' },
        ],
      }),
    );
    for (const text of ['!?', '5', 'one', 'two', '', 'hid', 'maybe', 'y']) await d.do(type(text), key('Enter'));
    expect(d.effects.at(-1)).toEqual({
      type: 'answer',
      id: 9,
      answer: { kind: 'fields', values: ['5', ['one', 'two'], 'hid', true] },
    });
  });
  it('takes a hot key, a label, the default, and shows help', async () => {
    const choice = { id: 3, kind: 'choice', caption: 'Cap', message: 'Msg', defaults: [1], multiple: false } as const;
    const choices = [
      { label: 'Yes', hotKey: 'Y', help: 'says yes' },
      { label: 'No', hotKey: 'N', help: '' },
    ];
    const d = await desk();
    await d.do(ask({ ...choice, choices }));
    expect(d.text).toContain('[Y] Yes  [N] No  [?] Help (default is "N"):');
    await d.do(type('?'), key('Enter'), type('q'), key('Enter'));
    expect(d.text).toContain('Y - says yes');
    await d.do(type('yes'), key('Enter'));
    expect(d.effects.at(-1)).toMatchObject({ answer: { kind: 'choice', indexes: [0] } });
    await d.do(ask({ ...choice, choices }), key('Enter'));
    expect(d.effects.at(-1)).toMatchObject({ answer: { indexes: [1] } });
    await d.do(
      ask({ ...choice, choices, multiple: true }),
      type('n'),
      key('Enter'),
      type('y'),
      key('Enter'),
      key('Enter'),
    );
    expect(d.effects.at(-1)).toMatchObject({ answer: { indexes: [1, 0] } });
  });
  it('gives the next key', async () => {
    const d = await desk(ask({ id: 4, kind: 'key' }), key('Shift'), key('a'));
    expect(d.effects.at(-1)).toEqual({
      type: 'answer',
      id: 4,
      answer: { kind: 'key', virtualKeyCode: 65, character: 97, controlKeyState: 0 },
    });
  });
  it('takes typing ahead as soon as the question of a dialog is over, and nothing before', async () => {
    const d = new Desk();
    await d.do(prompt(), type('x'), key('Enter'), { type: 'echo', lineId: 1 });
    await d.do(ask({ id: 6, kind: 'credential' }), type('lost'), { type: 'hostCallEnded', id: 5 }, type('lost'));
    expect(d.editor.snapshot()).toMatchObject({ mode: 'dialog', text: '' });
    await d.do({ type: 'hostCallEnded', id: 6 }, type('ahead'));
    expect(d.editor.snapshot()).toMatchObject({ mode: 'busy', text: 'ahead' });
    // The gateway says it too, later; and the prompt that follows takes what was typed.
    await d.do({ type: 'hostCallEnded', id: 6 }, prompt(2));
    expect(d.editor.snapshot()).toMatchObject({ mode: 'line', text: 'ahead' });
  });
  it('stops the pipeline on Ctrl+C and sends no answer', async () => {
    const d = await desk(ask({ id: 5, kind: 'line', prompt: 'a: ', secure: true }), type('x'), key('Ctrl+c'));
    expect(d.effects.at(-1)).toEqual({ type: 'stop' });
    await d.do({ type: 'hostCallEnded', id: 5 });
    expect(d.editor.snapshot().mode).toBe('busy');
    expect(d.effects.some(({ type: t }) => t === 'answer')).toBe(false);
  });
});

describe('screen', () => {
  const text = fc.constantFrom(
    'a',
    'hello world ',
    '日本',
    '👩‍👩‍👧',
    'e\u0301',
    '\u0301',
    '\t',
    '\u202e',
    'x'.repeat(30),
    '❤️',
    '🇩🇪',
    '\n',
  );
  const chord = fc.constantFrom(
    'Backspace',
    'Delete',
    'ArrowLeft',
    'ArrowRight',
    'Home',
    'End',
    'Ctrl+ArrowLeft',
    'Shift+Enter',
    'Ctrl+z',
    'Ctrl+y',
    'ArrowUp',
    'ArrowDown',
    'Shift+Home',
    'Ctrl+Backspace',
    'Ctrl+l',
    'Ctrl+c',
    'Escape',
  );
  const step = fc.oneof(
    { weight: 6, arbitrary: text.map((t) => ({ kind: 'type', t }) as const) },
    { weight: 6, arbitrary: chord.map((c) => ({ kind: 'key', c }) as const) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('resize' as const),
        cols: fc.integer({ min: 8, max: 60 }),
        rows: fc.integer({ min: 4, max: 20 }),
      }),
    },
    { weight: 1, arbitrary: fc.constantFrom('out\r\n', 'mid').map((o) => ({ kind: 'output', o }) as const) },
  );

  it('after any events equals a fresh drawing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const d = new Desk(30, 10);
        await d.do({ type: 'prompt', lineId: 1, text: '\x1b[32mPS\x1b[0m> ' });
        for (const one of steps) {
          if (one.kind === 'type') await d.do({ type: 'text', text: one.t });
          else if (one.kind === 'key') await d.do(key(one.c));
          else if (one.kind === 'resize') await d.resize(one.cols, one.rows);
          else await d.output(one.o);
        }
        const [screen, wraps, cursor] = [d.screen, d.wraps, d.cursor];
        // Erased and drawn again at the same place: the drawing may stand higher on a fresh screen, never look different.
        await d.do({ type: 'output', phase: 'before' });
        const { vt } = d.editor.handle({ type: 'output', phase: 'after', column: 0 }, d.now);
        await d.write(vt);
        expect(d.screen).toEqual(screen);
        expect(d.wraps).toEqual(wraps);
        expect(d.cursor).toEqual(cursor);
      }),
      { numRuns: 120 },
    );
  }, 60_000);

  it('stays within the screen with a text of three screens', async () => {
    const d = new Desk(40, 8);
    await d.write('above\r\n');
    await d.do(prompt(), type(Array.from({ length: 24 }, (_, n) => `line ${n}`).join('\n')));
    expect(d.screen.at(-1)).toBe('>> line 23');
    await d.do(key('Alt+Home'));
    expect(d.screen[0]).toBe(`${PROMPT}line 0`);
    await d.do({ type: 'echo', lineId: 1 });
    expect(d.text).toBe('');
  });
});
