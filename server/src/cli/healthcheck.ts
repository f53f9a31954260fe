import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { parseListen } from '../config/addresses.ts';
import { DATA_OPTIONS, configOf } from './config.ts';
import { type Command, readArgs } from './command.ts';

/** Asks the gateway on this machine; the certificate is its own and for another name, so it is not judged here. */
function ask(url: URL): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { timeout: 2500, rejectUnauthorized: false };
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('timeout', () => request.destroy(new Error('no answer in 2.5 s')));
    request.on('error', reject);
    request.end();
  });
}

const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '[::1]' };

export const healthcheck: Command = {
  name: 'healthcheck',
  summary: 'ask the gateway on this machine whether it answers (for containers)',
  usage: `sallyport healthcheck [--data DIR] [--config FILE]

Exit code 0 when /healthz of the gateway that this configuration describes answers 200, else 1.`,
  async run(args, io) {
    const { config } = configOf(io, readArgs(args, DATA_OPTIONS).values);
    const listen = parseListen(config.listen) ?? { host: '127.0.0.1', port: 8022 };
    const host = LOOPBACK[listen.host] ?? (listen.host.includes(':') ? `[${listen.host}]` : listen.host);
    const base = config.publicUrl === null ? '' : new URL(config.publicUrl).pathname.replace(/\/+$/, '');
    const status = await ask(
      new URL(`${config.tlsCertFile === null ? 'http' : 'https'}://${host}:${listen.port}${base}/healthz`),
    );
    if (status !== 200) io.err(`healthz answered ${status}\n`);
    return status === 200 ? 0 : 1;
  },
};
