/** The console as a person meets it: output, keys, reloads, two windows. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LOW_WATER_BYTES } from '@sallyport/shared/wire/credit';
import { STEP_MS, startBrowser, type Tab } from '../lab/browser.ts';
import { recordedOutput } from '../lab/journeys.ts';
import { isRoot, startSshd } from '../lab/sshd.ts';
import { SHELL_PROMPT, World, sessionOf, signInByHand } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await World.start();
});
afterAll(() => world.stop());

async function shell(): Promise<Tab> {
  const tab = await world.signedIn();
  await world.openConsole(tab, 'pty');
  return tab;
}
/** Asks the screen itself, through the program, in which column its cursor stands after a text. */
async function columnAfter(tab: Tab, printed: string, mark: string): Promise<number> {
  await tab.line(`printf '\\r${printed}\\e[6n'; IFS='[;' read -rsd R _ _ col; printf '\\n${mark}=%s.\\n' "$col"`);
  const screen = await tab.seen(new RegExp(`^${mark}=\\d+\\.`, 'm'));
  return Number(new RegExp(`^${mark}=(\\d+)\\.`, 'm').exec(screen)?.[1]) - 1;
}

describe('text', () => {
  test('a line of 300 columns wraps and loses nothing; a wider window joins it again', async () => {
    const tab = await shell();
    const wide = Array.from({ length: 50 }, (_, index) => `|${String(index).padStart(4, '0')}.`).join('');
    expect(wide).toHaveLength(300);
    await tab.line(`for i in $(seq 0 49); do printf '|%04d.' $i; done; echo; echo wide-$((1+1))`);
    const wrapped = await tab.seen('wide-2');
    expect(wrapped.replaceAll('\n', '')).toContain(wide);
    await tab.page.setViewportSize({ width: 2800, height: 800 });
    await tab.seen(wide);
    await tab.line('stty size');
    const [, rows, cols] = /(\d+) (\d+)\n\S*[$#]/.exec(await tab.seen(/\d+ \d+\n\S*[$#] ?$/)) ?? [];
    expect(Number(cols)).toBeGreaterThan(300);
    expect(Number(rows)).toBeGreaterThan(20);
    expect(tab.faults).toEqual([]);
    await tab.context.close();
  });

  test('CJK, emoji, joined emoji and combining marks take the cells that they draw', async () => {
    const tab = await shell();
    const bytes = (text: string): string =>
      [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
    expect(await columnAfter(tab, bytes('漢字'), 'cjk')).toBe(4);
    expect(await columnAfter(tab, bytes('😀'), 'emoji')).toBe(2);
    expect(await columnAfter(tab, bytes('👨‍👩‍👧'), 'family')).toBe(2);
    expect(await columnAfter(tab, bytes('e\u0301o\u0308'), 'marks')).toBe(2);
    expect(await columnAfter(tab, bytes('🇩🇪x'), 'flag')).toBe(3);
    await tab.seen('漢字');
    await tab.seen('👨‍👩‍👧');
    expect(tab.faults).toEqual([]);
    await tab.context.close();
  });
});

test('a reload in the middle of output goes on with exact bytes', async () => {
  const tab = await shell();
  const id = sessionOf(tab);
  await tab.line('for i in $(seq 1 150000); do echo line-$i; done; echo all-$((1+1))');
  // More than a page is given that joins anew, so that it cannot begin at the beginning again.
  await tab.until(() => tab.output().length > LOW_WATER_BYTES, 'the middle of the output');
  const [firstOffset, first] = [tab.offset, tab.output()];
  await tab.page.reload();
  await tab.seen(/line-150000\nall-2/);
  const [secondOffset, second] = [tab.offset, tab.output()];
  await tab.line('exit');
  await tab.page.getByRole('heading', { name: /ended/i }).waitFor();
  const recorded = await recordedOutput(world.ann, id);
  expect(first.equals(recorded.subarray(firstOffset, firstOffset + first.length))).toBe(true);
  expect(second.equals(recorded.subarray(secondOffset, secondOffset + second.length))).toBe(true);
  // Nothing that was not yet shown is missing between the two.
  expect(secondOffset).toBeGreaterThan(0);
  expect(recorded.toString()).toContain('line-150000\r\nall-2');
  expect(tab.faults).toEqual([]);
  await tab.context.close();
});

test('a second window watches, and has the keyboard after an explicit act', async () => {
  const first = await shell();
  await first.line('echo from-the-first');
  await first.seen(/from-the-first\n[^\n]*from-the-first|^from-the-first/m);
  const second = await world.signedIn(`/console/${sessionOf(first)}`, { beside: first });
  await second.seen('from-the-first');
  await second.page.getByText('Another window has the keyboard of this session').waitFor();
  await second.page.keyboard.type('nothing-typed-here-arrives');
  await first.line('echo still-$((40+2))');
  expect(await second.seen('still-42')).not.toContain('nothing-typed');
  await second.page.getByRole('button', { name: 'Take over' }).click();
  await first.page.getByText('Another window took this session over').waitFor();
  await second.page.getByText('Another window').waitFor({ state: 'detached' });
  await second.line('echo taken-$((50+2))');
  await second.seen('taken-52');
  await first.page.getByRole('button', { name: 'Take it back' }).click();
  await first.seen('taken-52');
  await second.page.getByText('Another window').waitFor();
  expect([...first.faults, ...second.faults]).toEqual([]);
  await first.context.close();
});

test('output without end, 10 MB and more, in one tab does not hold up typing in another', async () => {
  const tab = await shell();
  const { page } = tab;
  await tab.line('yes 0123456789abcdef');
  await tab.seen(/^0123456789abcdef$/m);
  await page.keyboard.press('Alt+Shift+KeyT');
  await page.getByRole('heading', { name: 'Where to?', level: 1 }).waitFor();
  await world.openConsole(tab, 'pty');
  // What had to wait for the other tab would wait for ever.
  for (let round = 0; round < 10; round += 1) {
    await tab.line(`echo typed-$((${String(round)}+100))`);
    await tab.seen(`typed-${String(round + 100)}`);
  }
  await tab.until(() => tab.received > 10_000_000, '10 MB of output', 3 * STEP_MS);
  await tab.line('echo typed-$((1000+1))');
  await tab.seen('typed-1001');
  await page.keyboard.press('Alt+Shift+Digit1');
  await tab.seen(/^0123456789abcdef$/m);
  await page.keyboard.press('Control+KeyC');
  await tab.line('echo flood-$((1+1))');
  await tab.seen('flood-2');
  expect(tab.faults).toEqual([]);
  await tab.context.close();
});

test('WebGL draws the visible pane after the first prompt, also while output runs', async () => {
  const browser = await startBrowser({ webgl: true });
  try {
    const tab = await browser.open(`${world.gateway.url}/`, { cookies: [world.cookie()] });
    await tab.page.getByRole('button', { name: /^Shell +at lab/ }).click();
    await tab.page.locator('.xterm canvas').first().waitFor();
    await tab.line('seq 1 20000; echo drawn-$((1+1))');
    await tab.until(() => tab.output().includes('drawn-2'), 'the end of the output');
    expect(await tab.page.locator('.xterm canvas').count()).toBeGreaterThan(0);
    expect(tab.faults).toEqual([]);
  } finally {
    await browser.close();
  }
});

test('from sign-in to a console by keyboard alone, and out of the terminal again', async () => {
  const tab = await world.browser.open(`${world.gateway.url}/`);
  const { page } = tab;
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await signInByHand(tab);
  await page.getByRole('heading', { name: 'Where to?', level: 1 }).waitFor();
  await page.keyboard.type('lab');
  await page.getByRole('button', { name: /^Shell +at lab/ }).waitFor();
  // Enter takes the first way in; Tab reaches the others.
  const isShell = (): Promise<boolean> =>
    page.evaluate(() => document.activeElement?.textContent.trim().startsWith('Shell') ?? false);
  for (let step = 0; step < 12 && !(await isShell()); step += 1) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await tab.seen(SHELL_PROMPT);
  await tab.line('echo keys-$((1+1))');
  await tab.seen('keys-2');
  await page.keyboard.press('F6');
  expect(await page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe('tab');
  await page.keyboard.press('Control+KeyK');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.keyboard.press('Alt+Shift+KeyD');
  await page.getByText('Detached.', { exact: false }).first().waitFor();
  expect(tab.faults).toEqual([]);
  await tab.context.close();
});

test('an IPv6 address with a user and a port in "Where to?" leads there with the user that was typed', async (context) => {
  if (!isRoot) context.skip('only root can give the lab user a password');
  const sshd = await startSshd({ listen: '::1', subsystem: null });
  try {
    const tab = await world.signedIn();
    const { page } = tab;
    await page.getByRole('textbox', { name: 'Where to?' }).fill(`${sshd.user}@[::1]:${String(sshd.port)}`);
    await page.getByRole('button', { name: /^Shell +at \S*::1/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(`::1, port ${String(sshd.port)}`).waitFor();
    await dialog.getByRole('button', { name: 'Pin key and connect' }).click();
    await dialog.locator('input[type=password]').fill(sshd.password ?? '');
    await page.keyboard.press('Enter');
    await tab.seen(SHELL_PROMPT);
    await tab.line('echo from-$SSH_CONNECTION');
    await tab.seen(`from-::1`);
    await page.getByText(`[::1]:${String(sshd.port)}`).first().waitFor(); // prettier-ignore
    await tab.line('exit');
    await page.getByRole('heading', { name: /ended/i }).waitFor();
    expect(tab.faults).toEqual([]);
    await tab.context.close();
  } finally {
    await sshd.stop();
  }
});

test('at 375 px the console takes a line from its own field and no page scrolls sideways', async () => {
  const tab = await world.signedIn('/', { width: 375, height: 720 });
  const { page } = tab;
  await page.getByRole('button', { name: /^Shell +at lab/ }).click();
  await tab.seen(SHELL_PROMPT);
  await page.getByRole('textbox', { name: /Line/ }).fill('echo narrow-$((1+1))');
  await page.keyboard.press('Enter');
  await tab.seen('narrow-2');
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(375);
  expect(tab.faults).toEqual([]);
  await tab.context.close();
});
