/** The lab's side of signing in over HTTP. */
import { createHash, randomBytes, type X509Certificate } from 'node:crypto';
import { ntHash, SpnegoNtlmServer } from '@sallyport/wsman';
import { systemClock } from '../../../server/src/clock.ts';
import { ntlmPrimitives } from '../../../server/src/transports/wsman/auth/md5.ts';
import type { MessageSealing } from '../../../server/src/transports/wsman/auth/contract.ts';

export type Accepted =
  | { readonly kind: 'refused'; readonly challenges: readonly string[] }
  /** @param token the last one, for `WWW-Authenticate` of an answer with status 200 */
  | { readonly kind: 'accepted'; readonly user: string; readonly token?: string };

/** Of one connection. */
export interface LabSignIn {
  /** @param certificate what the client showed in TLS, if its chain is good */
  take(
    authorization: string | null,
    method: string,
    path: string,
    certificate: X509Certificate | null,
  ): Promise<Accepted> | Accepted;
  /** The connection is signed in, not each request. */
  readonly isBound: boolean;
  /** Seals the bodies once it is signed in; null where they go as they are. */
  readonly sealing: MessageSealing | null;
}
export type LabAcceptor = () => LabSignIn;

const REFUSED = (challenge: string): Accepted => ({ kind: 'refused', challenges: [challenge] });

/** Basic, with one account. */
export const basicAcceptor =
  (user: string, password: string): LabAcceptor =>
  () => ({
    isBound: false,
    sealing: null,
    take: (authorization) =>
      authorization === `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
        ? { kind: 'accepted', user }
        : REFUSED('Basic realm="WSMAN"'),
  });

const MUTUAL = 'http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual';

/** Client certificates, mapped to users by their thumbprint (SHA-1) as Windows does it by issuer and UPN. */
export const certificateAcceptor =
  (mapping: Readonly<Record<string, string>>): LabAcceptor =>
  () => ({
    isBound: false,
    sealing: null,
    take(authorization, _method, _path, certificate) {
      const user = mapping[certificate?.fingerprint.replaceAll(':', '').toLowerCase() ?? ''];
      return authorization === MUTUAL && user !== undefined ? { kind: 'accepted', user } : REFUSED(MUTUAL);
    },
  });

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const parameter = (header: string, name: string): string =>
  new RegExp(`[ ,]${name}=(?:"([^"]*)"|([^,]*))`).exec(header)?.slice(1).find(Boolean) ?? '';

/** Digest with SHA-256; each nonce is good for some requests. Independent of the product's own. */
export const digestAcceptor =
  (user: string, password: string, usesPerNonce = 3): LabAcceptor =>
  () => {
    let nonce = randomBytes(12).toString('hex');
    let uses = 0;
    const challenge = (isStale: boolean): Accepted => {
      nonce = randomBytes(12).toString('hex');
      uses = 0;
      return REFUSED(
        `Digest realm="lab, inc", qop="auth", algorithm=SHA-256, nonce="${nonce}"${isStale ? ', stale=true' : ''}`,
      );
    };
    return {
      isBound: false,
      sealing: null,
      take(authorization, method, path) {
        if (authorization === null) return challenge(false);
        const [nc, cnonce] = [parameter(authorization, 'nc'), parameter(authorization, 'cnonce')];
        const secret = sha256(`${user}:lab, inc:${password}`);
        const expected = sha256(`${secret}:${nonce}:${nc}:${cnonce}:auth:${sha256(`${method}:${path}`)}`);
        const isRight = parameter(authorization, 'response') === expected;
        uses += 1;
        if (!isRight || Number.parseInt(nc, 16) !== uses) return challenge(false);
        return uses > usesPerNonce ? challenge(true) : { kind: 'accepted', user };
      },
    };
  };

/** NTLM inside SPNEGO, with one account of the domain LAB; bodies are sealed over plain HTTP. */
export const ntlmAcceptor =
  (user: string, password: string): LabAcceptor =>
  () => {
    const primitives = ntlmPrimitives(() => systemClock.now());
    const server = new SpnegoNtlmServer(primitives, {
      ...{ computer: 'WEB01', domain: 'LAB', bindingHash: null },
      passwordHash: (name, domain) => (`${domain}\\${name}` === user ? ntHash(password) : null),
    });
    let sealing: MessageSealing | null = null;
    let isChallenged = false;
    const answer = (token: Uint8Array): string => `Negotiate ${Buffer.from(token).toString('base64')}`;
    return {
      get isBound() {
        return sealing !== null;
      },
      get sealing() {
        return sealing;
      },
      take(authorization) {
        const token = Buffer.from(/^Negotiate (.+)$/.exec(authorization ?? '')?.[1] ?? '', 'base64');
        if (token.length === 0) return REFUSED('Negotiate');
        if (!isChallenged) {
          isChallenged = true;
          return REFUSED(answer(server.challenge(token)));
        }
        const signedIn = server.authenticate(token);
        if (signedIn === null) return REFUSED('Negotiate');
        const { session } = signedIn;
        sealing = {
          ...{ protocol: 'application/HTTP-SPNEGO-session-encrypted', label: 'lab', maxPart: Number.MAX_SAFE_INTEGER },
          seal: async (plain) => session.seal(plain),
          unseal: async (part) => session.unseal(part),
        };
        return { kind: 'accepted', user: `${signedIn.domain}\\${signedIn.user}`, token: answer(signedIn.token) };
      },
    };
  };
