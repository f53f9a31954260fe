/** A target that breaks the rules ends its own session with the code of the limit that it broke, and nothing else. */
import {
  DESTINATION,
  encodeFragment,
  encodeMessage,
  encodePacket,
  FLAG_END,
  FLAG_START,
  fragmentsOf,
  hostMethodName,
} from '@sallyport/psrp';
import { describe, expect, it } from 'vitest';
import { openStandInConsole } from '../lab/powershell.ts';
import type { LabConsole } from '../lab/console.ts';
import type { StandIn } from '../lab/powershell-stand-in.ts';

const POOL_STATE = 0x21005;
const OUTPUT = 0x41004;
const HOST_CALL = 0x41100;

interface Peer {
  readonly standIn: StandIn;
  /** The pipeline of the line that runs. */
  readonly pipelineId: string;
}
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const data = (pipelineId: string | null, bytes: Uint8Array): Uint8Array =>
  encodePacket({ element: 'Data', priority: 'default', pipelineId, data: bytes });

function message(peer: Peer, messageType: number, body: string, destination: number = DESTINATION.client): Uint8Array {
  const { pipelineId } = peer;
  return encodeMessage({ destination, messageType, poolId: peer.standIn.server.pool.id, pipelineId }, text(body));
}
/** A whole message, cut as a server would. */
function send(peer: Peer, messageType: number, body: string, destination?: number): void {
  for (const fragment of fragmentsOf(900n, message(peer, messageType, body, destination)))
    peer.standIn.inject(data(peer.pipelineId, fragment));
}

/** Runs a line that never ends and lets the peer loose. */
async function attack(act: (peer: Peer) => void): Promise<LabConsole> {
  const person = await openStandInConsole((standIn) => {
    standIn.onLine = (run, line) => {
      if (line !== 'go') return false;
      act({ standIn, pipelineId: run.id });
      return true;
    };
  });
  person.submit('go');
  await person.until(() => person.end !== null);
  return person;
}

const START_END = FLAG_START | FLAG_END;
/** Objects in objects. */
function deep(levels: number): string {
  let text = '<Nil N="a" />';
  for (let i = levels; i >= 0; i--) text = `<Obj${i === 0 ? '' : ' N="a"'} RefId="${String(i)}"><MS>${text}</MS></Obj>`;
  return text;
}

const CASES: readonly (readonly [string, string, (peer: Peer) => void])[] = [
  [
    'bad base64',
    'oop_bad_packet',
    ({ standIn, pipelineId }) => standIn.inject(`<Data Stream='Default' PSGuid='${pipelineId}'>A?==</Data>\n`),
  ],
  ['an unknown element', 'oop_bad_packet', ({ standIn }) => standIn.inject("<Datum PSGuid='x' />\n")],
  ['text between packets', 'oop_bad_packet', ({ standIn }) => standIn.inject('free: Segmentation fault\n')],
  [
    'what only a client may send',
    'oop_bad_packet',
    ({ standIn, pipelineId }) => standIn.inject(encodePacket({ element: 'Signal', pipelineId })),
  ],
  [
    'an endless line',
    'oop_line_too_long',
    ({ standIn }) => {
      for (let i = 0; i < 40; i++) standIn.inject('A'.repeat(64 * 1024));
    },
  ],
  [
    'an object of 2 GB announced',
    'psrp_bad_length',
    ({ standIn, pipelineId }) => {
      const fragment = encodeFragment(900n, 0n, START_END, new Uint8Array(64));
      new DataView(fragment.buffer).setUint32(17, 0x7fff_ffff);
      standIn.inject(data(pipelineId, fragment));
    },
  ],
  [
    'a message without a head',
    'psrp_bad_length',
    ({ standIn, pipelineId }) =>
      standIn.inject(data(pipelineId, encodeFragment(900n, 0n, START_END, new Uint8Array(39)))),
  ],
  [
    'a first fragment that does not start',
    'psrp_fragment_sequence',
    ({ standIn, pipelineId }) => standIn.inject(data(pipelineId, encodeFragment(900n, 3n, 0, new Uint8Array(64)))),
  ],
  [
    'a fragment left out',
    'psrp_fragment_sequence',
    ({ standIn, pipelineId }) => {
      standIn.inject(data(pipelineId, encodeFragment(900n, 0n, FLAG_START, new Uint8Array(64))));
      standIn.inject(data(pipelineId, encodeFragment(900n, 2n, FLAG_END, new Uint8Array(64))));
    },
  ],
  [
    'two objects mixed',
    'psrp_object_mismatch',
    ({ standIn, pipelineId }) => {
      standIn.inject(data(pipelineId, encodeFragment(900n, 0n, FLAG_START, new Uint8Array(64))));
      standIn.inject(data(pipelineId, encodeFragment(901n, 1n, FLAG_END, new Uint8Array(64))));
    },
  ],
  [
    'an object that never ends',
    'psrp_object_too_large',
    ({ standIn, pipelineId }) => {
      const blob = new Uint8Array(1024 * 1024);
      for (let i = 0n; i < 34n; i++)
        standIn.inject(data(pipelineId, encodeFragment(900n, i, i === 0n ? FLAG_START : 0, blob)));
    },
  ],
  ['a message for somebody else', 'psrp_unknown_message', (peer) => send(peer, OUTPUT, '<S>x</S>', DESTINATION.server)],
  [
    'a pool state that cannot be',
    'clixml_bad_value',
    (peer) => send(peer, POOL_STATE, '<Obj RefId="0"><MS><S N="RunspaceState">x</S></MS></Obj>'),
  ],
  ['a document type', 'clixml_dtd_forbidden', (peer) => send(peer, OUTPUT, '<!DOCTYPE a [<!ENTITY b "c">]><S>&b;</S>')],
  ['objects in objects', 'clixml_too_deep', (peer) => send(peer, OUTPUT, deep(60))],
  [
    'elements in elements',
    'clixml_too_deep',
    (peer) => send(peer, OUTPUT, `<Obj RefId="0">${'<Unknown>'.repeat(300_000)}`),
  ],
  [
    'a list of a million',
    'clixml_too_large',
    (peer) => send(peer, OUTPUT, `<Obj RefId="0"><LST>${'<Nil />'.repeat(600_000)}</LST></Obj>`),
  ],
  ['a reference to nothing', 'clixml_bad_ref', (peer) => send(peer, OUTPUT, '<Ref RefId="7" />')],
  ['a value that cannot be', 'clixml_bad_value', (peer) => send(peer, OUTPUT, '<I32>9999999999</I32>')],
  ['a value of no kind', 'clixml_unknown_tag', (peer) => send(peer, OUTPUT, '<Evil>1</Evil>')],
  ['no XML', 'clixml_malformed', (peer) => send(peer, OUTPUT, '<S>&nope;</S>')],
];

describe('a hostile PowerShell target', () => {
  it.each(CASES)('%s ends as %s', async (_what, code, act) => {
    const person = await attack(act);
    const isXml = code.startsWith('clixml_');
    expect(person.end).toMatchObject({ reason: isXml ? 'clixml_error' : code, exitCode: null });
    if (isXml) expect(person.end?.detail).toMatch(new RegExp(`^${code}: `));
    expect(person.end?.detail.length).toBeLessThanOrEqual(4096);
    expect(person.ends.map(({ state }) => state)).toEqual(['lost']);
  });

  it('does not trip over message types that it does not know', async () => {
    const person = await openStandInConsole((standIn) => {
      standIn.onLine = (run, line) => {
        if (line !== 'go') return false;
        send({ standIn, pipelineId: run.id }, 0x4f0f0, '<S>x</S>');
        run.line('still here');
        run.end('Completed');
        return true;
      };
    });
    expect(await person.run('go')).toBe('still here\r\n');
    await person.terminal?.close('closed_by_user', 1000);
  });

  it('answers a flood of host calls that nobody can answer, and says so a few times only', async () => {
    expect(hostMethodName(60)).toBeNull();
    const call = (id: number, callId: number): string =>
      `<Obj RefId="0"><MS><I64 N="ci">${String(callId)}</I64><Obj N="mi" RefId="1"><I32>${String(id)}</I32></Obj><Obj N="mp" RefId="2"><LST /></Obj></MS></Obj>`;
    const person = await openStandInConsole((standIn) => {
      standIn.onLine = (run, line) => {
        if (line !== 'go') return false;
        for (let i = 1; i <= 2000; i++) send({ standIn, pipelineId: run.id }, HOST_CALL, call(60, i));
        for (let i = 1; i <= 2000; i++) run.call('EnterNestedPrompt', {});
        for (let i = 1; i <= 2000; i++)
          run.call('GetBufferContents', { rectangle: { left: 0, top: 0, right: 1, bottom: 1 } });
        run.line('still here');
        run.end('Completed');
        return true;
      };
    });
    expect(await person.run('go')).toBe('still here\r\n');
    expect(person.notices.length).toBeLessThanOrEqual(6);
    await person.terminal?.close('closed_by_user', 1000);
  });

  it('keeps what a target says about itself out of what we say', async () => {
    const person = await attack(({ standIn }) => standIn.inject('\u001b]0;fooled\u0007\u202eevil\n'));
    expect(person.end?.reason).toBe('oop_bad_packet');
    expect(person.end?.detail).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
  });
});
