import { WsManProtocolError } from '../errors.ts';
import { lmResponse, ntResponse, responseKey } from './ntlm-keys.ts';
import { decodeChallenge, encodeAuthenticate, encodeNegotiate, NTLM_FLAG, setMic } from './ntlm-messages.ts';
import type { Challenge } from './ntlm-messages.ts';
import { NtlmSession } from './ntlm-session.ts';
import type { NtlmPrimitives } from './primitives.ts';
import { Rc4 } from './rc4.ts';
import { AV, clientTargetInfo, decodeTargetInfo } from './target-info.ts';
import type { TargetInfo } from './target-info.ts';
import { fromUtf16, utf16 } from './utf16.ts';

const SECTION = 'MS-NLMP 3.1.5.1.2 Client Receives a CHALLENGE_MESSAGE from the Server';

/** Without one of these the server asks for less than this client gives; somebody may have taken it out on the way. */
const REQUIRED: readonly (keyof typeof NTLM_FLAG)[] = [
  'unicode',
  'extendedSessionSecurity',
  'sign',
  'seal',
  'keyExchange',
  'key128',
];

/** Who signs in, and where. */
export interface NtlmClientOptions {
  readonly user: string;
  /** Empty where the server is to find it. */
  readonly domain: string;
  /** Name of this machine for the server's log; may be empty. */
  readonly workstation: string;
  /** Service the proof is for, for example `HTTP/server`. */
  readonly targetName: string;
  /** `channelBindingHash` of the TLS connection; null without TLS. */
  readonly bindingHash: Uint8Array | null;
  /** Inside SPNEGO the code over all messages is always sent; else when the server tells its time. */
  readonly isInSpnego: boolean;
}

/** What a server says of itself. Nobody has verified it. */
export interface ServerNames {
  readonly dnsComputer: string | null;
  readonly dnsDomain: string | null;
}

/** An NTLMv2 sign-in from the client's side. NTLMv1 and LM are not spoken. MS-NLMP 3.1 Client Details. */
export class NtlmClient {
  readonly #primitives: NtlmPrimitives;
  readonly #options: NtlmClientOptions;
  readonly #negotiate = encodeNegotiate();
  #serverNames: ServerNames = { dnsComputer: null, dnsDomain: null };

  constructor(primitives: NtlmPrimitives, options: NtlmClientOptions) {
    this.#primitives = primitives;
    this.#options = options;
  }

  /** The first message. MS-NLMP 2.2.1.1 NEGOTIATE_MESSAGE. */
  negotiate(): Uint8Array {
    return this.#negotiate;
  }

  get serverNames(): ServerNames {
    return this.#serverNames;
  }

  /**
   * Answers the server's challenge. MS-NLMP 3.1.5.1.2 Client Receives a CHALLENGE_MESSAGE from the Server.
   * @param token the server's message as it came
   * @param hash `ntHash` of the password; the caller wipes it
   * @returns the last message, and what the session is protected with if the server takes it
   * @throws WsManProtocolError ntlm_downgraded, wsman_malformed, wsman_too_large; nothing made from the password was sent
   */
  authenticate(token: Uint8Array, hash: Uint8Array): { readonly message: Uint8Array; readonly session: NtlmSession } {
    const challenge = decodeChallenge(token);
    const info = this.#judge(challenge);
    const primitives = this.#primitives;
    const { user, domain, workstation } = this.#options;
    const time = info.get(AV.timestamp);
    const hasMic = this.#options.isInSpnego || time !== undefined;
    const key = responseKey(primitives, hash, user, domain);
    const clientChallenge = primitives.random(8);
    const { response, sessionBaseKey } = ntResponse(primitives, key, challenge.serverChallenge, {
      time: time === undefined ? primitives.fileTime() : new DataView(time.buffer, time.byteOffset, 8).getBigUint64(0, true),
      clientChallenge,
      targetInfo: clientTargetInfo(info, {
        hasMic,
        bindingHash: this.#options.bindingHash,
        targetName: utf16(this.#options.targetName),
      }),
    }); // prettier-ignore
    const sessionKey = primitives.random(16);
    const message = encodeAuthenticate({
      flags: challenge.flags,
      lmResponse: hasMic ? new Uint8Array(24) : lmResponse(primitives, key, challenge.serverChallenge, clientChallenge),
      ntResponse: response,
      domain: utf16(domain),
      user: utf16(user),
      workstation: utf16(workstation),
      encryptedSessionKey: new Rc4(sessionBaseKey).update(sessionKey),
    });
    if (hasMic) setMic(message, primitives.hmacMd5(sessionKey, this.#negotiate, token, message));
    const session = new NtlmSession(primitives, sessionKey, 'client');
    for (const secret of [key, sessionBaseKey, sessionKey]) secret.fill(0);
    return { message, session };
  }

  /** Refuses what asks for less protection than was offered. @returns what the server tells of itself */
  #judge({ flags, targetInfo }: Challenge): TargetInfo {
    const missing = REQUIRED.filter((name) => (flags & NTLM_FLAG[name]) === 0);
    if (missing.length > 0 || targetInfo.length === 0) {
      const what = targetInfo.length === 0 ? [...missing, 'target information'] : missing;
      throw new WsManProtocolError('ntlm_downgraded', `a challenge without ${what.join(', ')}`, { section: SECTION, offset: 20 }); // prettier-ignore
    }
    const info = decodeTargetInfo(targetInfo);
    const text = (id: number): string | null => {
      const value = info.get(id);
      return value === undefined ? null : fromUtf16(value.subarray(0, 512));
    };
    this.#serverNames = { dnsComputer: text(AV.dnsComputer), dnsDomain: text(AV.dnsDomain) };
    return info;
  }
}

/** Splits what a person typed: `DOM\user`, `user@realm` (sent as typed, without a domain), `.\user` and `user`. */
export function splitUser(typed: string): { readonly domain: string; readonly user: string } {
  const at = typed.indexOf('\\');
  if (at < 0) return { domain: '', user: typed };
  const domain = typed.slice(0, at);
  return { domain: domain === '.' ? '' : domain, user: typed.slice(at + 1) };
}
