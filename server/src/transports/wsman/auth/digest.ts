/** Digest, over verified TLS only. RFC 7616, and RFC 2617 for old servers; winrm-auth.md section 7. */
import { createHash, randomBytes } from 'node:crypto';
import { SallyportError, toError } from '../../../errors.ts';
import type { Secret } from '../../../secret.ts';
import type { ConnectionSignIn, HttpSignIn, SignedIn, SignInAnswer, SignInStep } from './contract.ts';

/** What a server wants to be answered. */
export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | null;
  readonly algorithm: DigestAlgorithm;
  /** False for servers of RFC 2069. */
  readonly hasQop: boolean;
  readonly isStale: boolean;
  readonly hashesUser: boolean;
}
const ALGORITHMS = ['SHA-256', 'SHA-256-sess', 'MD5', 'MD5-sess'] as const;
type DigestAlgorithm = (typeof ALGORITHMS)[number];

/** Parameters of one challenge, at most. */
const MAX_PARAMETERS = 32;
const MAX_CHALLENGE_CHARS = 8192;
const PARAMETER = /\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)/y;

/** The parameters after `Digest `; null when they are none. */
function parametersOf(text: string): Map<string, string> | null {
  const found = new Map<string, string>();
  PARAMETER.lastIndex = 0;
  while (PARAMETER.lastIndex < text.length && found.size < MAX_PARAMETERS) {
    const match = PARAMETER.exec(text);
    if (match === null) return found.size === 0 ? null : found;
    const [, name = '', quoted, bare = ''] = match;
    const key = name.toLowerCase();
    if (!found.has(key)) found.set(key, quoted === undefined ? bare : quoted.replace(/\\(.)/g, '$1'));
  }
  return found;
}

function toChallenge(parameters: Map<string, string>): DigestChallenge | null {
  const nonce = parameters.get('nonce');
  const named = (parameters.get('algorithm') ?? 'MD5').toLowerCase();
  const algorithm = ALGORITHMS.find((name) => name.toLowerCase() === named);
  const qop = parameters
    .get('qop')
    ?.split(',')
    .map((each) => each.trim().toLowerCase());
  // Protection of the body as well is for servers that offer nothing else; none is known.
  if (nonce === undefined || algorithm === undefined || qop?.includes('auth') === false) return null;
  return {
    realm: parameters.get('realm') ?? '',
    nonce,
    opaque: parameters.get('opaque') ?? null,
    algorithm,
    hasQop: qop !== undefined,
    isStale: parameters.get('stale')?.toLowerCase() === 'true',
    hashesUser: parameters.get('userhash')?.toLowerCase() === 'true',
  };
}

/**
 * The strongest challenge that can be answered. @param challenges values of `WWW-Authenticate`
 * @returns null when there is none: Digest is not offered, or only with unknown algorithms
 */
export function findDigest(challenges: readonly string[]): DigestChallenge | null {
  const found: DigestChallenge[] = [];
  for (const value of challenges) {
    const text = value.slice(0, MAX_CHALLENGE_CHARS);
    for (const match of text.matchAll(/(?:^|,\s*)Digest\s+/gi)) {
      const parameters = parametersOf(text.slice(match.index + match[0].length));
      const challenge = parameters === null ? null : toChallenge(parameters);
      if (challenge !== null) found.push(challenge);
    }
  }
  return found.sort((a, b) => ALGORITHMS.indexOf(a.algorithm) - ALGORITHMS.indexOf(b.algorithm))[0] ?? null;
}

/** What goes into one answer. */
export interface DigestInput {
  readonly user: string;
  readonly password: string;
  readonly method: string;
  readonly path: string;
  /** How often this nonce was used, this time included. */
  readonly count: number;
  readonly cnonce: string;
}

const counted = (count: number): string => count.toString(16).padStart(8, '0');
const hashOf = (algorithm: DigestAlgorithm): 'sha256' | 'md5' => (algorithm.startsWith('SHA-256') ? 'sha256' : 'md5');
const hasherOf = (algorithm: DigestAlgorithm) => (text: string) =>
  createHash(hashOf(algorithm)).update(text).digest('hex');

/** MD5 does not exist in FIPS mode. @throws SallyportError digest_unavailable */
function checkHash({ algorithm }: DigestChallenge, hash: typeof createHash): void {
  try {
    hash(hashOf(algorithm));
  } catch (cause) {
    throw new SallyportError('digest_unavailable', 'digest with MD5 is unavailable: fips', { cause: toError(cause) });
  }
}

/** RFC 7616 section 3.4.1 Response; with an empty method that of the server, section 3.5. */
export function digestResponse(challenge: DigestChallenge, input: DigestInput): string {
  const { realm, nonce, algorithm, hasQop } = challenge;
  const { user, password, method, path, count, cnonce } = input;
  const hash = hasherOf(algorithm);
  const plain = hash(`${user}:${realm}:${password}`);
  const secret = algorithm.endsWith('-sess') ? hash(`${plain}:${nonce}:${cnonce}`) : plain;
  const asked = hash(`${method}:${path}`);
  return hasQop
    ? hash(`${secret}:${nonce}:${counted(count)}:${cnonce}:auth:${asked}`)
    : hash(`${secret}:${nonce}:${asked}`);
}

const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;

/** Node writes a header one byte per character: this makes the bytes those of UTF-8, which the hash was made over. */
const inUtf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** Value of `Authorization`, as Node writes it: one character for each byte of UTF-8. */
export function digestAuthorization(challenge: DigestChallenge, input: DigestInput): string {
  const { realm, nonce, opaque, algorithm, hasQop, hashesUser } = challenge;
  const user = hashesUser ? hasherOf(algorithm)(`${input.user}:${realm}`) : input.user;
  const parts = [
    `username=${quoted(user)}`,
    `realm=${quoted(realm)}`,
    `nonce=${quoted(nonce)}`,
    `uri=${quoted(input.path)}`,
    `algorithm=${algorithm}`,
    ...(hasQop ? [`qop=auth`, `nc=${counted(input.count)}`, `cnonce=${quoted(input.cnonce)}`] : []),
    `response="${digestResponse(challenge, input)}"`,
    ...(opaque === null ? [] : [`opaque=${quoted(opaque)}`]),
    ...(hashesUser ? ['userhash=true'] : []),
  ];
  return inUtf8(`Digest ${parts.join(', ')}`);
}

/** Who signs in. */
export interface DigestOptions {
  readonly user: string;
  readonly password: Secret;
  /** For tests of a platform without MD5. */
  readonly hash?: typeof createHash;
}

/** Signs every request on one connection with its own nonce. */
class DigestConnection implements ConnectionSignIn {
  readonly #user: string;
  readonly #password: Secret;
  readonly #hash: typeof createHash;
  #challenge: DigestChallenge | null = null;
  #count = 0;

  constructor({ user, password, hash = createHash }: DigestOptions) {
    this.#user = user;
    this.#password = password;
    this.#hash = hash;
  }

  async next(answer: SignInAnswer | null): Promise<SignInStep> {
    if (answer === null) return { kind: 'send', authorization: '' };
    this.#challenge = findDigest(answer.challenges);
    if (this.#challenge === null) throw new SallyportError('wsman_method_disabled', 'the target does not offer Digest');
    checkHash(this.#challenge, this.#hash);
    return { kind: 'done', session: this.#session(this.#challenge) };
  }
  close(): void {
    this.#challenge = null;
  }

  #session(first: DigestChallenge): SignedIn {
    let challenge = first;
    /** What the server's own proof is made over: the last request. */
    let proof = '';
    return {
      mechanism: 'Digest',
      sealing: null,
      authorize: ({ method, path }) => {
        this.#count += 1;
        const who = { user: this.#user, password: this.#password.reveal() };
        const cnonce = randomBytes(16).toString('base64url');
        const input = { ...who, method, path, count: this.#count, cnonce };
        proof = challenge.hasQop ? digestResponse(challenge, { ...input, method: '' }) : '';
        return digestAuthorization(challenge, input);
      },
      answered: ({ challenges }) => {
        const fresh = findDigest(challenges);
        // A second refusal without `stale` is one of the password.
        if (fresh?.isStale !== true || fresh.nonce === challenge.nonce) return false;
        checkHash(fresh, this.#hash);
        challenge = fresh;
        this.#count = 0;
        return true;
      },
      // RFC 7616 section 3.5 The Authentication-Info and Proxy-Authentication-Info Header Fields.
      accepted: ({ authenticationInfo }) => {
        const info = parametersOf((authenticationInfo ?? '').slice(0, MAX_CHALLENGE_CHARS));
        const said = info?.get('rspauth');
        if (said !== undefined && proof !== '' && said.toLowerCase() !== proof)
          throw new SallyportError(
            'wsman_server_unproven',
            'digest: the proof of the server is not that of the password',
          );
        const nonce = info?.get('nextnonce');
        if (nonce === undefined) return;
        challenge = { ...challenge, nonce };
        this.#count = 0;
      },
    };
  }
}

/**
 * Digest with one password.
 * @throws SallyportError (from `next`) wsman_method_disabled, digest_unavailable
 */
export const digestSignIn = (options: DigestOptions): HttpSignIn => ({
  begin: () => new DigestConnection(options),
  close: () => Promise.resolve(),
});
