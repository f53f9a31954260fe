import { joinBytes } from './bytes.ts';
import { contextTag, der, DerReader, TAG } from './der.ts';

const SECTION = 'RFC 4178 4.2 Negotiation Tokens';
/** Windows lists four. */
const MAX_MECHANISMS = 16;

/** Object identifiers of mechanisms, their content bytes. */
export const MECHANISM = {
  spnego: Uint8Array.of(0x2b, 6, 1, 5, 5, 2),
  kerberos: Uint8Array.of(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2),
  /** The same with a bit lost, as Windows 2000 had it. */
  kerberosOld: Uint8Array.of(0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 1, 2, 2),
  ntlm: Uint8Array.of(0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 0x0a),
} as const;

/** `negState`. RFC 4178 4.2.2. */
export const NEG_STATE = { completed: 0, incomplete: 1, reject: 2, requestMic: 3 } as const;
/** How a negotiation stands, as the server says. */
export type NegState = (typeof NEG_STATE)[keyof typeof NEG_STATE];

/** The first token of a negotiation. */
export interface NegTokenInit {
  /** In order of preference. */
  readonly mechanisms: readonly Uint8Array[];
  readonly mechToken: Uint8Array | null;
  readonly mechListMic: Uint8Array | null;
}

/** Every later token. */
export interface NegTokenResp {
  readonly state: NegState | null;
  readonly supportedMech: Uint8Array | null;
  readonly responseToken: Uint8Array | null;
  readonly mechListMic: Uint8Array | null;
}

/** MechTypeList, the bytes that mechListMIC is made over. RFC 4178 4.2.1. */
export const encodeMechanisms = (mechanisms: readonly Uint8Array[]): Uint8Array =>
  der(TAG.sequence, ...mechanisms.map((oid) => der(TAG.oid, oid)));

const octets = (number: number, bytes: Uint8Array | null): Uint8Array =>
  bytes === null ? new Uint8Array() : der(contextTag(number), der(TAG.octetString, bytes));

/** RFC 4178 4.2.1 negTokenInit, with the header of RFC 2743 3.1. */
export function encodeNegTokenInit({ mechanisms, mechToken, mechListMic }: NegTokenInit): Uint8Array {
  const list = der(contextTag(0), encodeMechanisms(mechanisms));
  const init = der(TAG.sequence, list, octets(2, mechToken), octets(3, mechListMic));
  return der(TAG.application, der(TAG.oid, MECHANISM.spnego), der(contextTag(0), init));
}

/** RFC 4178 4.2.2 negTokenResp. */
export function encodeNegTokenResp({ state, supportedMech, responseToken, mechListMic }: NegTokenResp): Uint8Array {
  const parts = [
    state === null ? new Uint8Array() : der(contextTag(0), der(TAG.enumerated, Uint8Array.of(state))),
    supportedMech === null ? new Uint8Array() : der(contextTag(1), der(TAG.oid, supportedMech)),
    octets(2, responseToken),
    octets(3, mechListMic),
  ];
  return der(contextTag(1), der(TAG.sequence, joinBytes(...parts)));
}

/**
 * RFC 4178 4.2.1 negTokenInit. `reqFlags` is passed over.
 * @throws WsManProtocolError wsman_malformed, wsman_too_large
 */
export function decodeNegTokenInit(token: Uint8Array): NegTokenInit {
  const outer = new DerReader(token, SECTION);
  const application = outer.inside(TAG.application);
  outer.end();
  const oid = application.take(TAG.oid);
  if (oid.length !== MECHANISM.spnego.length || !MECHANISM.spnego.every((byte, i) => oid[i] === byte)) {
    application.fail('a token of another mechanism');
  }
  const choice = application.inside(contextTag(0));
  application.end();
  const init = choice.inside(TAG.sequence);
  choice.end();
  const field = init.inside(contextTag(0));
  const list = field.inside(TAG.sequence);
  field.end();
  const mechanisms: Uint8Array[] = [];
  while (!list.isAtEnd) {
    if (mechanisms.length === MAX_MECHANISMS) list.fail('too many mechanisms');
    mechanisms.push(list.take(TAG.oid));
  }
  init.optional(1, TAG.bitString);
  const result = { mechanisms, mechToken: init.optional(2, TAG.octetString), mechListMic: init.optional(3, TAG.octetString) }; // prettier-ignore
  init.end();
  return result;
}

const isState = (value: number | undefined): value is NegState => value !== undefined && value <= NEG_STATE.requestMic;

/** RFC 4178 4.2.2 negTokenResp. @throws WsManProtocolError wsman_malformed, wsman_too_large */
export function decodeNegTokenResp(token: Uint8Array): NegTokenResp {
  const outer = new DerReader(token, SECTION);
  const choice = outer.inside(contextTag(1));
  outer.end();
  const sequence = choice.inside(TAG.sequence);
  choice.end();
  const bytes = sequence.optional(0, TAG.enumerated);
  const state = bytes?.[0];
  if (bytes !== null && (bytes.length !== 1 || !isState(state))) sequence.fail('a state that does not exist');
  const result: NegTokenResp = {
    state: isState(state) ? state : null,
    supportedMech: sequence.optional(1, TAG.oid),
    responseToken: sequence.optional(2, TAG.octetString),
    mechListMic: sequence.optional(3, TAG.octetString),
  };
  sequence.end();
  return result;
}
