/** The gateway's own TLS certificate and key, taken up anew when the files change. security.md section 3 "Front door". */
import { readFileSync } from 'node:fs';
import { type Server as TlsServer, createSecureContext } from 'node:tls';
import type { Clock } from '../clock.ts';
import { SallyportError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import { repeat } from './upkeep.ts';

const LOOK_EVERY_MS = 2_000;

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}
export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Reads both and proves that they belong together. @throws SallyportError config_invalid, naming the files */
export function readCertificate({ certFile, keyFile }: CertificateFiles): Certificate {
  try {
    const read = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
    createSecureContext(read);
    return read;
  } catch (cause) {
    throw new SallyportError('config_invalid', `${certFile} and ${keyFile} are not a certificate and its key`, {
      cause,
    });
  }
}

/**
 * Looks at the files' content every 2 s (links that are switched count, as renewal tools do it). What does not fit, for
 * example a certificate whose key is not there yet, is logged once and the one in use stays.
 * @returns stops it
 */
export function watchCertificate(join: {
  readonly files: CertificateFiles;
  readonly inUse: Certificate;
  readonly server: Pick<TlsServer, 'setSecureContext'>;
  readonly clock: Clock;
  readonly log: Log;
}): () => void {
  const { files, server, clock, log } = join;
  let { inUse } = join;
  let failed = '';
  return repeat(clock, LOOK_EVERY_MS, log, 'TlsReloadFailed', () => {
    try {
      const found = readCertificate(files);
      failed = '';
      if (found.cert.equals(inUse.cert) && found.key.equals(inUse.key)) return Promise.resolve();
      server.setSecureContext({ ...found, minVersion: 'TLSv1.2' });
      inUse = found;
      log.info({ certFile: files.certFile }, 'TlsReloaded');
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error;
      const cause = error.cause instanceof Error ? error.cause.message : '';
      if (failed !== cause) log.error({ certFile: files.certFile, keyFile: files.keyFile, cause }, 'TlsReloadFailed');
      failed = cause;
    }
    return Promise.resolve();
  });
}
