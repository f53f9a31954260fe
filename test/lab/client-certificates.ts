/** An authority of the lab for client certificates with a UPN, made with OpenSSL. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const run = (...args: readonly string[]): string => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const extensions = (upn: string): string =>
  `[client]\nbasicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\nsubjectAltName=DNS:x.test,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:${upn}\n`;

export interface LabClientCertificate {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  readonly sha1: string;
  readonly sha256: string;
  /** The key as PEM, encrypted. */
  encryptedKey(passphrase: string): string;
  /** A PKCS #12 file in base64. @param options of `openssl pkcs12` */
  pkcs12(passphrase: string, ...options: readonly string[]): string;
}
export interface LabClientAuthority {
  /** PEM of the authority. */
  readonly certificate: string;
  /** File of the same. */
  readonly file: string;
  issue(upn: string): LabClientCertificate;
  remove(): void;
}

/** @param name of the authority's subject */
export function makeClientAuthority(name = 'lab clients'): LabClientAuthority {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-clients-'));
  execFileSync('chmod', ['755', directory]);
  const at = (file: string): string => path.join(directory, file);
  const text = (file: string): string => readFileSync(at(file), 'utf8');
  run('req', '-x509', '-days', '2', ...EC, '-keyout', at('ca.key'), '-out', at('ca.pem'), '-subj', `/CN=${name}`);
  let count = 0;
  return {
    certificate: text('ca.pem'),
    file: at('ca.pem'),
    issue(upn) {
      const stem = `client${String((count += 1))}`;
      const [key, request, pem] = ['key', 'csr', 'pem'].map((ending) => `${stem}.${ending}`) as [
        string,
        string,
        string,
      ];
      writeFileSync(at(`${stem}.cnf`), extensions(upn));
      run('req', ...EC, '-keyout', at(key), '-out', at(request), '-subj', `/O=Lab/CN=${upn.replace(/@.*/, '')}`);
      const signer = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-set_serial', String(Date.now() + count)];
      const how = ['-days', '2', '-extfile', at(`${stem}.cnf`), '-extensions', 'client'];
      run('x509', '-req', '-in', at(request), '-out', at(pem), ...signer, ...how);
      const fingerprint = (hash: string): string =>
        (run('x509', '-in', at(pem), '-noout', '-fingerprint', `-${hash}`).split('=')[1] ?? '').trim().replaceAll(':', '').toLowerCase(); // prettier-ignore
      return {
        ...{ certificate: text(pem), key: text(key), sha1: fingerprint('sha1'), sha256: fingerprint('sha256') },
        encryptedKey: (passphrase) => run('pkcs8', '-topk8', '-in', at(key), '-passout', `pass:${passphrase}`),
        pkcs12(passphrase, ...options) {
          const parts = [
            '-in',
            at(pem),
            '-inkey',
            at(key),
            '-certfile',
            at('ca.pem'),
            '-passout',
            `pass:${passphrase}`,
          ];
          run('pkcs12', '-export', ...parts, '-out', at(`${stem}.p12`), ...options);
          return readFileSync(at(`${stem}.p12`)).toString('base64');
        },
      };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
