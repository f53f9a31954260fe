/** The PowerShell console in the page: the line editor, questions of the target, the gutter. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Tab } from '../lab/browser.ts';
import { recordedOutput } from '../lab/journeys.ts';
import { findPwsh } from '../lab/sshd.ts';
import { PS_PROMPT, World, focusWhenLayersLeave } from './world.ts';

describe('PowerShell in the page', () => {
  let world: World;
  let tab: Tab;
  let id: string;
  beforeAll(async () => {
    if (findPwsh() === null) return;
    world = await World.start();
    tab = await world.signedIn();
    id = await world.openConsole(tab, 'powershell');
  });
  afterAll(async () => {
    if (findPwsh() !== null) await world.stop();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail' || findPwsh() === null) return;
    // What failed left its session as it is; the next test has one of its own.
    await tab.page.goto(world.gateway.url);
    id = await world.openConsole(tab, 'powershell');
  });
  beforeEach((context) => {
    if (findPwsh() === null) context.skip('no pwsh');
  });

  test('draws the line while it is typed, runs it once and numbers it in the gutter', async () => {
    await tab.page.keyboard.type("'one-' + (40+2)");
    await tab.page.keyboard.press('Home');
    await tab.page.keyboard.type('# ');
    await tab.page.keyboard.press('Backspace');
    await tab.page.keyboard.press('Backspace');
    await tab.page.keyboard.press('Enter');
    const screen = await tab.seen(/^one-42\n+[^\n]*PS [^>]*>$/m);
    expect(screen.match(/'one-' \+ \(40\+2\)/g)).toHaveLength(1);
    await tab.page
      .getByRole('listitem')
      .filter({ hasText: /1\s*done/ })
      .first()
      .waitFor();
  });

  test('completes with Tab and recalls with Up', async () => {
    await tab.page.keyboard.type('Get-Verb -Verb Ad');
    await tab.page.keyboard.press('Tab');
    await tab.seen(/Get-Verb -Verb Add$/m);
    await tab.page.keyboard.press('Control+KeyC');
    await tab.seen(/Add\^C\n/);
    await tab.page.keyboard.press('ArrowUp');
    await tab.seen(/> 'one-' \+ \(40\+2\)$/);
    await tab.page.keyboard.press('Escape');
    await tab.seen(PS_PROMPT);
  });

  test('says once what failed, and marks it', async () => {
    await tab.line('Get-Item /no/such/thing');
    const screen = await tab.seen(/Cannot find path[^\n]*\n+[^\n]*PS [^>]*>$/);
    expect(screen.match(/Cannot find path/g)).toHaveLength(1);
    await tab.page.getByRole('listitem').filter({ hasText: '1 error' }).first().waitFor();
  });

  test('hints at the way to other machines when a command fails as a second hop does', async () => {
    await tab.line('throw "Access to the path \'\\\\fs01\\share\' is denied."');
    const hint = tab.page.getByText('That looks like a machine behind');
    await hint.waitFor();
    expect(await tab.page.getByRole('link', { name: 'Access to other machines' }).getAttribute('href')).toMatch(
      /targets\/[^/]+\/access$/,
    );
    await tab.page.getByRole('button', { name: 'Put this remark away' }).click();
    await hint.waitFor({ state: 'detached' });
    await tab.page.getByRole('textbox', { name: /^Line at/ }).focus();
    await tab.seen(PS_PROMPT);
  });

  test('stops what runs with Ctrl+C', async () => {
    await tab.line("'begun-' + 1; Start-Sleep 300; 'never'");
    await tab.seen(/^begun-1$/m);
    await tab.page.keyboard.press('Control+KeyC');
    const screen = await tab.seen(/begun-1\n[^]*\^C[^]*PS [^>]*>$/);
    expect(screen).not.toMatch(/^never$/m);
  });

  test('asks on the line what Read-Host wants, and never shows or records a secret', async () => {
    await tab.line("'hello ' + (Read-Host 'who')");
    await tab.seen(/^who: $|^who:$/m);
    await tab.line('Ann');
    await tab.seen(/^hello Ann$/m);
    await tab.line("$s = Read-Host 'pin' -AsSecureString; 'length ' + $s.Length");
    await tab.seen(/^pin:/m);
    await tab.line('canary-7391');
    const screen = await tab.seen(/^length 11$/m);
    expect(screen).not.toContain('canary');
    await tab.seen(PS_PROMPT);
  });

  test('asks for a credential in a dialog that Esc only sets aside, and Ctrl+C stops the command', async () => {
    await tab.line('$c = Get-Credential; $c.UserName + $c.GetNetworkCredential().Password.Length');
    const dialog = tab.page.getByRole('dialog');
    await dialog.getByLabel('User name').waitFor();
    await tab.page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await tab.page.getByRole('button', { name: 'Answer' }).click();
    await dialog.getByLabel('User name').fill('bob');
    await dialog.getByLabel('Password', { exact: true }).fill('canary-8420');
    await tab.page.keyboard.press('Enter');
    await tab.seen(/^bob11$/m);
    await tab.seen(PS_PROMPT);
    await tab.line('Get-Credential');
    await dialog.waitFor();
    await tab.page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await tab.page.keyboard.press('Control+KeyC');
    await tab.seen(/Get-Credential\n[^]*\^C[^]*PS [^>]*>$/);
  });

  test('gives the keyboard back in the very turn in which a dialog goes: no key is lost on a busy machine', async () => {
    const { page } = tab;
    const dialog = page.getByRole('dialog');
    const left = await focusWhenLayersLeave(tab);
    const inLine = 'Line at lab';

    await tab.line('Get-Credential');
    await dialog.getByLabel('User name').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+KeyC');
    await tab.seen(/Get-Credential\n[^]*\^C[^]*PS [^>]*>$/);
    expect(await left()).toEqual([inLine]);

    await tab.line('$c = Get-Credential; $c.UserName');
    await dialog.getByLabel('User name').fill('bob');
    await dialog.getByLabel('Password', { exact: true }).fill('canary-8421');
    await page.keyboard.press('Enter');
    await page.keyboard.type("'typed-' + 'ahead'");
    await page.keyboard.press('Enter');
    await tab.seen(/^bob\n[^]*^typed-ahead\n[^\n]*PS [^>]*>$/m);

    await page.keyboard.press('F1');
    await dialog.waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.type("'palette-' + 1");
    await tab.seen(/> 'palette-' \+ 1$/);
    await page.keyboard.press('Enter');
    await tab.seen(/^palette-1$/m);

    await page.evaluate(() => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', "'pasted-' +\n2");
      document.activeElement?.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true })); // prettier-ignore
    });
    await dialog.waitFor();
    await page.keyboard.press('Enter');
    await page.keyboard.type(' # edited');
    await page.keyboard.press('Enter');
    await tab.seen(/^pasted-2$/m);
    expect(await left()).toEqual([inLine, inLine, inLine, inLine]);
  });

  test('gives a script the next key that is pressed, as the key that it is', async () => {
    const asked = (): number =>
      tab.messages.filter((message) => message.type === 'question' && message.question.kind === 'key').length;
    for (const [index, key] of ['x', 'ArrowUp'].entries()) {
      await tab.line("$k = $Host.UI.RawUI.ReadKey('NoEcho,IncludeKeyDown'); 'got ' + [int]$k.Character + '/' + $k.VirtualKeyCode"); // prettier-ignore
      await tab.until(() => asked() === index + 1, 'the question for a key');
      await tab.page.keyboard.press(key);
      await tab.seen(key === 'x' ? /^got 120\/88$/m : /^got 0\/38$/m);
      await tab.seen(PS_PROMPT);
    }
  });

  test('offers choices as buttons', async () => {
    await tab.line("'chose ' + $Host.UI.PromptForChoice('Restart', 'Restart now?', @('&Yes', '&No'), 1)");
    const dialog = tab.page.getByRole('dialog');
    await dialog.getByRole('button', { name: /Yes/ }).click();
    await tab.seen(/^chose 0$/m);
    await tab.seen(PS_PROMPT);
  });

  test('keeps a draft while the page is elsewhere, and gives back the same screen', async () => {
    await tab.page.keyboard.type("'draft");
    await tab.page.keyboard.press('Alt+Shift+KeyT');
    await tab.page.getByRole('heading', { name: 'Where to?', level: 1 }).waitFor();
    await tab.page.getByRole('link', { name: 'Console' }).click();
    await tab.seen(/> 'draft$/);
    await tab.page.keyboard.type("-kept'");
    await tab.page.keyboard.press('Enter');
    await tab.seen(/^draft-kept$/m);
  });

  test('takes a line from the field of a phone, and its history from the key bar', async () => {
    const phone = await world.signedIn('/', { width: 375, height: 720 });
    await phone.page.getByRole('button', { name: /^PowerShell +at lab/ }).click();
    await phone.seen(PS_PROMPT);
    const field = phone.page.getByRole('textbox', { name: 'Line at lab' });
    // A finger on the grid unfolds the keyboard: what is typed then must not be lost.
    await phone.page.getByRole('region', { name: 'Terminal, lab' }).click();
    await phone.page.keyboard.type("'phone-' + (6*7)");
    await phone.page.getByRole('button', { name: 'Run', exact: true }).click();
    await phone.seen(/^phone-42$/m);
    await phone.seen(PS_PROMPT);
    expect(await field.inputValue()).toBe('');
    await phone.page.getByRole('toolbar', { name: 'Keys' }).getByRole('button', { name: /up/i }).click();
    await phone.seen(/> 'phone-\n?' \+ \(6\*7\)$/);
    expect(await field.inputValue()).toBe("'phone-' + (6*7)");
    expect(await phone.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(375);
    await phone.page.getByRole('button', { name: 'End this session' }).click();
    await phone.page.getByRole('heading', { name: /ended/i }).waitFor();
    expect(phone.faults).toEqual([]);
    await phone.context.close();
  });

  test('shows the same after a reload, and the recording has every byte of it and no secret', async () => {
    await tab.line('1..40 | ForEach-Object { "row-$_ 漢字 😀" }; [char]0x65 + [char]0x301');
    const before = await tab.seen(/^row-40 漢字 😀[^]*PS [^>]*>$/m);
    await tab.page.reload();
    const after = await tab.seen(/^row-40 漢字 😀[^]*PS [^>]*>$/m);
    const [shown, kept] = [after, before].map((text) => text.split('\n').filter((line) => line.startsWith('row-')));
    expect(kept?.length).toBeGreaterThan(25);
    expect(shown).toEqual(kept);
    // The page knows its room before it asks for the session: nothing that comes and goes takes rows from the grid.
    expect(new Set(tab.sizes)).toHaveLength(1);
    const bytes = tab.output();
    const from = tab.offset;
    await tab.line('exit 3');
    await tab.page.getByRole('heading', { name: /ended/i }).waitFor();
    const recorded = await recordedOutput(world.ann, id);
    expect(bytes.equals(recorded.subarray(from, from + bytes.length))).toBe(true);
    expect(recorded.includes('canary')).toBe(false);
    expect(tab.faults).toEqual([]);
  });
});
