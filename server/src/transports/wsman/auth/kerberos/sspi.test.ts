/** SSPI cannot run here: what is held is where its structures have their fields, and who is asked on which platform. */
import koffi from 'koffi';
import { describe, expect, it } from 'vitest';
import { mechanismOf } from './load-mechanism.ts';
import type { Memory } from './native.ts';
import { numberIn, pointerIn } from './native.ts';
import { bindingsCell, identityCell, LAYOUT, messageCells } from './sspi.ts';

/** As sspi.h declares them; ULONG has 4 bytes on Windows whatever the machine. */
const DECLARED = {
  secHandle: { dwLower: 'uint64', dwUpper: 'uint64' },
  authIdentity: {
    ...{ user: 'void *', userLength: 'uint32', domain: 'void *', domainLength: 'uint32' },
    ...{ password: 'void *', passwordLength: 'uint32', flags: 'uint32' },
  },
  secBuffer: { length: 'uint32', type: 'uint32', address: 'void *' },
  secBufferDesc: { version: 'uint32', count: 'uint32', buffers: 'void *' },
  channelBindings: {
    ...{ initiatorType: 'uint32', initiatorLength: 'uint32', initiatorOffset: 'uint32' },
    ...{ acceptorType: 'uint32', acceptorLength: 'uint32', acceptorOffset: 'uint32' },
    ...{ dataLength: 'uint32', dataOffset: 'uint32' },
  },
  sizes: { maxToken: 'uint32', maxSignature: 'uint32', blockSize: 'uint32', securityTrailer: 'uint32' },
  keyInfo: {
    ...{ signatureName: 'void *', encryptName: 'void *', keySize: 'uint32', signatureAlgorithm: 'uint32' },
    ...{ encryptAlgorithm: 'uint32' },
  },
} as const;

/** Addresses by order of asking. */
function memory(): Memory & { readonly at: Map<bigint, Uint8Array> } {
  const at = new Map<bigint, Uint8Array>();
  return {
    at,
    addressOf(bytes) {
      const address = BigInt(0x1000 * (at.size + 1));
      at.set(address, bytes);
      return address;
    },
  };
}

describe('SSPI', () => {
  it('is asked on Windows, and GSSAPI everywhere else', () => {
    expect(mechanismOf('win32')).toBe('sspi');
    for (const platform of ['linux', 'darwin', 'freebsd'] as const) expect(mechanismOf(platform)).toBe('gssapi');
  });

  it.each(Object.entries(DECLARED))('has its fields where a C compiler puts them: %s', (name, fields) => {
    const type = koffi.struct(fields);
    const { size, ...offsets } = LAYOUT[name as keyof typeof LAYOUT] as Readonly<Record<string, number>>;
    expect(koffi.sizeof(type)).toBe(size);
    for (const [field, offset] of Object.entries(offsets)) expect([field, koffi.offsetof(type, field)]).toEqual([field, offset]);
  }); // prettier-ignore

  it('gets names and password as UTF-16 with their lengths in letters', () => {
    const known = memory();
    const cell = identityCell(known, 'a\\@b@CORP.EXAMPLE', new TextEncoder().encode('pä€'));
    const text = (at: number, length: number): string =>
      Buffer.from(known.at.get(pointerIn(cell, at)) ?? []).toString('utf16le').slice(0, numberIn(cell, length)); // prettier-ignore
    const { user, userLength, domain, domainLength, password, passwordLength, flags } = LAYOUT.authIdentity;
    expect([text(user, userLength), text(domain, domainLength), text(password, passwordLength)]).toEqual(['a@b', 'CORP.EXAMPLE', 'pä€']); // prettier-ignore
    expect(numberIn(cell, flags)).toBe(2);
  });

  it('gets buffers one behind the other, and bindings with their data behind the head', () => {
    const known = memory();
    const { desc, buffers } = messageCells(known, [[2, Uint8Array.of(1, 2, 3)], [1, new Uint8Array()]]);
    expect([numberIn(desc, 0), numberIn(desc, 4), known.at.get(pointerIn(desc, 8))]).toEqual([0, 2, buffers]);
    expect([numberIn(buffers, 0), numberIn(buffers, 4), known.at.get(pointerIn(buffers, 8))]).toEqual([3, 2, Uint8Array.of(1, 2, 3)]);
    expect([numberIn(buffers, 16), numberIn(buffers, 20), pointerIn(buffers, 24)]).toEqual([0, 1, 0n]);
    const bindings = bindingsCell(Uint8Array.of(9, 8));
    expect([numberIn(bindings, 24), numberIn(bindings, 28), ...bindings.subarray(32)]).toEqual([2, 32, 9, 8]);
  }); // prettier-ignore
});
