import {
  MECHANISM,
  NEG_STATE,
  decodeNegTokenInit,
  decodeNegTokenResp,
  encodeMechanisms,
  encodeNegTokenResp,
  type NegTokenResp,
} from '@sallyport/wsman';
import { describe, expect, it } from 'vitest';
import { SallyportError } from '../../../../errors.ts';
import { inSpnego, type ContextSigner } from './wrapping.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const NOTHING = bytes();
const LIST = encodeMechanisms([MECHANISM.kerberos]);
const response = (change: Partial<NegTokenResp>): Uint8Array =>
  encodeNegTokenResp({ state: null, supportedMech: null, responseToken: null, mechListMic: null, ...change });

/** Its checksum is the bytes with a mark before them. */
const signer: ContextSigner = {
  sign: (text) => Promise.resolve(Uint8Array.from([0x51, ...text])),
  verify: (signature, text) =>
    Buffer.compare(signature, Uint8Array.from([0x52, ...text])) === 0
      ? Promise.resolve()
      : Promise.reject(new SallyportError('wsman_seal_broken', 'another list')),
};

describe('Kerberos in SPNEGO', () => {
  it('offers Kerberos and nothing else', () => {
    const init = decodeNegTokenInit(inSpnego().first(bytes(1, 2)));
    expect(init).toEqual({ mechanisms: [MECHANISM.kerberos], mechToken: bytes(1, 2), mechListMic: null });
  });

  it('is done when the server completes, under either name of Kerberos', async () => {
    for (const supportedMech of [null, MECHANISM.kerberos, MECHANISM.kerberosOld]) {
      const wrapping = inSpnego();
      wrapping.first(bytes(1));
      const token = response({ state: NEG_STATE.completed, supportedMech, responseToken: bytes(7) });
      expect(wrapping.open(token)).toEqual({ inner: bytes(7), isRejected: false });
      expect(await wrapping.next(NOTHING, signer)).toBeNull();
    }
  });

  it('takes no mechanism that it did not offer', () => {
    const open = (): unknown => inSpnego().open(response({ supportedMech: MECHANISM.ntlm, responseToken: bytes(1) }));
    expect(open).toThrow(expect.objectContaining({ code: 'wsman_server_unproven' }));
  });

  it('signs the list when it is asked to, once, and checks the signature of the server', async () => {
    const wrapping = inSpnego();
    wrapping.open(
      response({ state: NEG_STATE.requestMic, supportedMech: MECHANISM.kerberos, responseToken: bytes(7) }),
    );
    const sent = decodeNegTokenResp((await wrapping.next(NOTHING, signer)) ?? NOTHING);
    expect(sent).toEqual({
      state: NEG_STATE.incomplete,
      supportedMech: null,
      responseToken: null,
      mechListMic: bytes(0x51, ...LIST),
    });
    wrapping.open(response({ state: NEG_STATE.completed, mechListMic: bytes(0x52, ...LIST) }));
    expect(await wrapping.next(NOTHING, signer)).toBeNull();
  });

  it('fails on a signature that is wrong or comes before there is a key, and passes over a token in its place', async () => {
    const token = (mechListMic: Uint8Array) =>
      response({ state: NEG_STATE.completed, responseToken: bytes(7), mechListMic });
    const wrong = inSpnego();
    wrong.open(token(bytes(9)));
    await expect(wrong.next(NOTHING, signer)).rejects.toMatchObject({ code: 'wsman_seal_broken' });
    await expect(wrong.next(NOTHING, null)).rejects.toMatchObject({ code: 'wsman_server_unproven' });
    const old = inSpnego();
    old.open(token(bytes(7)));
    expect(await old.next(NOTHING, signer)).toBeNull();
  });

  it('goes on without SPNEGO when the server answers with a bare token, and names what is none', async () => {
    const wrapping = inSpnego();
    expect(wrapping.open(bytes(0x60, 1, 2))).toEqual({ inner: bytes(0x60, 1, 2), isRejected: false });
    expect(await wrapping.next(bytes(5), null)).toEqual(bytes(5));
    expect(inSpnego().open(response({ state: NEG_STATE.reject }))).toEqual({ inner: null, isRejected: true });
    expect(() => inSpnego().open(bytes(0xa1, 0x80))).toThrow(expect.objectContaining({ code: 'wsman_malformed' }));
  });
});
