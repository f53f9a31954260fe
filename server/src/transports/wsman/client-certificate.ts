/** Client certificates (X.509) with their key: PEM, or PKCS #12 as Windows exports it. winrm-auth.md section 7. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { Duplex } from 'node:stream';
import { createSecureContext, rootCertificates, type SecureContext, TLSSocket } from 'node:tls';
import type { ClientCertificateFacts } from '@sallyport/shared/api/certificates';
import type { WsManSettings } from '@sallyport/shared/api/wsman';
import { visibleText } from '@sallyport/shared/terminal-output/visible-text';
import { SallyportError } from '../../errors.ts';
import type { Secret } from '../../secret.ts';
import type { ClientCertificateKey, Identity } from '../contract.ts';
import { exportKey } from '../ssh/decrypt-key.ts';
import { parseKeyFile } from '../ssh/key-file.ts';
import { decryptInWorker } from '../ssh/key-worker.ts';
import { elementAt, type Element } from './end-point-binding.ts';

/** Of one PEM text: the certificate and those of its authorities. */
const MAX_CERTIFICATES = 8;
/** Of a PKCS #12 file, all keys and the checksum together: OpenSSL and Windows write 2,000. A million is half a second. */
const MAX_PKCS12_ROUNDS = 1_000_000;
const MAX_DER_DEPTH = 16;
const MAX_NAME = 1024;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;
const PEM_KEY = /-----BEGIN ((?:RSA |EC |ENCRYPTED )?PRIVATE KEY)-----[\s\S]+?-----END \1-----/;

/** 2.5.29.17 subjectAltName; 1.3.6.1.4.1.311.20.2.3 szOID_NT_PRINCIPAL_NAME; 1.2.840.113549.1.12.10.1.2 shrouded key. */
const OID = { names: '551d11', upn: '2b060104018237140203', shroudedKey: '2a864886f70d010c0a0102' } as const;
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_USAGE = '2.5.29.37.0';

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const unreadableKey = (why: string, cause?: unknown): SallyportError =>
  new SallyportError('key_unreadable', `client certificate: ${why}`, { cause });
const unreadable = (why: string, cause?: unknown): SallyportError =>
  new SallyportError('certificate_unreadable', `client certificate: ${why}`, { cause });

function elementsOf(bytes: Uint8Array): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const element = elementAt(bytes, at);
    if (element === null) return found;
    found.push(element);
    at = element.end;
  }
  return found;
}
const isConstructed = ({ tag }: Element): boolean => (tag & 0x20) !== 0;

/** Every element of these bytes, those inside others too, with its place among its neighbours. */
function* walk(bytes: Uint8Array, depth = 0): Generator<{ element: Element; among: readonly Element[] }> {
  if (depth > MAX_DER_DEPTH) return;
  const among = elementsOf(bytes);
  for (const element of among) {
    yield { element, among };
    // DER within an octet string, as extensions and PKCS #12 have it.
    const holds = element.tag === 0x04 && element.content[0] === 0x30;
    if (isConstructed(element) || holds) yield* walk(element.content, depth + 1);
  }
}

/** The user principal name of the subjectAltName, RFC 5280 section 4.2.1.6 otherName; null without one. */
function upnOf(certificate: Uint8Array): string | null {
  for (const { element, among } of walk(certificate)) {
    if (element.tag !== 0x06 || hexOf(element.content) !== OID.names) continue;
    for (const { element: name, among: beside } of walk(among.at(-1)?.content ?? new Uint8Array())) {
      if (name.tag !== 0x06 || hexOf(name.content) !== OID.upn) continue;
      const text = elementsOf(beside[1]?.content ?? new Uint8Array()).find(({ tag }) => tag === 0x0c);
      if (text !== undefined) return visibleText(new TextDecoder().decode(text.content), MAX_NAME);
    }
  }
  return null;
}

const thumbprint = (printed: string): string => printed.replaceAll(':', '').toLowerCase();

function factsOf(certificate: X509Certificate): ClientCertificateFacts {
  // Declared as text, and undefined when there is none.
  const usage = certificate.keyUsage as string[] | undefined;
  return {
    subject: visibleText(certificate.subject, MAX_NAME),
    issuer: visibleText(certificate.issuer, MAX_NAME),
    upn: upnOf(certificate.raw),
    validFrom: Date.parse(certificate.validFrom),
    validTo: Date.parse(certificate.validTo),
    sha1: thumbprint(certificate.fingerprint),
    sha256: thumbprint(certificate.fingerprint256),
    isForClients: usage === undefined || usage.includes(CLIENT_AUTH) || usage.includes(ANY_USAGE),
  };
}

/** What a certificate says. @param pem one certificate @throws SallyportError certificate_unreadable */
export function describeClientCertificate(pem: string): ClientCertificateFacts {
  try {
    return factsOf(new X509Certificate(pem));
  } catch (cause) {
    throw unreadable('not a certificate', cause);
  }
}

const isPem = (text: string): boolean => text.includes('-----BEGIN ');

/** Whoever made the file has chosen how much work its passphrase costs, and it is done on the event loop. */
function checkPkcs12Work(file: Uint8Array): void {
  let rounds = 0;
  let hasKey = false;
  for (const { element } of walk(file)) {
    if (element.tag === 0x06 && hexOf(element.content) === OID.shroudedKey) hasKey = true;
    if (element.tag === 0x02 && element.content.length > 0 && element.content.length <= 8)
      rounds += Number(BigInt(`0x${hexOf(element.content)}`));
  }
  // A key whose work cannot be seen (within another encryption, or in indefinite lengths) is not opened.
  if (!hasKey) throw unreadableKey('not a PKCS #12 file in a form that is known here, with a key');
  if (rounds > MAX_PKCS12_ROUNDS) throw new SallyportError('key_too_slow', `PKCS #12: ${rounds} rounds`);
}

interface ContextOptions {
  readonly ca?: string[];
}
const LIMITS = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;

/** HTTP.SYS asks for the certificate within the connection, which Node answers up to TLS 1.2 only. */
function contextOf(material: string, passphrase: string | null, more: ContextOptions): SecureContext {
  if (isPem(material)) {
    const cert = (material.match(PEM_CERTIFICATE) ?? []).join('\n');
    return createSecureContext({ ...LIMITS, ...more, cert, key: PEM_KEY.exec(material)?.[0] ?? '' });
  }
  const pfx = Buffer.from(material, 'base64');
  try {
    return createSecureContext({ ...LIMITS, ...more, pfx, passphrase: passphrase ?? '' });
  } catch (cause) {
    throw unreadableKey('wrong passphrase, or encrypted in a way that is too old (RC2)', cause);
  } finally {
    pfx.fill(0);
  }
}

/** The certificate that a context would show. */
function ownCertificate(secureContext: SecureContext): X509Certificate {
  const nowhere = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const socket = new TLSSocket(nowhere, { secureContext, isServer: true });
  const own = socket.getX509Certificate();
  socket.on('error', () => undefined).destroy();
  if (own === undefined) throw unreadable('the file holds no certificate for its key');
  return own;
}

/** What is kept of a client certificate. */
export interface ReadClientCertificate {
  readonly facts: ClientCertificateFacts;
  /** PEM of the certificate alone. */
  readonly leaf: string;
  /** To be sealed: PEM with the key in clear, the certificate of the key first; or the PKCS #12 file in base64. */
  readonly material: string;
  /** To be sealed with it; null for PEM. */
  readonly passphrase: string | null;
}

/**
 * Reads what a person brings. @param text chain and key as PEM, or a PKCS #12 file in base64
 * @throws SallyportError key_unreadable, key_too_slow, certificate_unreadable
 */
export async function readClientCertificate(text: Secret, passphrase: Secret | null): Promise<ReadClientCertificate> {
  const given = text.reveal();
  if (!isPem(given)) return readPkcs12(given, passphrase);
  const certificates = (given.match(PEM_CERTIFICATE) ?? []).map((pem) => {
    try {
      return new X509Certificate(pem);
    } catch (cause) {
      throw unreadable('a certificate in it is damaged', cause);
    }
  });
  if (certificates.length === 0) throw unreadable('no certificate in the text');
  if (certificates.length > MAX_CERTIFICATES) throw unreadable(`more than ${MAX_CERTIFICATES} certificates`);
  const { isEncrypted } = parseKeyFile(text);
  const block = PEM_KEY.exec(given)?.[0] ?? '';
  const clear = isEncrypted ? await decrypted(block, passphrase) : exported(block);
  const key = createPrivateKey(clear);
  const leaf = certificates.find((one) => one.checkPrivateKey(key));
  if (leaf === undefined) throw unreadable('the key is of another certificate');
  const chain = [leaf, ...certificates.filter((one) => one !== leaf)].map(String);
  return { facts: factsOf(leaf), leaf: leaf.toString(), material: [...chain, clear].join(''), passphrase: null };
}

function exported(block: string): string {
  let pem: string | null;
  try {
    pem = exportKey(createPrivateKey(block));
  } catch (cause) {
    throw unreadableKey('unknown form of key', cause);
  }
  if (pem === null) throw unreadableKey('type of key that is not supported');
  return pem;
}

async function decrypted(block: string, passphrase: Secret | null): Promise<string> {
  if (passphrase === null) throw unreadableKey('the key is encrypted and there is no passphrase');
  const task = { form: 'pem', text: block, passphrase: passphrase.reveal() } as const;
  const clear = await decryptInWorker(task, new AbortController().signal);
  if (clear === null) throw unreadableKey('wrong passphrase or unknown form of key');
  return clear;
}

function readPkcs12(text: string, passphrase: Secret | null): ReadClientCertificate {
  const file = Buffer.from(text, 'base64');
  checkPkcs12Work(file);
  const material = file.toString('base64');
  const phrase = passphrase?.reveal() ?? '';
  const leaf = ownCertificate(contextOf(material, phrase, {}));
  return { facts: factsOf(leaf), leaf: leaf.toString(), material, passphrase: phrase };
}

/**
 * What the vault has opened, ready to be shown. @param material as `readClientCertificate` gave it; wiped as soon as TLS has it
 * @throws SallyportError key_unreadable, certificate_unreadable
 */
export function openClientCertificate(material: Secret, passphrase: Secret | null): ClientCertificateKey {
  const text = material.reveal();
  const facts = isPem(text)
    ? describeClientCertificate(text)
    : factsOf(ownCertificate(contextOf(text, passphrase?.reveal() ?? null, {})));
  let context: SecureContext | null = null;
  return {
    facts,
    contextFor(ca) {
      if (context === null) {
        const more = ca === '' ? {} : { ca: [...rootCertificates, ca] };
        context = contextOf(material.reveal(), passphrase?.reveal() ?? null, more);
        material.wipe();
        passphrase?.wipe();
      }
      return context;
    },
  };
}

/**
 * Our own certificate, for a target that signs in with one; judged by our own clock, before anything is sent.
 * @throws SallyportError client_certificate_needed, certificate_not_valid_now, wsman_clear_refused, target_auth_unsupported
 */
export function clientFor(
  { identity, settings }: { readonly identity: Identity; readonly settings: WsManSettings },
  now: number,
): ClientCertificateKey | null {
  const isWanted = settings.method === 'certificate';
  if (identity.kind !== 'certificate') {
    if (isWanted) throw new SallyportError('client_certificate_needed', 'no client certificate for the target');
    return null;
  }
  if (!isWanted) throw new SallyportError('target_auth_unsupported', `a certificate is nothing for ${settings.method}`);
  if (!settings.tls) throw new SallyportError('wsman_clear_refused', 'a client certificate needs HTTPS');
  const { validFrom, validTo } = identity.certificate.facts;
  if (now < validFrom || now > validTo)
    throw new SallyportError('certificate_not_valid_now', now > validTo ? 'it has expired' : 'it is not yet valid');
  return identity.certificate;
}

const DAY = (time: number): string => new Date(time).toISOString().slice(0, 10);

/** One line for the person whose session is about to show it. */
export const describeUse = ({ upn, subject, validTo, sha1 }: ClientCertificateFacts): string =>
  `client certificate ${upn ?? 'without UPN'} (${subject.replaceAll('\n', ', ')}), valid until ${DAY(validTo)}, SHA-1 ${sha1}`;
