/** The main job over the real program: a shell and PowerShell on a real sshd, recorded, in the ledger, replayed. */
import type { AuditPage, AuditVerdict, LedgerPage } from '@sallyport/shared/api/audit';
import type { RecordingInfo, SessionRow } from '@sallyport/shared/api/sessions';
import type { Target } from '@sallyport/shared/api/targets';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { type LabGateway, type Person, startGateway } from '../lab/gateway.ts';
import { type LabSshd, findPwsh, startSshd } from '../lab/sshd.ts';
import { addLabTarget, acceptHostKey, recordedOutput } from '../lab/journeys.ts';

let gateway: LabGateway;
let sshd: LabSshd;
let ann: Person;
let target: Target;

beforeAll(async () => {
  [gateway, sshd] = await Promise.all([startGateway(), startSshd()]);
  ann = await gateway.setUp();
  target = await addLabTarget(ann, sshd);
});
afterAll(async () => {
  await gateway.stop();
  await sshd.stop();
});

describe('a shell', () => {
  test('asks about the unknown host key once, then runs what is typed and records it', async () => {
    const page = await ConsolePage.open(ann, openBody(target.id, 'pty'));
    const fingerprint = await acceptHostKey(page);
    expect(fingerprint).toBe(sshd.hostKeys[0]?.fingerprint);
    await page.untilMessage('facts');
    await page.untilLive();
    page.type('echo $((6*7))-$(tput cols)\n');
    await page.untilText('42-80');
    page.send({ type: 'resize', cols: 120, rows: 30 });
    page.type('stty size; exit 3\n');
    await page.untilText('30 120');
    const ended = await page.untilMessage('ended');
    expect(ended).toMatchObject({ reason: 'exited', exitCode: 3 });
    expect((await page.untilClosed()).code).toBe(4502);
    const row = await ann.get<SessionRow>(`/api/sessions/${page.sessionId}`);
    expect(row).toMatchObject({ phase: 'ended', exitCode: 3, hasRecording: true, outputBytes: page.offset });
    const info = await ann.get<RecordingInfo>(`/api/recordings/${page.sessionId}`);
    expect(info).toMatchObject({ chain: 'verified', live: false, outputBytes: page.offset });
    expect((await recordedOutput(ann, page.sessionId)).equals(page.buffer())).toBe(true);
  });

  test('is not asked about the key again', async () => {
    const page = await ConsolePage.open(ann, openBody(target.id, 'pty'));
    await page.untilLive();
    page.type('exit\n');
    await page.untilMessage('ended');
    expect(page.all('question')).toEqual([]);
  });
});

describe('PowerShell', () => {
  beforeEach((context) => {
    if (findPwsh() === null) context.skip('no pwsh');
  });

  test('prompts, runs lines, shows errors once, ends with the exit code', async () => {
    const page = await ConsolePage.open(ann, openBody(target.id, 'powershell'));
    const first = await page.untilMessage('prompt');
    expect(first.text).toMatch(/^\[lab\]: PS .*> $/);
    expect(await page.run('6*7')).toContain('42');
    const failed = await page.run('Get-Item /no/such/thing');
    expect(failed.match(/Cannot find path/g)).toHaveLength(1);
    page.submit('exit 5');
    expect(await page.untilMessage('ended')).toMatchObject({ exitCode: 5 });
    const ledger = await ann.get<LedgerPage>(`/api/ledger?session=${page.sessionId}`);
    expect(ledger.rows.map(({ text, state, errorCount }) => [text, state, errorCount])).toEqual([
      ['6*7', 'completed', 0],
      ['Get-Item /no/such/thing', 'completed', 1],
      ['exit 5', 'completed', 0],
    ]);
    expect(ledger.rows.map(({ shellId }) => shellId)).toEqual([null, null, null]);
    expect((await recordedOutput(ann, page.sessionId)).equals(page.buffer())).toBe(true);
  });
});

test('the audit log holds the events and verifies', async () => {
  const { events } = await ann.get<AuditPage>('/api/audit?limit=200');
  const types = new Set(events.map(({ type }) => type));
  for (const type of [
    'gateway.start',
    'hostkey.accepted',
    'session.open',
    'session.end',
    'credential.used',
    'recording.replay',
  ])
    expect(types, type).toContain(type);
  expect(await ann.post<AuditVerdict>('/api/audit/verify')).toMatchObject({ ok: true, firstBad: null });
});
