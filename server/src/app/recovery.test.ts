import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import { SallyportError } from '../errors.ts';
import { createLog } from '../log/log.ts';
import { tokenHash } from '../random.ts';
import { answerRecovery, requestRecovery } from './recovery.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const publicUrl = 'https://gate.example/shell';

let dataDir: string;
let clock: FakeClock;
let admitted: string[];
let stop: () => void;
/** Time passes while the command waits. */
const wait = async (ms: number): Promise<void> => {
  clock.advance(ms);
  await turn();
};
function answering(admit = (hash: string) => Promise.resolve(void admitted.push(hash))): void {
  stop = answerRecovery({ dataDir, publicUrl, admit, clock, log: createLog('silent') });
}
beforeEach(() => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'sallyport-recovery-'));
  clock = new FakeClock();
  admitted = [];
  stop = () => undefined;
});
afterEach(() => {
  stop();
  rmSync(dataDir, { recursive: true, force: true });
});

describe('recovery beside a running gateway', () => {
  it('gives the command a link whose token the gateway never saw, and leaves no file', async () => {
    answering(async (hash) => {
      const file = path.join(dataDir, 'recover.request');
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(readFileSync(file, 'utf8')).toContain(hash);
      await Promise.resolve();
      admitted.push(hash);
    });
    const link = await requestRecovery(dataDir, wait);
    const token = link.slice(`${publicUrl}/setup#`.length);
    expect(link.startsWith(`${publicUrl}/setup#`)).toBe(true);
    expect(admitted).toEqual([tokenHash(token)]);
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it('is refused with the code of the gateway, and taken once', async () => {
    let asked = 0;
    answering(() => {
      asked += 1;
      return Promise.reject(new SallyportError('audit_unavailable', 'away'));
    });
    await expect(requestRecovery(dataDir, wait)).rejects.toThrow(/audit_unavailable/);
    for (let second = 0; second < 5; second++) await wait(1000);
    expect(asked).toBe(1);
  });

  it('says so when nobody answers, and takes the request back', async () => {
    await expect(requestRecovery(dataDir, wait)).rejects.toMatchObject({ code: 'dependency_unavailable' });
    answering();
    for (let second = 0; second < 3; second++) await wait(1000);
    expect([admitted, readdirSync(dataDir)]).toEqual([[], []]);
  });

  it.each([
    ['not JSON', 'x', 0o600],
    ['no hash', '{"id":"a","hash":"zz"}', 0o600],
    ['open to others', JSON.stringify({ id: 'a', hash: 'a'.repeat(64) }), 0o666],
  ])('ignores a request that is %s', async (_what, text, mode) => {
    const file = path.join(dataDir, 'recover.request');
    const old = process.umask(0);
    writeFileSync(file, text, { mode });
    process.umask(old);
    answering();
    await turn();
    expect([admitted, existsSync(file)]).toEqual([[], false]);
  });
});
