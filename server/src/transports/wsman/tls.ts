/** TLS to a target, and whether its certificate is one to trust. Nothing is sent before that is decided. */
import { createHash, type X509Certificate } from 'node:crypto';
import { isIP, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, createSecureContext, rootCertificates, type SecureContext, type TLSSocket } from 'node:tls';
import type { TlsTrust } from '@sallyport/shared/api/wsman';
import { SallyportError } from '../../errors.ts';
import type { ClientCertificateKey } from '../contract.ts';
import type { CertificateInChain } from '@sallyport/shared/wire/questions';
import { BelowTls } from './below-tls.ts';
import { endPointBinding } from './end-point-binding.ts';

/** Certificates shown at most. */
const MAX_CHAIN = 16;

/** What a target showed. */
export interface PresentedCertificate {
  /** DER. */
  readonly leaf: Uint8Array;
  /** SHA-256 of the leaf, hex. */
  readonly fingerprint: string;
  /** The target's own first. */
  readonly chain: readonly CertificateInChain[];
  /** What is wrong with it, each in words; null when nothing is. */
  readonly problems: { readonly chain: string | null; readonly name: string | null; readonly time: string | null };
}
/** What is left of that where the target's settings let something pass; null when nothing is. A time is never let pass. */
export function problemLeft(
  { chain, name, time }: PresentedCertificate['problems'],
  { skipCaCheck, skipCnCheck }: Pick<TlsTrust, 'skipCaCheck' | 'skipCnCheck'>,
): string | null {
  const left = [skipCaCheck ? null : chain, skipCnCheck ? null : name, time].filter((each) => each !== null);
  return left.length === 0 ? null : left.join('; ');
}
export interface TlsOptions {
  readonly host: string;
  readonly trust: Pick<TlsTrust, 'ca'>;
  /** What shows our own certificate when the target asks. */
  readonly client?: ClientCertificateKey;
  /** UTC milliseconds. */
  readonly now: number;
}
export interface TlsConnection {
  readonly socket: TLSSocket;
  readonly presented: PresentedCertificate;
  /** `tls-server-end-point:` and the hash. RFC 5929 section 4 */
  readonly channelBinding: Uint8Array;
}

/**
 * Makes TLS on a connection. Whether to go on is for the caller to decide.
 * @throws SallyportError tls_failed, client_certificate_refused
 */
export function startTls(below: Duplex, options: TlsOptions): Promise<TlsConnection> {
  const { host, trust, client } = options;
  return new Promise((resolve, reject) => {
    const fail = (cause?: Error): void => {
      socket.destroy();
      const code = isCertificateAlert(cause) ? 'client_certificate_refused' : 'tls_failed';
      reject(new SallyportError(code, 'no TLS connection could be made', cause === undefined ? {} : { cause }));
    };
    const socket = connect({
      socket: below instanceof Socket ? new BelowTls(below) : below,
      // An address has no name to indicate.
      ...(isIP(host) === 0 ? { servername: host } : {}),
      // Judged below, with all that is wrong, and with what the person accepts.
      rejectUnauthorized: false,
      checkServerIdentity: judgedLater,
      secureContext: client === undefined ? contextFor(trust.ca) : client.contextFor(trust.ca),
    });
    socket.once('error', fail);
    socket.once('close', fail);
    socket.once('secureConnect', () => {
      socket.off('error', fail);
      socket.off('close', fail);
      const leaf = socket.getPeerX509Certificate();
      if (leaf === undefined) {
        fail();
        return;
      }
      const presented = present(socket, leaf, options);
      resolve({ socket, presented, channelBinding: endPointBinding(leaf.raw) });
    });
  });
}

/** Not made for each connection: each keeps it, with all that it was made beside. */
const judgedLater = (): undefined => undefined;

const makeContext = (ca: string): SecureContext =>
  createSecureContext({ ...(ca === '' ? {} : { ca: [...rootCertificates, ca] }), minVersion: 'TLSv1.2' });

/** By the private CA, last used last. A context with the system's roots beside one costs milliseconds and 1 MiB. */
const contexts = new Map<string, SecureContext>();
const MAX_CONTEXTS = 8;

/** One context for all connections that trust the same and show no certificate of their own. */
function contextFor(ca: string): SecureContext {
  const context = contexts.get(ca) ?? makeContext(ca);
  contexts.delete(ca);
  contexts.set(ca, context);
  const [oldest] = contexts.keys();
  if (contexts.size > MAX_CONTEXTS && oldest !== undefined) contexts.delete(oldest);
  return context;
}

/** Alerts about our own certificate, or about having shown none. RFC 5246 section 7.2.2, RFC 8446 section 6.2. */
export const isCertificateAlert = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  /^ERR_SSL_\w+_ALERT_(?:\w*CERTIFICATE\w*|UNKNOWN_CA)$/.test(String(error.code));

const toHex = (certificate: X509Certificate): string => createHash('sha256').update(certificate.raw).digest('hex');

function present(socket: TLSSocket, leaf: X509Certificate, { host, now }: TlsOptions): PresentedCertificate {
  const chain: CertificateInChain[] = [];
  for (
    let at: X509Certificate | undefined = leaf;
    at !== undefined && chain.length < MAX_CHAIN;
    at = at.issuerCertificate
  ) {
    const fingerprint = toHex(at);
    if (chain.some((one) => one.fingerprint === fingerprint)) break;
    chain.push({
      subject: at.subject.slice(0, 1024),
      issuer: at.issuer.slice(0, 1024),
      names: (at.subjectAltName ?? '').slice(0, 4096),
      validFrom: Date.parse(at.validFrom),
      validTo: Date.parse(at.validTo),
      fingerprint,
    });
  }
  // Names of the subject count for nothing beside an extension with names. RFC 9110 section 4.3.4
  const isForHost = (isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host)) !== undefined;
  const isInTime = now >= Date.parse(leaf.validFrom) && now <= Date.parse(leaf.validTo);
  const problems = {
    chain: chainProblem(socket),
    name: isForHost ? null : `it is not for the name ${host}`,
    time: isInTime ? null : 'it is not valid now',
  };
  return { leaf: leaf.raw, fingerprint: toHex(leaf), chain, problems };
}

const CHAIN_WORDS: ReadonlyMap<string, string> = new Map([
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'it is self-signed'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'its issuer is not known here'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'its issuer is not known here'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'its issuer is not known here'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'its issuer is not known here'],
]);
/** Told beside the chain, by our own clock. */
const TIME_CODES: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

function chainProblem(socket: TLSSocket): string | null {
  if (socket.authorized) return null;
  // Declared as an Error, and a code in fact.
  const code = String(socket.authorizationError);
  if (TIME_CODES.has(code)) return 'a certificate of its chain is not valid now';
  return CHAIN_WORDS.get(code) ?? `its chain is not valid (${code.slice(0, 80)})`;
}
