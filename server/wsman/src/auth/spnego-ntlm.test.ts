import { createHash, createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AV,
  decodeChallenge,
  decodeNegTokenInit,
  decodeNegTokenResp,
  decodeTargetInfo,
  encodeChallenge,
  encodeMechanisms,
  encodeNegTokenInit,
  encodeNegTokenResp,
  encodeTargetInfo,
  MECHANISM,
  NEG_STATE,
  NtlmClient,
  ntHash,
  NTLM_FLAG,
  SpnegoNtlmClient,
  SpnegoNtlmServer,
  splitUser,
  toFileTime,
  upperUnits,
  utf16,
  WsManProtocolError,
} from '../index.ts';
import type { NtlmPrimitives, NtlmSession, SpnegoStep } from '../index.ts';

const primitives: NtlmPrimitives = {
  md5: (...parts) => new Uint8Array(parts.reduce((hash, part) => hash.update(part), createHash('md5')).digest()),
  hmacMd5: (key, ...parts) =>
    new Uint8Array(parts.reduce((mac, part) => mac.update(part), createHmac('md5', key)).digest()),
  random: (length) => new Uint8Array(randomBytes(length)),
  fileTime: () => toFileTime(Date.UTC(2026, 0, 1)),
};
const HASH = ntHash('correct horse');
const OPTIONS = { user: 'jürgen', domain: 'LAB', workstation: '', targetName: 'HTTP/srv', bindingHash: null };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const server = (bindingHash: Uint8Array | null = null): SpnegoNtlmServer =>
  new SpnegoNtlmServer(primitives, {
    computer: 'SRV',
    domain: 'LAB',
    passwordHash: (user) => (upperUnits(user) === 'JÜRGEN' ? HASH : null),
    bindingHash,
  });
const sent = (step: SpnegoStep): Uint8Array => {
  if (step.kind !== 'send') throw new Error(`a step that sends nothing: ${step.kind}`);
  return step.token;
};
const done = (step: SpnegoStep): NtlmSession => {
  if (step.kind !== 'done') throw new Error(`not done: ${step.kind}`);
  return step.session;
};
function codeOf(run: () => unknown): string {
  try {
    run();
    return 'taken';
  } catch (error) {
    if (!(error instanceof WsManProtocolError)) throw error;
    expect(error.section).not.toBe('');
    return error.code;
  }
}
/** Both sides, up to the server's last token. */
function upToLast(): { client: SpnegoNtlmClient; last: Uint8Array; theirs: NtlmSession } {
  const client = new SpnegoNtlmClient(primitives, OPTIONS);
  const peer = server();
  const proof = sent(client.challenged(peer.challenge(client.begin()), HASH));
  const accepted = peer.authenticate(proof);
  if (accepted === null) throw new Error('refused');
  return { client, last: accepted.token, theirs: accepted.session };
}
function both(): { ours: NtlmSession; theirs: NtlmSession } {
  const { client, last, theirs } = upToLast();
  return { ours: done(client.finished(last)), theirs };
}

describe('a sign-in between both roles', () => {
  it('ends with two sessions that read each other, in every size', () => {
    const { ours, theirs } = both();
    for (const size of [0, 1, 2, 1000, 65536]) {
      const text = new Uint8Array(randomBytes(size));
      expect(theirs.unseal(ours.seal(text))).toEqual(text);
      expect(ours.unseal(theirs.seal(text))).toEqual(text);
    }
  });
  it('works on bytes that are views of others, as Buffers are', () => {
    const client = new SpnegoNtlmClient(primitives, OPTIONS);
    const peer = server();
    const challenge = Buffer.from(peer.challenge(Buffer.from(client.begin())));
    const proof = Buffer.from(sent(client.challenged(challenge, Buffer.from(HASH))));
    const before = Buffer.from(proof).toString('hex');
    const accepted = peer.authenticate(proof);
    expect(proof.toString('hex')).toBe(before);
    expect(accepted === null ? 'refused' : client.finished(Buffer.from(accepted.token)).kind).toBe('done');
  });
  it('fails with a wrong password or an unknown user', () => {
    for (const [user, hash] of [['jürgen', ntHash('wrong')], ['nobody', HASH]] as const) {
      const client = new SpnegoNtlmClient(primitives, { ...OPTIONS, user });
      const peer = server();
      expect(peer.authenticate(sent(client.challenged(peer.challenge(client.begin()), hash)))).toBeNull();
    }
  }); // prettier-ignore
  it('fails when the client is bound to another TLS connection', () => {
    const client = new SpnegoNtlmClient(primitives, { ...OPTIONS, bindingHash: new Uint8Array(16).fill(1) });
    const peer = server(new Uint8Array(16).fill(2));
    expect(peer.authenticate(sent(client.challenged(peer.challenge(client.begin()), HASH)))).toBeNull();
  });
  it('fails when any byte of an NTLM message was changed on the way', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.constantFrom(0, 1, 2), (place, bits, which) => {
        const change = (token: Uint8Array, number: number): Uint8Array => {
          if (number !== which) return token;
          const copy = token.slice();
          const start = Buffer.from(token).indexOf('NTLMSSP');
          const at = start + (place % (copy.length - start));
          copy[at] = (copy[at] ?? 0) ^ bits;
          return copy;
        };
        const client = new SpnegoNtlmClient(primitives, OPTIONS);
        const peer = server();
        let isIn = false;
        try {
          const challenge = change(peer.challenge(change(client.begin(), 0)), 1);
          isIn = peer.authenticate(change(sent(client.challenged(challenge, HASH)), 2)) !== null;
        } catch (error) {
          if (!(error instanceof WsManProtocolError)) throw error;
        }
        expect(isIn).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the client refuses', () => {
  const challengeWith = (change: (flags: number) => number, targetInfo?: Uint8Array): Uint8Array => {
    const peer = server();
    const client = new SpnegoNtlmClient(primitives, OPTIONS);
    const { responseToken } = decodeNegTokenResp(peer.challenge(client.begin()));
    const challenge = decodeChallenge(responseToken ?? new Uint8Array());
    return encodeChallenge({
      ...challenge,
      flags: change(challenge.flags) >>> 0,
      targetInfo: targetInfo ?? challenge.targetInfo,
    });
  };
  const answer = (challenge: Uint8Array): string =>
    codeOf(() => new NtlmClient(primitives, { ...OPTIONS, isInSpnego: false }).authenticate(challenge, HASH));

  it('takes the challenge that was not changed', () => {
    expect(answer(challengeWith((flags) => flags))).toBe('taken');
  });
  it.each(['unicode', 'extendedSessionSecurity', 'sign', 'seal', 'keyExchange', 'key128'] as const)(
    'a challenge without %s',
    (name) => {
      expect(answer(challengeWith((flags) => flags & ~NTLM_FLAG[name]))).toBe('ntlm_downgraded');
    },
  );
  it('a challenge without target information', () => {
    expect(answer(challengeWith((flags) => flags, new Uint8Array()))).toBe('ntlm_downgraded');
  });
  it.each([
    ['without an end', Uint8Array.of(1, 0, 0, 0)],
    ['with a pair twice', encodeTargetInfo([[1, utf16('a')], [1, utf16('b')]])],
    ['with a short time', encodeTargetInfo([[AV.timestamp, new Uint8Array(4)]])],
    ['with a pair beyond the end', Uint8Array.of(1, 0, 0xff, 0xff, 0, 0, 0, 0)],
    ['with too many pairs', encodeTargetInfo(Array.from({ length: 70 }, (_, i) => [i + 20, new Uint8Array()] as const))],
  ])('target information %s', (_, targetInfo) => {
    expect(answer(challengeWith((flags) => flags, targetInfo))).toBe('wsman_malformed');
  }); // prettier-ignore
  it('a field that points outside the message', () => {
    const challenge = challengeWith((flags) => flags);
    new DataView(challenge.buffer).setUint32(44, 0xfffffff0, true);
    expect(answer(challenge)).toBe('wsman_malformed');
  });
  it('a token beyond the limit', () => {
    expect(answer(new Uint8Array(70_000))).toBe('wsman_too_large');
  });

  const state = (challenge: Partial<ReturnType<typeof decodeNegTokenResp>>): string => {
    const client = new SpnegoNtlmClient(primitives, OPTIONS);
    const genuine = decodeNegTokenResp(server().challenge(client.begin()));
    let kind = '';
    const code = codeOf(() => (kind = client.challenged(encodeNegTokenResp({ ...genuine, ...challenge }), HASH).kind));
    return code === 'taken' ? kind : code;
  };
  it('a mechanism that it did not offer', () => {
    expect(state({ supportedMech: MECHANISM.kerberos })).toBe('wsman_malformed');
  });
  it('a server that is content at once', () => {
    expect(state({ state: NEG_STATE.completed })).toBe('wsman_server_unproven');
  });
  it('a token without a challenge', () => {
    expect(state({ responseToken: null })).toBe('wsman_malformed');
  });
  it('nothing, when the server rejects: that is an answer', () => {
    expect(state({ state: NEG_STATE.reject })).toBe('refused');
  });

  const last = (change: (genuine: ReturnType<typeof decodeNegTokenResp>) => Uint8Array | null): string => {
    const { client, last: token } = upToLast();
    return codeOf(() => client.finished(change(decodeNegTokenResp(token))));
  };
  it('a sign-in without the last token', () => {
    expect(last(() => null)).toBe('wsman_server_unproven');
  });
  it('a last token without its code', () => {
    expect(last((genuine) => encodeNegTokenResp({ ...genuine, mechListMic: null }))).toBe('wsman_server_unproven');
  });
  it('a code that is only the token again', () => {
    const again = bytes('0123456789abcdef');
    expect(last((genuine) => encodeNegTokenResp({ ...genuine, responseToken: again, mechListMic: again }))).toBe(
      'wsman_server_unproven',
    );
  });
  it('a wrong code', () => {
    expect(last((genuine) => encodeNegTokenResp({ ...genuine, mechListMic: new Uint8Array(16) }))).toBe(
      'wsman_seal_broken',
    );
  });
  it('a server that does not finish', () => {
    expect(last((genuine) => encodeNegTokenResp({ ...genuine, state: NEG_STATE.requestMic }))).toBe(
      'wsman_server_unproven',
    );
  });
  it('tokens out of turn', () => {
    const client = new SpnegoNtlmClient(primitives, OPTIONS);
    expect(codeOf(() => client.finished(null))).toBe('wsman_server_unproven');
    client.begin();
    expect(codeOf(() => client.begin())).toBe('wsman_server_unproven');
    client.close();
    client.close();
    expect(codeOf(() => client.challenged(new Uint8Array(), HASH))).toBe('wsman_server_unproven');
  });
});

describe('a server without SPNEGO', () => {
  it('is followed, and the first sealed message counts as the first', () => {
    const client = new SpnegoNtlmClient(primitives, OPTIONS);
    const { responseToken } = decodeNegTokenResp(server().challenge(client.begin()));
    const step = client.challenged(responseToken ?? new Uint8Array(), HASH);
    expect(new TextDecoder().decode(sent(step).subarray(0, 7))).toBe('NTLMSSP');
    expect([...done(client.finished(null)).seal(bytes('x')).signature.subarray(12)]).toEqual([0, 0, 0, 0]);
  });
});

describe('a sealed session', () => {
  it.each([
    ['a changed byte', (first: Uint8Array) => first.map((byte, i) => (i === 3 ? byte ^ 1 : byte))],
    ['a byte less', (first: Uint8Array) => first.subarray(1)],
    ['a byte more', (first: Uint8Array) => new Uint8Array([...first, 0])],
  ])('is broken for good by %s', (_, change) => {
    const { ours, theirs } = both();
    const { sealed, signature } = ours.seal(bytes('a message'));
    expect(codeOf(() => theirs.unseal({ signature, sealed: change(sealed) }))).toBe('wsman_seal_broken');
    expect(codeOf(() => theirs.unseal(ours.seal(bytes('the next'))))).toBe('wsman_seal_broken');
    expect(codeOf(() => theirs.seal(bytes('an answer')))).toBe('wsman_seal_broken');
  });
  it('is broken by a message that comes twice, and by two that change places', () => {
    const first = both();
    const message = first.ours.seal(bytes('once'));
    first.theirs.unseal(message);
    expect(codeOf(() => first.theirs.unseal(message))).toBe('wsman_seal_broken');
    const second = both();
    second.ours.seal(bytes('lost'));
    const late = second.ours.seal(bytes('late'));
    expect(codeOf(() => second.theirs.unseal(late))).toBe('wsman_seal_broken');
  });
  it('is broken by a wrong signature, or one of another length', () => {
    for (const length of [0, 15, 16, 17]) {
      const { ours, theirs } = both();
      const { sealed } = ours.seal(bytes('a message'));
      expect(codeOf(() => theirs.unseal({ signature: new Uint8Array(length), sealed }))).toBe('wsman_seal_broken');
    }
  });
  it('does not take its own messages for the peer\'s', () => {
    const { ours } = both();
    const message = ours.seal(bytes('a message'));
    expect(codeOf(() => ours.unseal(message))).toBe('wsman_seal_broken');
  }); // prettier-ignore
});

describe('tokens of SPNEGO', () => {
  it('read back', () => {
    const init = { mechanisms: [MECHANISM.kerberos, MECHANISM.ntlm], mechToken: new Uint8Array(300), mechListMic: null };
    expect(decodeNegTokenInit(encodeNegTokenInit(init))).toEqual(init);
    for (const state of [null, 0, 1, 2, 3] as const) {
      const resp = { state, supportedMech: MECHANISM.ntlm, responseToken: new Uint8Array(70_00), mechListMic: bytes('x') };
      expect(decodeNegTokenResp(encodeNegTokenResp(resp))).toEqual(resp);
    }
  }); // prettier-ignore
  it.each([
    ['a state that does not exist', 'a1073005a0030a0104'],
    ['bytes after the end', 'a1073005a0030a010100'],
    ['a length of no form', 'a180'],
    ['a length beyond the end', 'a1843fffffff30'],
    ['another tag', '3000'],
    ['nothing at all', ''],
  ])('are refused with %s', (_, token) => {
    expect(codeOf(() => decodeNegTokenResp(new Uint8Array(Buffer.from(token, 'hex'))))).toBe('wsman_malformed');
  });
  it('are refused with more mechanisms than anybody has', () => {
    const mechanisms = Array.from({ length: 17 }, () => MECHANISM.ntlm);
    expect(
      codeOf(() => decodeNegTokenInit(encodeNegTokenInit({ mechanisms, mechToken: null, mechListMic: null }))),
    ).toBe('wsman_malformed');
    expect(encodeMechanisms(mechanisms).length).toBeGreaterThan(128);
  });
});

describe('names', () => {
  it.each([
    ['DOM\\user', 'DOM', 'user'],
    ['.\\user', '', 'user'],
    ['user', '', 'user'],
    ['user@realm.example', '', 'user@realm.example'],
    ['DOM\\a\\b', 'DOM', 'a\\b'],
  ])('%s is split', (typed, domain, user) => {
    expect(splitUser(typed)).toEqual({ domain, user });
  });
  it('are raised unit by unit, and nothing grows', () => {
    expect(upperUnits('jürgen straße éя ς')).toBe('JÜRGEN STRAßE ÉЯ Σ');
    expect(upperUnits('ıſµ\u{10428}')).toBe('ıſµ\u{10428}');
  });
  it('of the server are kept, unverified', () => {
    const challenge = encodeChallenge({
      flags: 0xe28a8235,
      serverChallenge: new Uint8Array(8),
      targetName: utf16('SRV'),
      targetInfo: encodeTargetInfo([[AV.dnsComputer, utf16('srv.lab.example')]]),
    });
    const client = new NtlmClient(primitives, { ...OPTIONS, isInSpnego: false });
    client.authenticate(challenge, HASH);
    expect(client.serverNames).toEqual({ dnsComputer: 'srv.lab.example', dnsDomain: null });
    expect(decodeTargetInfo(encodeTargetInfo([])).size).toBe(0);
  });
});
