/** Baseline: an ssh2 client straight to sshd, with a PTY. */
import { once } from 'node:events';
import { connect } from 'node:net';
import ssh2 from 'ssh2';
import type { Adapter, Channel, ShellHost } from '../channel.ts';

function shellOf(client: ssh2.Client): Promise<ssh2.ClientChannel> {
  return new Promise((resolve, reject) => {
    client.shell({ term: 'xterm-256color', cols: 80, rows: 24 }, (error, stream) => {
      if (error === undefined) resolve(stream);
      else reject(error);
    });
  });
}

async function open(shell: ShellHost): Promise<Channel> {
  const client = new ssh2.Client();
  const ready = new Promise<void>((resolve, reject) => {
    client.once('ready', resolve).on('error', reject);
  });
  // Without Nagle's delay from the first packet on, as every gateway here does.
  const sock = connect({ host: shell.host, port: shell.port, noDelay: true });
  await once(sock, 'connect');
  client.connect({ sock, username: shell.user, privateKey: shell.privateKey });
  await ready;
  const stream = await shellOf(client);
  return {
    write: (text) => stream.write(text),
    onData: (sink) => stream.on('data', sink),
    onClose: (closed) =>
      stream.on('close', () => {
        closed('channel closed');
      }),
    pause: () => stream.pause(),
    resume: () => stream.resume(),
    close: () => client.end(),
  };
}

export const direct: Adapter = {
  name: 'direct',
  start: () => Promise.resolve({ pid: null, state: null, stop: () => Promise.resolve() }),
  open: (_, shell) => open(shell),
};
