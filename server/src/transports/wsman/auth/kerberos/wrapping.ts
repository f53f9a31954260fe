/** How tokens of Kerberos travel: bare, or in SPNEGO (RFC 4178) with Kerberos as the only mechanism. */
import {
  MECHANISM,
  NEG_STATE,
  WsManError,
  decodeNegTokenResp,
  encodeMechanisms,
  encodeNegTokenInit,
  encodeNegTokenResp,
  type NegTokenResp,
} from '@sallyport/wsman';
import { SallyportError } from '../../../../errors.ts';

/** What of the context a wrapping needs. */
export interface ContextSigner {
  sign(bytes: Uint8Array): Promise<Uint8Array>;
  /** @throws SallyportError wsman_seal_broken */
  verify(signature: Uint8Array, bytes: Uint8Array): Promise<void>;
}

export interface OpenedToken {
  /** The mechanism's own token; null when there is none in it. */
  readonly inner: Uint8Array | null;
  readonly isRejected: boolean;
}

/** One per connection. */
export interface TokenWrapping {
  /** @param token the first one of the mechanism */
  first(token: Uint8Array): Uint8Array;
  /** @throws SallyportError when the token is none, or of another mechanism */
  open(token: Uint8Array): OpenedToken;
  /**
   * @param token the mechanism's next one; empty when it needs none
   * @param context null while it is not complete
   * @returns what to send; null = nothing more
   */
  next(token: Uint8Array, context: ContextSigner | null): Promise<Uint8Array | null>;
}

const whole = (token: Uint8Array): Uint8Array | null => (token.length === 0 ? null : token);

/** Scheme `Kerberos`. */
export const bare = (): TokenWrapping => ({
  first: (token) => token,
  open: (token) => ({ inner: token, isRejected: false }),
  next: (token) => Promise.resolve(whole(token)),
});

const LIST = [MECHANISM.kerberos];
const isSame = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;
/** Some servers answer with a token of the mechanism itself: `[APPLICATION 0]`, where SPNEGO's answers begin with `[1]`. */
const isRaw = (token: Uint8Array): boolean => token[0] === 0x60;

function decode(token: Uint8Array): NegTokenResp {
  try {
    return decodeNegTokenResp(token);
  } catch (error) {
    if (!(error instanceof WsManError)) throw error;
    throw new SallyportError('wsman_malformed', `spnego: ${error.message}`, { cause: error });
  }
}

class Spnego implements TokenWrapping {
  #last: NegTokenResp | null = null;
  #isRaw = false;
  #hasSigned = false;

  first(token: Uint8Array): Uint8Array {
    return encodeNegTokenInit({ mechanisms: LIST, mechToken: token, mechListMic: null });
  }

  open(token: Uint8Array): OpenedToken {
    if (this.#isRaw || (this.#last === null && isRaw(token))) {
      this.#isRaw = true;
      return { inner: token, isRejected: false };
    }
    const response = decode(token);
    const { supportedMech, responseToken, state } = response;
    const isOurs = [MECHANISM.kerberos, MECHANISM.kerberosOld].some((oid) => supportedMech !== null && isSame(oid, supportedMech)); // prettier-ignore
    if (supportedMech !== null && !isOurs)
      throw new SallyportError('wsman_server_unproven', 'spnego: the server chose a mechanism that was not offered');
    this.#last = response;
    return { inner: responseToken, isRejected: state === NEG_STATE.reject };
  }

  async next(token: Uint8Array, context: ContextSigner | null): Promise<Uint8Array | null> {
    if (this.#isRaw || this.#last === null) return whole(token);
    const { state, mechListMic, responseToken } = this.#last;
    const list = encodeMechanisms(LIST);
    let isListProven = false;
    // Old servers put the token of the mechanism in the place of the checksum.
    if (mechListMic !== null && !(responseToken !== null && isSame(mechListMic, responseToken))) {
      if (context === null)
        throw new SallyportError('wsman_server_unproven', 'spnego: a checksum before there is a key');
      await context.verify(mechListMic, list);
      isListProven = true;
    }
    if (state === NEG_STATE.completed) return whole(token);
    const isMicDue = context !== null && !this.#hasSigned && (state === NEG_STATE.requestMic || isListProven);
    if (!isMicDue && token.length === 0) return null;
    this.#hasSigned ||= isMicDue;
    return encodeNegTokenResp({
      state: NEG_STATE.incomplete,
      supportedMech: null,
      responseToken: whole(token),
      mechListMic: isMicDue ? await context.sign(list) : null,
    });
  }
}

/** Scheme `Negotiate`. The checksum over the list is optional where the first mechanism is taken. RFC 4178 section 5. */
export const inSpnego = (): TokenWrapping => new Spnego();
