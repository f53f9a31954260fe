/**
 * What Windows' OpenSSH does otherwise, played by the stand-in behind a real sshd: from reading, no Windows was seen.
 * docs/targets.md says which fact is which.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltStandIn, buildStandIn, openLabConsole } from '../lab/powershell.ts';
import { startSshd, type LabSshd } from '../lab/sshd.ts';
import { codeOfRejection } from '../lab/ssh-target.ts';

let standIn: BuiltStandIn;
const labs: LabSshd[] = [];
const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-windows-'));
chmodSync(directory, 0o755);
let scripts = 0;
/** sshd's own reading of quotes is not the matter here. */
function asProgram(script: string): string {
  const file = path.join(directory, `subsystem${String(++scripts)}.sh`);
  writeFileSync(file, `${script}\n`, { mode: 0o644 });
  return `/bin/sh ${file}`;
}
const start = async (subsystem: string): Promise<LabSshd> => {
  const lab = await startSshd({ subsystem });
  labs.push(lab);
  return lab;
};
beforeAll(async () => {
  standIn = await buildStandIn();
});
afterAll(async () => {
  await Promise.all(labs.map((lab) => lab.stop()));
  standIn.remove();
  rmSync(directory, { recursive: true });
});

describe('the stand-in as Windows', () => {
  it('with text of the shell, a byte order mark and CRLF works as any other', async () => {
    const person = await openLabConsole(await start(`${standIn.command} --windows`), 'powershell');
    expect(person.promptText).toBe('[web01]: PS /home/alice> ');
    expect(await person.run('1+1')).toBe('2\r\n');
    expect(await person.run('throw "oops"')).toBe('\x1b[31moops\x1b[0m\r\n');
    expect(person.text).not.toMatch(/Microsoft Windows|Profil/);
    await person.terminal?.close('closed_by_user', 3000);
    expect(person.end?.reason ?? 'closed_by_user').toBe('closed_by_user');
  });

  it.each([
    [
      '1, with the text of cmd.exe',
      'echo "\'c:/progra~1/x\' is not recognized as an internal or external command,"; exit 1',
    ],
    ['1, with a path that is not there', 'echo The system cannot find the path specified.; exit 1'],
    ['1, without a word', 'exit 1'],
    ['3', 'echo Das System kann den angegebenen Pfad nicht finden.; exit 3'],
  ])('a wrong path is named when it ends with %s', async (_what, script) => {
    const lab = await start(asProgram(script));
    expect(await codeOfRejection(openLabConsole(lab, 'powershell'))).toBe('powershell_missing');
  });

  it('another failure keeps its own words', async () => {
    const lab = await start(asProgram('echo Access is denied.; exit 1'));
    await expect(openLabConsole(lab, 'powershell')).rejects.toMatchObject({
      code: 'powershell_open_failed',
      peerText: expect.stringContaining('Access is denied.') as string,
    });
  });
});
