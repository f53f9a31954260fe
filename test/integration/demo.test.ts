/** `demo` as a stranger runs it: one link, this machine as first target, and the same data when it is started again. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Target } from '@sallyport/shared/api/targets';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConsolePage, openBody } from '../lab/console-page.ts';
import { type LabGateway, startGateway } from '../lab/gateway.ts';
import { findPwsh } from '../lab/sshd.ts';

let dataDir: string;
let gateway: LabGateway;

beforeAll(async () => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'sallyport-demo-test-'));
  // The demo opens no range but its own target.
  gateway = await startGateway({ dataDir, args: ['demo'], env: { SALLYPORT_TARGET_RANGES: '' } });
});
afterAll(async () => {
  await gateway.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

test('set-up link, this machine, a shell without a question; nothing but words is printed', async () => {
  const ann = await gateway.setUp();
  const { targets } = await ann.get<{ targets: Target[] }>('/api/targets');
  expect(targets.map(({ name, isDemo }) => [name, isDemo])).toEqual([['this-machine', true]]);
  expect(targets[0]?.offers).toEqual(findPwsh() === null ? ['pty'] : ['powershell', 'pty']);
  const page = await ConsolePage.open(ann, openBody(targets[0]?.id ?? '', 'pty'));
  await page.untilLive();
  page.type('echo demo-$((40+2)) $LANG; exit\n');
  await page.untilText(/demo-42 \S+\.UTF-?8/i);
  await page.untilMessage('ended');
  expect(page.all('question')).toEqual([]);
  expect(gateway.stdout()).not.toContain('{');
  expect(gateway.stderr()).toBe('');
  expect(readFileSync(path.join(dataDir, 'demo.log'), 'utf8')).toContain('AuditCheckpoint');
});

test('started again it prints the sign-in address and has the session', async () => {
  expect(await gateway.terminate()).toBe(0);
  gateway = await startGateway({ dataDir, args: ['demo'], env: { SALLYPORT_TARGET_RANGES: '' } });
  expect(gateway.setupToken).toBeNull();
  expect(gateway.stdout()).toContain(`Sign in at ${gateway.url}/sign-in`);
  const ann = await gateway.signIn('ann');
  const { sessions } = await ann.get<{ sessions: { endReason: string }[] }>('/api/sessions');
  expect(sessions.map(({ endReason }) => endReason)).toEqual(['exited']);
  const { targets } = await ann.get<{ targets: Target[] }>('/api/targets');
  const page = await ConsolePage.open(ann, openBody(targets[0]?.id ?? '', 'pty'));
  await page.untilLive();
  page.send({ type: 'close' });
  await page.untilClosed();
});
