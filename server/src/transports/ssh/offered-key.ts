/**
 * Sign-in with what ssh2 1.17.0 (pinned exactly) cannot offer by itself: a certificate, and a key that signs elsewhere.
 * Its `authPK` labels the signature with the algorithm of the certificate, where RFC 4252 section 7 and PROTOCOL.certkeys
 * want that of the key inside, so every server refuses it; and it knows no certificate as a key at all. Both are worked
 * around here and nowhere else; `ssh-certificate.test.ts` holds it against a real sshd. To be removed with a version of
 * ssh2 that signs with certificates (mscdex/ssh2 PR 1486).
 */
import { generateKeyPairSync } from 'node:crypto';
import type { Client, ParsedKey } from 'ssh2';
import { SallyportError, toError } from '../../errors.ts';
import { parseEd25519 } from './private-key.ts';
import { sshString } from './wire.ts';

/** One way to sign in by public key. */
export interface OfferedKey {
  /** As named in the request: for example `rsa-sha2-512-cert-v01@openssh.com`. */
  readonly algorithm: string;
  /** The public key or certificate. */
  readonly blob: Buffer;
  /** @returns the signature with its algorithm, RFC 4253 section 6.6 */
  sign(data: Buffer): Promise<Buffer>;
}

interface Packets {
  readonly allocStart: number;
  alloc(bytes: number): Buffer;
  finalize(packet: Buffer): Buffer;
}
interface Protocol {
  authPK(username: string, key: unknown, algorithm: unknown, sign?: unknown): void;
  readonly _kex: { readonly sessionID: Buffer };
  readonly _packetRW: { readonly write: Packets };
  readonly _authsQueue: string[];
  readonly _cipher: { encrypt(packet: Buffer): void };
  /** Set while keys are exchanged. */
  readonly _kexinit?: unknown;
  _queue?: Buffer[];
}

const USERAUTH_REQUEST = 50;
const offers = new WeakMap<object, OfferedKey>();

/** ssh2 takes only what it parsed itself, so offers travel as a key of no meaning that never signs. */
let carrier: ParsedKey | null = null;

/** What ssh2 is given as a key. */
export function toSsh2Key(offer: OfferedKey): ParsedKey {
  carrier ??= parseEd25519(generateKeyPairSync('ed25519').privateKey);
  const key = new Proxy(carrier, {
    get(target, name): unknown {
      if (name === 'type') return offer.algorithm;
      if (name === 'getPublicSSH') return () => offer.blob;
      if (name === 'sign') return () => new Error('this key does not sign');
      return Reflect.get(target, name, target);
    },
  });
  offers.set(key, offer);
  return key;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** @throws SallyportError internal for another version of ssh2 */
function protocolOf(client: Client): Protocol {
  const protocol = (client as unknown as Record<string, unknown>)['_protocol'];
  const isKnown =
    isRecord(protocol) &&
    typeof protocol['authPK'] === 'function' &&
    Array.isArray(protocol['_authsQueue']) &&
    isRecord(protocol['_packetRW']) &&
    isRecord(protocol['_cipher']);
  if (!isKnown) throw new SallyportError('internal', 'ssh2 is not the version this was written for');
  return protocol as unknown as Protocol;
}

/** RFC 4252 section 7 "Public Key Authentication Method", with a signature to come. */
const requestOf = (username: string, { algorithm, blob }: OfferedKey): Buffer =>
  Buffer.concat([
    Buffer.from([USERAUTH_REQUEST]),
    sshString(username),
    sshString('ssh-connection'),
    sshString('publickey'),
    Buffer.from([1]),
    sshString(algorithm),
    sshString(blob),
  ]);

function send(protocol: Protocol, payload: Buffer): void {
  const { write } = protocol._packetRW;
  const packet = write.alloc(payload.length);
  packet.set(payload, write.allocStart);
  protocol._authsQueue.push('publickey');
  const finished = write.finalize(packet);
  if (protocol._kexinit === undefined) protocol._cipher.encrypt(finished);
  else (protocol._queue ??= []).push(finished);
}

/**
 * Call right after `client.connect`. Keys of ssh2's own go the way they always went.
 * @param failed told when a signature cannot be made; nothing is sent then
 * @param isOver whether the connection ended while the signature was made
 */
export function signWithOffers(client: Client, failed: (error: SallyportError) => void, isOver: () => boolean): void {
  const protocol = protocolOf(client);
  const original = protocol.authPK.bind(protocol);
  const signed = async (username: string, offer: OfferedKey): Promise<void> => {
    const request = requestOf(username, offer);
    const signature = await offer.sign(Buffer.concat([sshString(protocol._kex.sessionID), request]));
    if (!isOver()) send(protocol, Buffer.concat([request, sshString(signature)]));
  };
  protocol.authPK = (username, key, ...rest) => {
    const offer = isRecord(key) ? offers.get(key) : undefined;
    const isAsked = rest.some((argument) => typeof argument === 'function');
    if (offer === undefined || !isAsked) {
      original(username, key, ...(rest as [unknown]));
      return;
    }
    signed(username, offer).catch((error: unknown) => {
      const cause = toError(error);
      failed(
        error instanceof SallyportError ? error : new SallyportError('internal', 'no signature was made', { cause }),
      );
    });
  };
}
