/** Throw-away certificates for `localhost` and one more name. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';

export interface LabCertificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Writes `NAME.pem` and `NAME.key` into the directory. */
export function makeCertificate(directory: string, name: string, host = 'localhost'): LabCertificate {
  const certFile = path.join(directory, `${name}.pem`);
  const keyFile = path.join(directory, `${name}.key`);
  const subject = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host},DNS:localhost,IP:127.0.0.1`];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  execFileSync('openssl', ['req', '-x509', '-days', '2', ...key, '-out', certFile, ...subject], { stdio: 'pipe' });
  return { certFile, keyFile };
}
