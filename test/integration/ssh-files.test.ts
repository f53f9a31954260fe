/** Files of a real sshd over SFTP: contents, limits, and as fast as ssh2's own ways. */
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import ssh2, { type SFTPWrapper } from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Connection, RemoteFiles } from '../../server/src/transports/contract.ts';
import { remoteFilesContract } from '../contracts/remote-files.ts';
import { codeOfRejection, connectLab } from '../lab/ssh-target.ts';
import { startSshd, type LabSshd } from '../lab/sshd.ts';

let lab: LabSshd;
let directory: string;
let connection: Connection;
let files: RemoteFiles;
const at = (name: string): string => path.join(directory, name);
beforeAll(async () => {
  lab = await startSshd({ subsystem: null, subsystems: { sftp: 'internal-sftp' } });
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-files-'));
  chmodSync(directory, 0o777);
  connection = await connectLab(lab);
  files = await connection.openFiles();
});
afterAll(async () => {
  await connection.close();
  await lab.stop();
  rmSync(directory, { recursive: true, force: true });
});

remoteFilesContract('SFTP', () => ({ files, user: lab.user }));

describe('a file', () => {
  it('that is read slowly is not asked for ahead without end', async () => {
    writeFileSync(at('slow'), randomBytes(16 * 1024 * 1024));
    const file = await files.open(at('slow'), 'read');
    const reading = file.read(0);
    await reading.next();
    const { bytesRead } = (connection as unknown as { socket: { bytesRead: number } }).socket;
    for (let turn = 0; turn < 50; turn += 1) await files.look(at('slow')); // Answers come behind what was asked for.
    expect((connection as unknown as { socket: { bytesRead: number } }).socket.bytesRead - bytesRead).toBeLessThan(2_500_000); // prettier-ignore
    await reading.return(undefined);
    await file.close();
  });
});

describe('what cannot be had has a name', () => {
  it('no sftp at the target', async () => {
    const bare = await startSshd({ subsystem: null });
    const other = await connectLab(bare);
    expect(await codeOfRejection(other.openFiles())).toBe('sftp_refused');
    await other.close();
    await bare.stop();
  });

  it('the connection, gone in the middle', async () => {
    const other = await startSshd({ subsystem: null, subsystems: { sftp: 'internal-sftp' } });
    const cut = await connectLab(other);
    const its = await cut.openFiles();
    writeFileSync(at('cut'), randomBytes(8 * 1024 * 1024));
    const file = await its.open(at('cut'), 'read');
    const reading = file.read(0);
    await reading.next();
    await other.kill();
    const rest = (async () => {
      for await (const piece of reading) expect(piece.length).toBeGreaterThan(0);
    })();
    expect(await codeOfRejection(rest)).toBe('target_lost');
    await cut.closed;
    expect(await codeOfRejection(its.look('/'))).toBe('target_lost');
    await other.stop();
  });
});

/** ssh2 by itself, at the same sshd. */
async function plainSftp(): Promise<{ sftp: SFTPWrapper; end: () => void }> {
  const client = new ssh2.Client();
  await new Promise((resolve, reject) => {
    client.on('ready', () => resolve(null)).on('error', reject);
    client.connect({ host: lab.host, port: lab.port, username: lab.user, privateKey: lab.keys.ed25519.privateKey });
  });
  client.setNoDelay(true);
  const sftp = await new Promise<SFTPWrapper>((resolve, reject) => {
    client.sftp((error, opened) => (error === undefined ? resolve(opened) : reject(error)));
  });
  return { sftp, end: () => void client.end() };
}

describe('64 MiB', () => {
  const SIZE = 64 * 1024 * 1024;
  const GOAL = 0.8;
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  const call = (ask: (done: (error: Error | null | undefined) => void) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      ask((error) => (error === null || error === undefined ? resolve() : reject(error)));
    });
  /**
   * The best of some rounds each, taken in turns, so that both had the same machine. More of them where others keep the
   * machine busy: what is slower by itself is so in its best round too.
   */
  async function ratio(ours: () => Promise<unknown>, theirs: () => Promise<unknown>): Promise<number> {
    let [own, other] = [Infinity, Infinity];
    for (let round = 0; round < 12; round += 1) {
      other = Math.min(other, await timed(theirs));
      own = Math.min(own, await timed(ours));
      if (round > 0 && other / own >= GOAL) break;
    }
    return other / own;
  }

  it('come and go at 0.8 of the speed of fastGet and fastPut or better, hashed', async () => {
    writeFileSync(at('big'), randomBytes(SIZE));
    const expected = createHash('sha256')
      .update(readFileSync(at('big')))
      .digest('hex');
    const plain = await plainSftp();
    const get = await ratio(
      async () => {
        const file = await files.open(at('big'), 'read');
        const hash = createHash('sha256');
        for await (const piece of file.read(0)) hash.update(piece);
        await file.close();
        expect(hash.digest('hex')).toBe(expected);
      },
      () => call((done) => plain.sftp.fastGet(at('big'), at('got'), done)),
    );
    const bytes = readFileSync(at('big'));
    let number = 0;
    const put = await ratio(
      async () => {
        const file = await files.open(at(`own${String((number += 1))}`), 'create');
        for (let from = 0; from < SIZE; from += 4 * 1024 * 1024) await file.write(bytes.subarray(from, from + 4 * 1024 * 1024), from); // prettier-ignore
        await file.close();
      },
      () => call((done) => plain.sftp.fastPut(at('big'), at('put'), done)),
    );
    plain.end();
    console.log(`64 MiB against ssh2: get ${get.toFixed(2)}, put ${put.toFixed(2)}`);
    expect(statSync(at('own1')).size).toBe(SIZE);
    expect(get).toBeGreaterThanOrEqual(GOAL);
    expect(put).toBeGreaterThanOrEqual(GOAL);
  }, 300_000);
});
