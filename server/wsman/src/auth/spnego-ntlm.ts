import { WsManProtocolError } from '../errors.ts';
import { isSame } from './bytes.ts';
import { NtlmClient } from './ntlm-client.ts';
import type { NtlmClientOptions, ServerNames } from './ntlm-client.ts';
import { isNtlm } from './ntlm-messages.ts';
import type { NtlmSession } from './ntlm-session.ts';
import type { NtlmPrimitives } from './primitives.ts';
import { decodeNegTokenResp, encodeMechanisms, encodeNegTokenInit, encodeNegTokenResp, MECHANISM, NEG_STATE } from './spnego.ts'; // prettier-ignore

const SECTION = 'RFC 4178 5 Processing of mechListMIC';
/** The only mechanism that is listed: what policy forbids is never offered. */
const MECHANISMS = [MECHANISM.ntlm];

/** What the owner does next. */
export type SpnegoStep =
  | { readonly kind: 'send'; readonly token: Uint8Array }
  /** Both sides have proved that they know the key. */
  | { readonly kind: 'done'; readonly session: NtlmSession }
  /** The server said no. */
  | { readonly kind: 'refused' };

const unproven = (message: string): WsManProtocolError =>
  new WsManProtocolError('wsman_server_unproven', message, { section: SECTION });

/**
 * NTLM inside SPNEGO, the client's side: three tokens out and in, and a code over the list of mechanisms from both sides.
 * A server that answers with bare NTLM is followed, without that code. MS-NLMP 3.4.4.2, RFC 4178 section 5.
 */
export class SpnegoNtlmClient {
  readonly #ntlm: NtlmClient;
  #state: 'new' | 'negotiated' | 'proved' | 'over' = 'new';
  #session: NtlmSession | null = null;
  #isBare = false;

  constructor(primitives: NtlmPrimitives, options: Omit<NtlmClientOptions, 'isInSpnego'>) {
    this.#ntlm = new NtlmClient(primitives, { ...options, isInSpnego: true });
  }

  get serverNames(): ServerNames {
    return this.#ntlm.serverNames;
  }

  /** The first token. */
  begin(): Uint8Array {
    this.#move('new', 'negotiated');
    return encodeNegTokenInit({ mechanisms: MECHANISMS, mechToken: this.#ntlm.negotiate(), mechListMic: null });
  }

  /**
   * Answers the token with the challenge.
   * @param hash `ntHash` of the password; the caller wipes it
   * @throws WsManProtocolError ntlm_downgraded, wsman_malformed, wsman_too_large
   */
  challenged(token: Uint8Array, hash: Uint8Array): SpnegoStep {
    this.#move('negotiated', 'proved');
    this.#isBare = isNtlm(token);
    const challenge = this.#isBare ? token : this.#challengeIn(token);
    if (challenge === null) {
      this.close();
      return { kind: 'refused' };
    }
    const { message, session } = this.#ntlm.authenticate(challenge, hash);
    this.#session = session;
    if (this.#isBare) return { kind: 'send', token: message };
    const mechListMic = session.sign(encodeMechanisms(MECHANISMS));
    session.resetOutgoing();
    const answer = { state: NEG_STATE.incomplete, supportedMech: null, responseToken: message, mechListMic };
    return { kind: 'send', token: encodeNegTokenResp(answer) };
  }

  /** The key is known with the last token, before the server has answered it: CredSSP binds TLS with it. Null before. */
  get proved(): NtlmSession | null {
    return this.#session;
  }

  /**
   * Judges the last answer, when the server let the sign-in pass.
   * @param token null when there was none: enough for bare NTLM only
   * @throws WsManProtocolError wsman_server_unproven, wsman_seal_broken, wsman_malformed
   */
  finished(token: Uint8Array | null): SpnegoStep {
    this.#move('proved', 'over');
    const session = this.#session;
    if (session === null) throw unproven('no session to finish');
    if (this.#isBare) return { kind: 'done', session };
    if (token === null) throw unproven('the last token is missing');
    const { state, responseToken, mechListMic } = decodeNegTokenResp(token);
    if (state === NEG_STATE.reject) {
      this.close();
      return { kind: 'refused' };
    }
    if (state !== null && state !== NEG_STATE.completed) throw unproven('the server does not finish');
    // Old servers put the last token where the code stands.
    const isToken = mechListMic !== null && responseToken !== null && isSame(mechListMic, responseToken);
    if (mechListMic === null || isToken) throw unproven('the code over the list of mechanisms is missing');
    session.verify(encodeMechanisms(MECHANISMS), mechListMic);
    session.resetIncoming();
    return { kind: 'done', session };
  }

  /** Gives up what is not done. A session that was handed over goes on. Idempotent. */
  close(): void {
    if (this.#state !== 'over') this.#session?.close();
    this.#state = 'over';
  }

  /** @returns the NTLM message in a token; null when the server rejects */
  #challengeIn(token: Uint8Array): Uint8Array | null {
    const { state, supportedMech, responseToken } = decodeNegTokenResp(token);
    if (state === NEG_STATE.reject) return null;
    if (state === NEG_STATE.completed) throw unproven('the server is content before anything was proved');
    if (supportedMech !== null && !isSame(supportedMech, MECHANISM.ntlm)) {
      throw new WsManProtocolError('wsman_malformed', 'a mechanism that was not offered', { section: SECTION });
    }
    if (responseToken === null) {
      throw new WsManProtocolError('wsman_malformed', 'no challenge in the token', { section: SECTION });
    }
    return responseToken;
  }

  #move(from: string, to: 'negotiated' | 'proved' | 'over'): void {
    if (this.#state !== from) throw unproven(`a token out of turn (${this.#state})`);
    this.#state = to;
  }
}
