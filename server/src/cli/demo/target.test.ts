import ssh2 from 'ssh2';
import { afterEach, describe, expect, it } from 'vitest';
import { ed25519KeyPair } from './ed25519.ts';
import { type DemoTarget, findProgram, startDemoTarget } from './target.ts';

let target: DemoTarget | null = null;
afterEach(async () => {
  await target?.stop();
  target = null;
});

/** Opens a shell with the target's own key, runs one line and returns what came back. */
function shell(to: DemoTarget, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client.on('error', reject);
    client.on('ready', () => {
      client.shell({ term: 'xterm-256color', cols: 91, rows: 33 }, (error, channel) => {
        if (error !== undefined) {
          reject(error);
          return;
        }
        let text = '';
        channel.on('data', (data: Buffer) => (text += data.toString()));
        channel.on('close', () => {
          client.end();
          resolve(text);
        });
        channel.write(`${line}; exit\r`);
      });
    });
    client.connect({
      host: '127.0.0.1',
      port: to.port,
      username: to.user,
      privateKey: to.privateKey,
      hostVerifier: (key: Buffer) => key.toString('base64') === to.hostKey,
    });
  });
}

describe('demo target', () => {
  it('gives a shell of this machine through an sshd, under the host key that it names', async (context) => {
    if (findProgram('sshd', process.env) === null) context.skip('no sshd on this machine');
    target = await startDemoTarget(process.env);
    expect(target.kind).toBe('sshd');
    expect(await shell(target, 'stty size; echo $((6*7))')).toMatch(/33 91[\s\S]*42/);
  });

  it('gives a shell in this process when there is no sshd', async () => {
    target = await startDemoTarget({ PATH: '' }, { sshd: null });
    expect(target.kind).toBe('in-process');
    expect(await shell(target, 'stty size; echo $((6*7))')).toMatch(/33 91[\s\S]*42/);
  });

  it('refuses any other key in this process', async () => {
    target = await startDemoTarget({ PATH: '' }, { sshd: null });
    const other = { ...target, privateKey: ed25519KeyPair().private };
    await expect(shell(other, 'true')).rejects.toThrow(/authentication/i);
  });
});
