import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/contracts/fake-clock.ts';
import { createLog } from '../log/log.ts';
import { readCertificate, watchCertificate } from './certificate.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'sallyport-tls-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A self-signed pair of that name, as two PEM texts. */
function makePair(name: string): { cert: string; key: string } {
  const [cert, key] = [path.join(directory, `${name}.pem`), path.join(directory, `${name}.key`)];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'];
  const args = ['req', '-x509', ...kind, '-subj', `/CN=${name}`, '-keyout', key, '-out', cert];
  execFileSync('openssl', args, { stdio: 'ignore' });
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function nameServed(port: number): Promise<unknown> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN;
}

describe('the certificate of the gateway', () => {
  it('is taken up when both files have changed, and stays when they do not fit', async () => {
    const [one, two] = [makePair('one'), makePair('two')];
    const files = { certFile: path.join(directory, 'cert.pem'), keyFile: path.join(directory, 'key.pem') };
    const write = (cert: string, key: string): void => {
      writeFileSync(files.certFile, cert);
      writeFileSync(files.keyFile, key);
    };
    write(one.cert, one.key);
    const inUse = readCertificate(files);
    const server = createServer(inUse);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const clock = new FakeClock();
    const messages: string[] = [];
    const log = createLog('info', {
      write: (text: string) => void messages.push((JSON.parse(text) as { msg: string }).msg),
    });
    const stop = watchCertificate({ files, inUse, server, clock, log });
    const later = async (): Promise<void> => {
      await turn();
      clock.advance(10_000);
      await turn();
    };
    try {
      await later();
      expect(await nameServed(port)).toBe('one');
      write(two.cert, one.key);
      await later();
      await later();
      expect(await nameServed(port)).toBe('one');
      write(two.cert, two.key);
      await later();
      expect(await nameServed(port)).toBe('two');
      rmSync(files.keyFile);
      await later();
      expect(await nameServed(port)).toBe('two');
      // The mismatch is told once, not at every look.
      expect(messages).toEqual(['TlsReloadFailed', 'TlsReloaded', 'TlsReloadFailed']);
    } finally {
      stop();
      server.close();
      await once(server, 'close');
    }
  });

  it('is refused at the start when it is not one, with the files named', () => {
    const files = { certFile: path.join(directory, 'cert.pem'), keyFile: path.join(directory, 'none.pem') };
    writeFileSync(files.certFile, 'no certificate');
    expect(() => readCertificate(files)).toThrow(/cert\.pem and .*none\.pem/);
  });
});
