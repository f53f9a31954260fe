import { WsManProtocolError } from '../errors.ts';
import { isSame, uint64 } from './bytes.ts';
import { ntResponse, responseKey } from './ntlm-keys.ts';
import {
  decodeAuthenticate,
  decodeNegotiate,
  encodeChallenge,
  isNtlm,
  NTLM_FLAG,
  withoutMic,
} from './ntlm-messages.ts';
import { NtlmSession } from './ntlm-session.ts';
import type { NtlmPrimitives } from './primitives.ts';
import { Rc4 } from './rc4.ts';
import {
  decodeNegTokenInit,
  decodeNegTokenResp,
  encodeMechanisms,
  encodeNegTokenResp,
  MECHANISM,
  NEG_STATE,
} from './spnego.ts';
import { AV, claimsMic, decodeTargetInfo, encodeTargetInfo } from './target-info.ts';
import { fromUtf16, utf16 } from './utf16.ts';

const SECTION = 'MS-NLMP 3.2.5.1.2 Server Receives an AUTHENTICATE_MESSAGE from the Client';
/** Flags of every challenge besides those of the client. */
const SERVER_FLAGS = NTLM_FLAG.targetTypeServer | NTLM_FLAG.targetInfo;
/** Offsets in an NTLMv2 response: the proof has 16 bytes, 8 are fixed, then the time, the challenge, 4 zeros, the pairs. */
const TIME_AT = 24;
const CHALLENGE_AT = 32;
const PAIRS_AT = 44;

/** Who may sign in, and at what. */
export interface NtlmServerOptions {
  /** Name of the machine and of its domain. */
  readonly computer: string;
  readonly domain: string;
  /** `ntHash` of the user's password; null = no such user. */
  passwordHash(user: string, domain: string): Uint8Array | null;
  /** `channelBindingHash` of the TLS connection; a client that binds to another is refused. */
  readonly bindingHash: Uint8Array | null;
}

/** Who signed in, and what goes back to them. */
export interface NtlmSignedIn {
  readonly token: Uint8Array;
  readonly session: NtlmSession;
  readonly user: string;
  readonly domain: string;
}

/** NTLMv2 inside SPNEGO, the server's side. One per connection. MS-NLMP 3.2 Server Details. */
export class SpnegoNtlmServer {
  readonly #primitives: NtlmPrimitives;
  readonly #options: NtlmServerOptions;
  #negotiate: Uint8Array = new Uint8Array();
  #challenge: Uint8Array = new Uint8Array();
  #serverChallenge: Uint8Array = new Uint8Array();
  #mechanisms: readonly Uint8Array[] = [];

  constructor(primitives: NtlmPrimitives, options: NtlmServerOptions) {
    this.#primitives = primitives;
    this.#options = options;
  }

  /** Answers the first token with the challenge. @throws WsManProtocolError wsman_malformed, wsman_too_large */
  challenge(token: Uint8Array): Uint8Array {
    const { mechanisms, mechToken } = decodeNegTokenInit(token);
    const [first] = mechanisms;
    if (first === undefined || !isSame(first, MECHANISM.ntlm) || mechToken === null || !isNtlm(mechToken)) {
      throw new WsManProtocolError('wsman_malformed', 'no NTLM as the first mechanism', { section: SECTION });
    }
    this.#mechanisms = mechanisms;
    this.#negotiate = new Uint8Array(mechToken);
    this.#serverChallenge = this.#primitives.random(8);
    const { computer, domain } = this.#options;
    this.#challenge = encodeChallenge({
      flags: (decodeNegotiate(mechToken) | SERVER_FLAGS) >>> 0,
      serverChallenge: this.#serverChallenge,
      targetName: utf16(computer),
      targetInfo: encodeTargetInfo([
        [AV.domain, utf16(domain)],
        [AV.computer, utf16(computer)],
        [AV.timestamp, uint64(this.#primitives.fileTime())],
      ]),
    });
    return encodeNegTokenResp({
      state: NEG_STATE.incomplete,
      supportedMech: MECHANISM.ntlm,
      responseToken: this.#challenge,
      mechListMic: null,
    });
  }

  /**
   * Judges the proof.
   * @returns null when it does not hold: a wrong password, another user, a message that was changed, another TLS connection
   * @throws WsManProtocolError wsman_malformed, wsman_too_large, wsman_seal_broken
   */
  authenticate(token: Uint8Array): NtlmSignedIn | null {
    const { responseToken, mechListMic } = decodeNegTokenResp(token);
    if (responseToken === null || mechListMic === null || this.#challenge.length === 0) return null;
    const message = decodeAuthenticate(responseToken);
    const user = fromUtf16(message.user);
    const domain = fromUtf16(message.domain);
    const hash = this.#options.passwordHash(user, domain);
    if (hash === null || message.encryptedSessionKey.length !== 16) return null;
    const baseKey = this.#baseKey(message.ntResponse, responseKey(this.#primitives, hash, user, domain));
    if (baseKey === null) return null;
    const sessionKey = new Rc4(baseKey).update(message.encryptedSessionKey);
    const mic = this.#primitives.hmacMd5(sessionKey, this.#negotiate, this.#challenge, withoutMic(responseToken));
    if (!isSame(mic, message.mic)) return null;
    const session = new NtlmSession(this.#primitives, sessionKey, 'server');
    const list = encodeMechanisms(this.#mechanisms);
    session.verify(list, mechListMic);
    session.resetIncoming();
    const answer = encodeNegTokenResp({
      state: NEG_STATE.completed,
      supportedMech: null,
      responseToken: null,
      mechListMic: session.sign(list),
    });
    session.resetOutgoing();
    return { token: answer, session, user, domain };
  }

  /** @returns the SessionBaseKey, when the response was made with the key over what the client must say */
  #baseKey(response: Uint8Array, key: Uint8Array): Uint8Array | null {
    if (response.length < PAIRS_AT + 4) return null;
    const targetInfo = response.subarray(PAIRS_AT, response.length - 4);
    const info = decodeTargetInfo(targetInfo);
    const bound = info.get(AV.channelBindings);
    const { bindingHash } = this.#options;
    if (bindingHash !== null && bound !== undefined && !isSame(bound, bindingHash)) return null;
    const made = ntResponse(this.#primitives, key, this.#serverChallenge, {
      time: new DataView(response.buffer, response.byteOffset + TIME_AT, 8).getBigUint64(0, true),
      clientChallenge: response.subarray(CHALLENGE_AT, CHALLENGE_AT + 8),
      targetInfo,
    });
    return claimsMic(info) && isSame(made.response, response) ? made.sessionBaseKey : null;
  }
}
