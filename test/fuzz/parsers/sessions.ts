import {
  decodeMessage,
  decodePacket,
  encodeMessage,
  encodePacket,
  fragmentsAs,
  OutOfProcClient,
  OutOfProcServer,
  Reassembler,
  RUNSPACE_HOST,
} from '@sallyport/psrp';
import { captureFiles, rowsOf } from '../../lab/captures.ts';
import type { Direction } from '../../lab/captures.ts';
import { mutate } from '../mutate.ts';
import type { Material } from '../mutate.ts';
import { must } from '../parser.ts';
import type { FuzzParser } from '../parser.ts';
import { pieces, Random } from '../random.ts';
import { clixml, codeOf } from './clixml.ts';
import { lines as lineParser } from './lines.ts';

/** Short recordings: a session is played for each input. */
const MAX_SESSION_BYTES = 30_000;
const ZERO = '00000000-0000-0000-0000-000000000000';
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A line on its way; good ones are encoded once. */
interface Line {
  readonly dir: Direction;
  /** With its newline. */
  readonly bytes: Uint8Array;
  /** The pipeline that a client makes with it. */
  readonly command: string | null;
  readonly isChanged: boolean;
}
interface Session {
  readonly lines: readonly Line[];
  readonly poolId: string;
}
let found: Session[] | null = null;
let bodies: Material | null = null;
let texts: Material | null = null;

function sessions(): Session[] {
  found ??= captureFiles
    .map(({ scenario, version }) => rowsOf(scenario, version))
    .filter((rows) => rows.reduce((sum, { line }) => sum + line.length, 0) < MAX_SESSION_BYTES)
    .flatMap((rows) => {
      const first = rows.map(({ line }) => line).find((line) => line.startsWith('<Data')) ?? '';
      const packet = decodePacket(encode(first));
      const [object] = packet.element === 'Data' ? new Reassembler().receive(packet.data) : [];
      const lines = rows.map(({ dir, line }): Line => toLine(dir, encode(line), false));
      return object === undefined ? [] : [{ lines, poolId: decodeMessage(object.bytes).poolId }];
    });
  return found;
}

/** Changes the body of one message, or its bytes, below line and fragment, so that the change gets deep. */
function mutateInside(line: string, random: Random): Uint8Array {
  bodies ??= clixml.material();
  const packet = decodePacket(encode(line));
  if (packet.element !== 'Data') return encode(line);
  const [object] = new Reassembler().receive(packet.data);
  if (object === undefined) return encode(line);
  const message = decodeMessage(object.bytes);
  const whole = random.oneIn(4)
    ? mutate({ seeds: [object.bytes], tokens: bodies.tokens }, random)
    : encodeMessage(message, mutate({ seeds: [message.body], tokens: bodies.tokens }, random), message.hasBom);
  if (whole.length === 0) return encode(line);
  const first = random.oneIn(2) ? whole.length : 1 + random.below(whole.length);
  const cut = first === whole.length ? [first] : [first, whole.length - first];
  const data = new Uint8Array(Buffer.concat([...fragmentsAs(object.objectId, whole, cut)]));
  return encodePacket({ ...packet, data }).subarray(0, -1);
}

function mutateLine(line: string, random: Random): Uint8Array {
  texts ??= lineParser.material();
  if (line.startsWith('<Data') && !random.oneIn(4)) {
    try {
      return mutateInside(line, random);
    } catch {
      // The recording's own bad lines have no inside.
    }
  }
  return mutate({ seeds: [encode(line)], tokens: texts.tokens }, random);
}

function toLine(dir: Direction, text: Uint8Array, isChanged: boolean): Line {
  const bytes = new Uint8Array(text.length + 1);
  bytes.set(text);
  bytes[text.length] = 10;
  const head = Buffer.from(text.buffer, text.byteOffset, Math.min(text.length, 80)).toString('latin1');
  const command = dir === 'c2s' ? /^<Command PSGuid='([^']{36})'/.exec(head)?.[1] : undefined;
  return { dir, bytes, command: command === undefined || command === ZERO ? null : command, isChanged };
}

/** A recording with one to three lines changed, lost, doubled or swapped. */
function changed(session: Session, dir: Direction, random: Random): Line[] {
  const lines = [...session.lines];
  for (let count = 1 + random.below(3); count > 0; count--) {
    const own = [...lines.keys()].filter((index) => lines[index]?.dir === dir);
    if (own.length === 0) break;
    const at = random.pick(own);
    const line = lines[at];
    if (line === undefined) break;
    const way = random.below(10);
    if (way === 0) lines.splice(at, 1);
    else if (way === 1) lines.splice(at, 0, line);
    else if (way === 2) lines.push(...lines.splice(at, 1));
    else {
      const text = Buffer.from(line.bytes.buffer, line.bytes.byteOffset, line.bytes.length - 1).toString();
      lines[at] = toLine(dir, mutateLine(text, random), true);
    }
  }
  return lines;
}

/** The lines that one side reads, as it may read them: whole, or what was changed in any pieces and some others in two. */
function* readsOf(line: Line, random: Random | null): Generator<Uint8Array> {
  const { bytes } = line;
  if (random === null) yield bytes;
  else if (line.isChanged) yield* pieces(bytes, random);
  else {
    const at = random.oneIn(4) ? random.below(bytes.length) : 0;
    if (at > 0) yield bytes.subarray(0, at);
    yield bytes.subarray(at);
  }
}

function playClient(session: Session, lines: readonly Line[], random: Random | null): string[] {
  const client = new OutOfProcClient({ poolId: session.poolId, newId: () => ZERO, protocolVersion: '2.4' });
  client.open({ hostInfo: RUNSPACE_HOST });
  const told: string[] = [];
  for (const line of lines) {
    if (client.state === 'Opened') client.requestSessionKey();
    if (line.dir === 's2c') {
      for (const part of readsOf(line, random)) {
        for (const event of client.receive(part)) {
          if (event.type === 'failed') codeOf(event.error);
          told.push(event.type === 'failed' ? event.error.code : event.type);
        }
      }
      // Nothing more is read.
      if (client.state === 'Broken') break;
    } else if (line.command !== null && client.state === 'Opened' && client.pipelineState(line.command) === null) {
      client.createPipeline({ commands: [{ command: 'x' }], pipelineId: line.command });
    }
    client.takeOutgoing();
  }
  client.channelEnded({ exitStatus: 160 });
  must(client.state === 'Broken' || client.state === 'Closed', `a client that ended is ${client.state}`);
  return told;
}

function playServer(lines: readonly Line[], random: Random | null): string[] {
  const server = new OutOfProcServer({ protocolVersion: '2.4' });
  const told: string[] = [];
  for (const line of lines) {
    if (line.dir !== 'c2s') continue;
    for (const part of readsOf(line, random)) {
      for (const event of server.receive(part)) {
        if (event.type === 'failed') codeOf(event.error);
        told.push(event.type === 'failed' ? event.error.code : event.type);
        if (event.type === 'open' && server.pool.state === 'Opening') server.pool.opened(null);
        if (event.type === 'createPipeline' && server.pool.pipelineState(event.pipelineId) === 'Running') {
          server.pool.sendOutput(event.pipelineId, 1);
          server.pool.callHost(event.pipelineId, 'ReadLine', {});
        }
        if (event.type === 'endOfInput' || event.type === 'stop') server.finish(event.pipelineId, 'Stopped');
        if (event.type === 'setMaxRunspaces' || event.type === 'setMinRunspaces')
          server.pool.respondAvailability(event.callId, true);
      }
    }
    server.takeOutgoing();
    if (server.hasExited) break;
  }
  server.end();
  must(server.hasExited, 'a server that ended has not exited');
  return told;
}

const session = (
  name: string,
  dir: Direction,
  play: (session: Session, lines: readonly Line[], random: Random | null) => string[],
): FuzzParser => ({
  name,
  material: () => ({ seeds: [], tokens: [] }),
  // The input is the seed of a session: what is changed in it follows from these bytes alone.
  generate: (random) => Uint8Array.from({ length: 8 }, () => random.below(256)),
  run(input) {
    const random = new Random(...input);
    const one = random.pick(sessions());
    const lines = changed(one, dir, random);
    const whole = play(one, lines, null);
    const cut = play(one, lines, random);
    must(whole.join() === cut.join(), `another cut gives other events: ${whole.join()} and ${cut.join()}`);
    return whole.find((each) => each.includes('_')) ?? 'ok';
  },
});

/** The client role against a hostile server, from line to event. */
export const client = session('client', 's2c', playClient);
/** The server role against a hostile client. */
export const server = session('server', 'c2s', (_, lines, random) => playServer(lines, random));
