/** kill -9 of the gateway in the middle of output: nothing that a page saw is lost, and the proof still holds. */
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AuditVerdict } from '@sallyport/shared/api/audit';
import type { RecordingInfo, SessionRow } from '@sallyport/shared/api/sessions';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { type LabGateway, type Person, startGateway } from '../lab/gateway.ts';
import { acceptHostKey, addLabTarget, recordedOutput } from '../lab/journeys.ts';
import { type LabSshd, startSshd } from '../lab/sshd.ts';

const ROUNDS = 20;
let dataDir: string;
let sshd: LabSshd;
let gateway: LabGateway;
let targetId: string;
/** Signed in once: a login outlives the gateway that it was made at. */
let ann: Person;

beforeAll(async () => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'sallyport-kill-'));
  sshd = await startSshd();
  gateway = await startGateway({ dataDir });
  ann = await gateway.setUp();
  targetId = (await addLabTarget(ann, sshd)).id;
  const page = await ConsolePage.open(ann, openBody(targetId, 'pty'));
  await acceptHostKey(page);
  await page.untilLive();
  page.send({ type: 'close' });
  await page.untilClosed();
});
afterAll(async () => {
  await gateway.stop();
  await sshd.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

/** A session that is killed with its gateway after at least `bytes` of output. */
async function killAfter(bytes: number): Promise<ConsolePage> {
  const page = await ConsolePage.open(ann, openBody(targetId, 'pty'));
  await page.untilLive();
  page.type('seq 1 100000000\n');
  await page.until(() => page.bytes >= bytes, `${String(bytes)} bytes`);
  await gateway.kill();
  await page.untilClosed();
  return page;
}

async function checkLost(page: ConsolePage): Promise<void> {
  const row = await ann.get<SessionRow>(`/api/sessions/${page.sessionId}`);
  expect(row).toMatchObject({ phase: 'ended', endReason: 'gateway_lost', hasRecording: true });
  expect(await ann.get<RecordingInfo>(`/api/recordings/${page.sessionId}`)).toMatchObject({ chain: 'verified' });
  const recorded = await recordedOutput(ann, page.sessionId);
  expect(recorded.length).toBeGreaterThanOrEqual(page.bytes);
  expect(recorded.subarray(0, page.bytes).equals(page.buffer())).toBe(true);
}

test.each(Array.from({ length: ROUNDS }, (_, round) => round + 1))(
  'time %i: what the page had is in the recording, the chains verify, the session is gateway_lost',
  async () => {
    const page = await killAfter(1 + randomInt(200_000));
    gateway = await startGateway({ dataDir });
    const { cookie } = ann;
    ann = gateway.nobody();
    ann.cookie = cookie;
    await checkLost(page);
    expect(await ann.post<AuditVerdict>('/api/audit/verify')).toMatchObject({ ok: true });
  },
);
