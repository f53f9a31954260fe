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
import type { Direction, Row } from '../../lab/captures.ts';
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

interface Session {
  readonly rows: readonly Row[];
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
      return object === undefined ? [] : [{ rows, poolId: decodeMessage(object.bytes).poolId }];
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
  const data = Uint8Array.from([...fragmentsAs(object.objectId, whole, cut)].flatMap((each) => [...each]));
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

/** A recording with one to three lines changed, lost, doubled or swapped. */
function changed(session: Session, dir: Direction, random: Random): { dir: Direction; bytes: Uint8Array }[] {
  const rows = session.rows.map((row) => ({ dir: row.dir, bytes: encode(row.line) }));
  for (let count = 1 + random.below(3); count > 0; count--) {
    const own = [...rows.keys()].filter((index) => rows[index]?.dir === dir);
    if (own.length === 0) break;
    const at = random.pick(own);
    const row = rows[at];
    if (row === undefined) break;
    const way = random.below(10);
    if (way === 0) rows.splice(at, 1);
    else if (way === 1) rows.splice(at, 0, row);
    else if (way === 2) rows.push(...rows.splice(at, 1));
    else rows[at] = { dir, bytes: mutateLine(Buffer.from(row.bytes).toString(), random) };
  }
  return rows;
}

const isId = (text: string | undefined): text is string => text !== undefined && text !== ZERO;

function withNewline(bytes: Uint8Array): Uint8Array {
  const line = new Uint8Array(bytes.length + 1);
  line.set(bytes);
  line[bytes.length] = 10;
  return line;
}

function playClient(
  session: Session,
  rows: readonly { dir: Direction; bytes: Uint8Array }[],
  random: Random | null,
): string[] {
  const client = new OutOfProcClient({ poolId: session.poolId, newId: () => ZERO, protocolVersion: '2.4' });
  client.open({ hostInfo: RUNSPACE_HOST });
  const told: string[] = [];
  for (const { dir, bytes } of rows) {
    if (client.state === 'Opened') client.requestSessionKey();
    if (dir === 's2c') {
      const line = withNewline(bytes);
      for (const part of random === null ? [line] : pieces(line, random)) {
        for (const event of client.receive(part)) {
          if (event.type === 'failed') codeOf(event.error);
          told.push(event.type === 'failed' ? event.error.code : event.type);
        }
      }
    } else {
      const id = /^<Command PSGuid='([^']{36})'/.exec(Buffer.from(bytes.subarray(0, 80)).toString())?.[1];
      if (isId(id) && client.state === 'Opened' && client.pipelineState(id) === null) {
        client.createPipeline({ commands: [{ command: 'x' }], pipelineId: id });
      }
    }
    client.takeOutgoing();
  }
  client.channelEnded({ exitStatus: 160 });
  must(client.state === 'Broken' || client.state === 'Closed', `a client that ended is ${client.state}`);
  return told;
}

function playServer(rows: readonly { dir: Direction; bytes: Uint8Array }[], random: Random | null): string[] {
  const server = new OutOfProcServer({ protocolVersion: '2.4' });
  const told: string[] = [];
  for (const { dir, bytes } of rows) {
    if (dir !== 'c2s') continue;
    const line = withNewline(bytes);
    for (const part of random === null ? [line] : pieces(line, random)) {
      for (const event of server.receive(part)) {
        if (event.type === 'failed') codeOf(event.error);
        told.push(event.type === 'failed' ? event.error.code : event.type);
        if (event.type === 'open' && server.pool.state === 'Opening') server.pool.opened(null);
        if (event.type === 'createPipeline' && server.pool.pipelineState(event.pipelineId) === 'Running') {
          server.pool.sendOutput(event.pipelineId, 1);
          server.pool.callHost(event.pipelineId, 'ReadLine', {});
        }
        if (event.type === 'endOfInput' || event.type === 'stop') server.finish(event.pipelineId, 'Stopped');
      }
    }
    server.takeOutgoing();
  }
  server.end();
  must(server.hasExited, 'a server that ended has not exited');
  return told;
}

const session = (
  name: string,
  dir: Direction,
  play: (s: Session, rows: ReturnType<typeof changed>, random: Random | null) => string[],
): FuzzParser => ({
  name,
  material: () => ({ seeds: [], tokens: [] }),
  // The input is the seed of a session: what is changed in it follows from these bytes alone.
  generate: (random) => Uint8Array.from({ length: 8 }, () => random.below(256)),
  run(input) {
    const random = new Random(...input);
    const one = random.pick(sessions());
    const rows = changed(one, dir, random);
    const whole = play(one, rows, null);
    const cut = play(one, rows, random);
    must(whole.join() === cut.join(), `another cut gives other events: ${whole.join()} and ${cut.join()}`);
    return whole.find((each) => each.includes('_')) ?? 'ok';
  },
});

/** The client role against a hostile server, from line to event. */
export const client = session('client', 's2c', playClient);
/** The server role against a hostile client. */
export const server = session('server', 'c2s', (_, rows, random) => playServer(rows, random));
