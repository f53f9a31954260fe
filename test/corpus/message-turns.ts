/** Crafted messages whose type, direction, header or length decides. */
import { bag, encodeBody, encodeFragment, MESSAGES, PsVersion } from '@sallyport/psrp';
import type { MessageName } from '@sallyport/psrp';
import { OTHER_ID, message } from './message-case.ts';
import type { MessageCase } from './message-case.ts';

const ones = (length: number): Uint8Array => new Uint8Array(length).fill(0x78);
const joined = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));
const names = Object.keys(MESSAGES) as MessageName[];

/** Every message type against both roles and both states, where the type alone decides. */
export function turnCases(): MessageCase[] {
  const rows: MessageCase[] = [];
  for (const role of ['client', 'server'] as const) {
    const destination = role === 'client' ? 1 : 2;
    const away = role === 'client' ? 'c2s' : 's2c';
    for (const name of names) {
      const { direction } = MESSAGES[name];
      if (direction === away) {
        rows.push({
          kind: 'message',
          id: `${role}-direction-${name}`,
          probes: `${name} sent the wrong way, to a ${role}`,
          role,
          state: 'opened',
          bytes: message(name, new Uint8Array(), { destination }),
          event: null,
          code: 'psrp_unknown_message',
        });
      } else if (name !== 'SESSION_CAPABILITY') {
        rows.push({
          kind: 'message',
          id: `${role}-early-${name}`,
          probes: `${name} before the capability, to a ${role}`,
          role,
          state: 'new',
          bytes: message(name, new Uint8Array(), { destination }),
          event: null,
          code: 'psrp_bad_state',
        });
      }
    }
    const capability = encodeBody(
      MESSAGES.SESSION_CAPABILITY.encode({
        protocolVersion: new PsVersion(2, 3),
        psVersion: new PsVersion(2, 0),
        serializationVersion: new PsVersion(1, 1, 0, 1),
      }),
    );
    rows.push({
      kind: 'message',
      id: `${role}-second-capability`,
      probes: `a second capability, to a ${role}`,
      role,
      state: 'opened',
      bytes: message('SESSION_CAPABILITY', capability, { destination }),
      event: null,
      code: 'psrp_bad_state',
    });
    for (const type of [0x0004_1008 + 0x50, 0x7fff_ffff, 0xffff_ffff, 0x0001_0001, 0x0002_ffff]) {
      rows.push({
        kind: 'message',
        id: `${role}-type-${type.toString(16)}`,
        probes: `unknown type 0x${type.toString(16)} is dropped by a ${role}`,
        role,
        state: 'opened',
        bytes: message(type, ones(3), { destination }),
        event: 'ignoredMessage',
        code: null,
      });
    }
    for (const wrong of [0, role === 'client' ? 2 : 1, 4, 8]) {
      const name = role === 'client' ? 'RUNSPACEPOOL_STATE' : 'GET_AVAILABLE_RUNSPACES';
      rows.push({
        kind: 'message',
        id: `${role}-destination-${wrong}`,
        probes: `destination ${wrong} does not hold the ${role}`,
        role,
        state: 'opened',
        bytes: message(name, ones(3), { destination: wrong }),
        event: null,
        code: 'psrp_unknown_message',
      });
    }
    const pool = role === 'client' ? 'RUNSPACEPOOL_STATE' : 'GET_AVAILABLE_RUNSPACES';
    rows.push({
      kind: 'message',
      id: `${role}-other-pool`,
      probes: `a message of another pool, to a ${role}`,
      role,
      state: 'opened',
      bytes: message(pool, ones(3), { destination, poolId: OTHER_ID }),
      event: null,
      code: 'psrp_unknown_message',
    });
    for (const length of [0, 1, 4, 8, 24, 39]) {
      rows.push({
        kind: 'message',
        id: `${role}-short-${length}`,
        probes: `a message of ${length} bytes, less than its head`,
        role,
        state: 'opened',
        bytes: encodeFragment(60n, 0n, 3, ones(length)),
        event: null,
        code: 'psrp_bad_length',
      });
    }
  }
  const output = encodeBody('x');
  rows.push(
    {
      kind: 'message',
      id: 'client-unknown-pipeline',
      probes: 'output of a pipeline that is not ours is dropped',
      role: 'client',
      state: 'opened',
      bytes: message('PIPELINE_OUTPUT', output, { pipelineId: OTHER_ID }),
      event: 'ignoredMessage',
      code: null,
    },
    {
      kind: 'message',
      id: 'client-no-pipeline',
      probes: 'output without pipeline is dropped',
      role: 'client',
      state: 'opened',
      bytes: message('PIPELINE_OUTPUT', output, { pipelineId: null }),
      event: 'ignoredMessage',
      code: null,
    },
    {
      kind: 'message',
      id: 'server-no-pipeline',
      probes: 'input without pipeline',
      role: 'server',
      state: 'opened',
      bytes: message('PIPELINE_INPUT', output, { pipelineId: null }),
      event: null,
      code: 'psrp_unknown_message',
    },
    {
      kind: 'message',
      id: 'server-unknown-pipeline',
      probes: 'input of a pipeline that is not there is dropped',
      role: 'server',
      state: 'opened',
      bytes: message('PIPELINE_INPUT', output, { pipelineId: OTHER_ID }),
      event: 'ignoredMessage',
      code: null,
    },
    {
      kind: 'message',
      id: 'client-bom',
      probes: 'a body behind a byte order mark',
      role: 'client',
      state: 'opened',
      bytes: message('PIPELINE_OUTPUT', output, { hasBom: true }),
      event: 'output',
      code: null,
    },
    {
      kind: 'message',
      id: 'client-empty-output',
      probes: 'output without a body is null',
      role: 'client',
      state: 'opened',
      bytes: message('PIPELINE_OUTPUT', new Uint8Array()),
      event: 'output',
      code: null,
    },
    {
      kind: 'message',
      id: 'client-utf8',
      probes: 'a body that is not UTF-8',
      role: 'client',
      state: 'opened',
      bytes: message('PIPELINE_OUTPUT', Uint8Array.of(0x3c, 0x53, 0x3e, 0xc0, 0x80)),
      event: null,
      code: 'clixml_malformed',
    },
    {
      kind: 'message',
      id: 'client-utf8-surrogate',
      probes: 'a surrogate in UTF-8',
      role: 'client',
      state: 'opened',
      bytes: message('PIPELINE_OUTPUT', joined(encodeBody('').subarray(0, 3), Uint8Array.of(0xed, 0xa0, 0x80))),
      event: null,
      code: 'clixml_malformed',
    },
    {
      kind: 'message',
      id: 'client-session-key',
      probes: 'a session key that nobody asked for',
      role: 'client',
      state: 'opened',
      bytes: message('ENCRYPTED_SESSION_KEY', encodeBody(bag({ EncryptedSessionKey: 'AAAA' }))),
      event: null,
      code: 'psrp_bad_state',
    },
    {
      kind: 'message',
      id: 'server-second-init',
      probes: 'a second INIT_RUNSPACEPOOL',
      role: 'server',
      state: 'opened',
      bytes: message('INIT_RUNSPACEPOOL', encodeBody('')),
      event: null,
      code: 'psrp_bad_state',
    },
    {
      kind: 'message',
      id: 'server-type-0',
      probes: 'type 0, by which Microsoft clients answer calls of the pool',
      role: 'server',
      state: 'opened',
      bytes: message(
        0,
        encodeBody(MESSAGES.RUNSPACEPOOL_HOST_RESPONSE.encode({ callId: 99n, methodId: 11, methodName: 'ReadLine' })),
      ),
      event: null,
      code: null,
    },
  );
  return rows;
}
