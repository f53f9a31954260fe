/** Throw-away certificates for `localhost` and one more name. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface LabCertificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Writes `NAME.pem` and `NAME.key` into the directory; signed by itself, or by `signer`, whose certificate then follows. */
export function makeCertificate(
  directory: string,
  name: string,
  host = 'localhost',
  signer: LabCertificate | null = null,
): LabCertificate {
  const certFile = path.join(directory, `${name}.pem`);
  const keyFile = path.join(directory, `${name}.key`);
  const subject = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host},DNS:localhost,IP:127.0.0.1,IP:::1`];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile];
  const by =
    signer === null ? [] : ['-CA', signer.certFile, '-CAkey', signer.keyFile, '-addext', 'basicConstraints=CA:FALSE'];
  execFileSync('openssl', ['req', '-x509', '-days', '2', ...key, '-out', certFile, ...subject, ...by], {
    stdio: 'pipe',
  });
  if (signer !== null) appendFileSync(certFile, readFileSync(signer.certFile));
  return { certFile, keyFile };
}
