import { createHash, createHmac } from 'node:crypto';
import {
  decodeAuthenticate,
  decodeNegTokenInit,
  decodeNegTokenResp,
  decodeSealedBody,
  decodeTsRequest,
  derLength,
  encodeNegTokenInit,
  encodeNegTokenResp,
  encodeSealedBody,
  encodeTsRequest,
  ntHash,
  SpnegoNtlmClient,
  SpnegoNtlmServer,
  WsManError,
} from '@sallyport/wsman';
import type { NtlmPrimitives } from '@sallyport/wsman';
import { authMessage } from '../auth-messages.ts';
import { changedDer } from '../der-trees.ts';
import { material, MAX_INPUT_BYTES, mutate } from '../mutate.ts';
import { must } from '../parser.ts';
import type { FuzzParser } from '../parser.ts';
import type { Random } from '../random.ts';

const primitives: NtlmPrimitives = {
  md5: (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('md5')).digest(),
  hmacMd5: (key, ...parts) => parts.reduce((mac, part) => mac.update(part), createHmac('md5', key)).digest(),
  random: (length) => new Uint8Array(length).fill(0x55),
  fileTime: () => 0n,
};
const HASH = ntHash('Password');
const CLIENT = { user: 'User', domain: 'Domain', workstation: '', targetName: 'HTTP/srv', bindingHash: null };
const SERVER = { computer: 'Server', domain: 'Domain', passwordHash: () => HASH, bindingHash: null };
const SPNEGO = 'application/HTTP-SPNEGO-session-encrypted';
const CREDSSP = 'application/HTTP-CredSSP-session-encrypted';
const TYPE = `multipart/encrypted;protocol="${SPNEGO}";boundary="Encrypted Boundary"`;
const MAX_PLAIN_BYTES = 64 * 1024;

const client = (): { client: SpnegoNtlmClient; first: Uint8Array } => {
  const made = new SpnegoNtlmClient(primitives, CLIENT);
  return { client: made, first: made.begin() };
};

/** Good tokens of a whole sign-in and bodies of both kinds. */
function seeds(): Uint8Array[] {
  const peer = new SpnegoNtlmServer(primitives, SERVER);
  const { client: ours, first } = client();
  const challenge = peer.challenge(first);
  const step = ours.challenged(challenge, HASH);
  must(step.kind === 'send', 'a sign-in that does not go on');
  const accepted = peer.authenticate(step.token);
  must(accepted !== null, 'a sign-in that is refused');
  const { responseToken } = decodeNegTokenResp(challenge);
  const part = (length: number): Uint8Array => new Uint8Array(length).fill(0x2d);
  const record = Uint8Array.of(23, 3, 3, 0, 20, ...part(20));
  const sealed = [{ plainLength: 40, signature: part(16), sealed: part(40) }];
  const records = [1, 2].map(() => ({
    plainLength: 3,
    signature: record.subarray(0, 17),
    sealed: record.subarray(17),
  }));
  return [
    first,
    challenge,
    responseToken ?? challenge,
    step.token,
    accepted.token,
    encodeTsRequest({ negoToken: challenge }),
    encodeTsRequest({ negoToken: first, pubKeyAuth: part(48), clientNonce: part(32), errorCode: 0xc000006d }),
    encodeSealedBody(sealed, { protocol: SPNEGO }).bytes,
    encodeSealedBody(sealed, { protocol: SPNEGO, hasTab: false }).bytes,
    encodeSealedBody(records, { protocol: CREDSSP }).bytes,
  ];
}

const TOKENS = [
  '--Encrypted Boundary\r\n', '-- Encrypted Boundary\r\n', '--Encrypted Boundary--\r\n', '\tContent-Type: ', 'application/octet-stream\r\n',
  '\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=', ';Length=99999999', ';Length=-1', ';Length=0x10', '\r\n', '\r', '\n', SPNEGO, CREDSSP,
  'NTLMSSP\0', '\u0003\0\0\0', '\u0001\0\0\0', '\u0017\u0003\u0003\0\u0001x', '\u0010\0\0\0', '\0\0\0\0', '\u0030\0', '\u0006\n', '\0', '\x7f',
]; // prettier-ignore

/** Two sides that have signed in. */
function signedIn(): { client: SpnegoNtlmClient; last: Uint8Array; own: Uint8Array; peer: SpnegoNtlmServer } {
  const peer = new SpnegoNtlmServer(primitives, SERVER);
  const { client: ours, first } = client();
  const step = ours.challenged(peer.challenge(first), HASH);
  must(step.kind === 'send', 'a sign-in that does not go on');
  const accepted = peer.authenticate(step.token);
  must(accepted !== null, 'a sign-in that is refused');
  return { client: ours, last: accepted.token, own: step.token, peer };
}

/** A sealed body that is read must read the same when it is written again. */
function readBody(input: Uint8Array): void {
  const { protocol, parts } = decodeSealedBody(TYPE, input, MAX_PLAIN_BYTES);
  const total = parts.reduce((sum, part) => sum + part.plainLength, 0);
  must(parts.length > 0 && total <= MAX_PLAIN_BYTES, 'a body beyond its limit');
  const again = encodeSealedBody(parts, { protocol });
  const { parts: read } = decodeSealedBody(again.contentType, again.bytes, MAX_PLAIN_BYTES);
  must(JSON.stringify(read) === JSON.stringify(parts), 'a body that reads otherwise when written again');
  if (protocol !== SPNEGO) return;
  const { client: ours, last } = signedIn();
  const step = ours.finished(last);
  must(step.kind === 'done', 'a sign-in that does not end');
  for (const part of parts) {
    let isOpen = true;
    try {
      step.session.unseal(part);
    } catch (error) {
      if (!(error instanceof WsManError)) throw error;
      isOpen = false;
    }
    must(!isOpen, 'a body of somebody else opens');
  }
}

/** Every way in which a token of a peer is read; the first refusal counts, the others must be refusals of their own. */
function readToken(input: Uint8Array): void {
  const refusals: WsManError[] = [];
  const attempt = (run: () => void): void => {
    try {
      run();
    } catch (error) {
      if (!(error instanceof WsManError)) throw error;
      must(error.section !== '' && error.offset >= -1 && error.offset <= input.length, 'an error without its place');
      refusals.push(error);
    }
  };
  attempt(() => {
    const init = decodeNegTokenInit(input);
    const again = decodeNegTokenInit(encodeNegTokenInit(init));
    must(JSON.stringify(again) === JSON.stringify(init), 'a first token that reads otherwise when written again');
    must(init.mechanisms.length <= 16, 'too many mechanisms');
  });
  attempt(() => {
    const resp = decodeNegTokenResp(input);
    const again = decodeNegTokenResp(encodeNegTokenResp(resp));
    must(JSON.stringify(again) === JSON.stringify(resp), 'a token that reads otherwise when written again');
  });
  attempt(() => {
    const request = decodeTsRequest(input);
    const again = decodeTsRequest(encodeTsRequest(request));
    must(
      JSON.stringify(again) === JSON.stringify(request),
      'a CredSSP message that reads otherwise when written again',
    );
    must(derLength(input) === input.length, 'a CredSSP message that does not end where it says');
  });
  attempt(() => void decodeAuthenticate(input));
  attempt(() => void client().client.challenged(input, HASH));
  attempt(() => {
    const peer = new SpnegoNtlmServer(primitives, SERVER);
    peer.challenge(client().first);
    const signedIn = peer.authenticate(input);
    must(signedIn === null || signedIn.user.toUpperCase() === 'USER', 'signed in as somebody else');
  });
  attempt(() => {
    const { client: ours, last } = signedIn();
    const step = ours.finished(input);
    const proof = (token: Uint8Array): Uint8Array => decodeNegTokenResp(token).mechListMic ?? new Uint8Array();
    const isOwn = step.kind === 'refused' || Buffer.compare(proof(last), proof(input)) === 0;
    must(isOwn, 'a proof of somebody else is taken');
  });
  // Who came farthest tells: a refusal of what was read, not of how it was written.
  if (refusals.length === 7)
    throw refusals.find(({ code }) => code !== 'wsman_malformed') ?? refusals[0] ?? new Error('no refusal');
}

const BYTES = material(seeds(), TOKENS);
const OWN = signedIn().own;
const changed = (random: Random): Uint8Array =>
  (random.oneIn(2) ? changedDer(random.pick(BYTES.seeds), random)?.subarray(0, MAX_INPUT_BYTES) : null) ??
  mutate(BYTES, random);

/** Tokens of NTLM and SPNEGO, and sealed bodies. */
export const wsmanAuth: FuzzParser = {
  name: 'wsman-auth',
  material: () => BYTES,
  // Bytes changed at random seldom leave the lengths right.
  generate: (random) => (random.oneIn(4) ? changed(random) : authMessage(random, OWN).subarray(0, MAX_INPUT_BYTES)),
  run(input) {
    const isBody = Buffer.from(input.buffer, input.byteOffset, Math.min(input.length, 400)).includes('Encrypted');
    try {
      if (isBody) readBody(input);
      else readToken(input);
      return 'ok';
    } catch (error) {
      if (!(error instanceof WsManError)) throw error;
      return error.code;
    }
  },
};
