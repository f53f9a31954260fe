import {
  decodeBody,
  decodeMessage,
  encodeMessage,
  fragmentsAs,
  messageName,
  MESSAGES,
  parseBase64,
  PsrpError,
  Reassembler,
} from '@sallyport/psrp';
import type { ReceivedObject } from '@sallyport/psrp';
import { captureFiles, readCapture, rowsOf } from '../../lab/captures.ts';
import { material } from '../mutate.ts';
import { must } from '../parser.ts';
import type { FuzzParser } from '../parser.ts';
import { pieces } from '../random.ts';
import type { Random } from '../random.ts';
import { codeOf } from './clixml.ts';

const GOLDEN = [
  'AAAAAAAAAAMAAAAAAAAAAAMAAABkAQAAAAUQAgAzIhEAVUR3ZoiZqrvM3e7/AAAAAAAAAAAAAAAAAAAAADxPYmogUmVmSWQ9IjAiPjxNUz48STMyIE49IlJ1bnNwYWNlU3RhdGUiPjI8L0kzMj48L01TPjwvT2JqPg==',
  'AAAAAAAAAAgAAAAAAAAAAAMAAAA3AQAAAAQQBAAzIhEAVUR3ZoiZqrvM3e7/QzIhEGVUh3aYqbrL3O3+D++7vzxJMzI+NTwvSTMyPg==',
];

/** Short packets of the recordings, whole and cut into small fragments. */
function packets(): Uint8Array[] {
  const seeds = GOLDEN.map((text) => parseBase64(text) ?? new Uint8Array());
  for (const { scenario, version } of captureFiles) {
    for (const { message, objectId } of readCapture(rowsOf(scenario, version)).messages) {
      if (message.body.length > 1500) continue;
      const whole = encodeMessage(message, message.body, message.hasBom);
      const size = 13 + (seeds.length % 90);
      const cut = Array.from({ length: Math.ceil(whole.length / size) }, (_, i) =>
        Math.min(size, whole.length - i * size),
      );
      seeds.push(
        Uint8Array.from(
          [...fragmentsAs(objectId, whole, seeds.length % 2 === 0 ? cut : [whole.length])].flatMap((f) => [...f]),
        ),
      );
    }
  }
  return seeds;
}

const TOKENS = [
  '\0\0\0\0\0\0\0\u0001\0\0\0\0\0\0\0\0\u0003\0\0\0\u0000', '\0\0\0\0\0\0\0\u0001\0\0\0\0\0\0\0\0\u0001\0\0\0\u0001a',
  '\0\0\0\0\0\0\0\u0001\0\0\0\0\0\0\0\u0001\u0002\0\0\0\u0001b', '\0\0\0\0', '\u0001', '\u0002', '\u0003', '<I32>1</I32>', '\u007f\u007f\u007f\u007f',
]; // prettier-ignore

interface Outcome {
  readonly objects: ReceivedObject[];
  readonly code: string;
}

function reassemble(parts: Iterable<Uint8Array>): Outcome {
  const stream = new Reassembler();
  const objects: ReceivedObject[] = [];
  try {
    for (const part of parts) stream.read(part, (object) => objects.push(object));
    stream.end();
    return { objects, code: 'ok' };
  } catch (error) {
    return { objects, code: codeOf(error) };
  }
}

const shown = ({ objects, code }: Outcome): string =>
  JSON.stringify([code, objects.map(({ objectId, bytes, cut }) => [objectId.toString(), bytes.length, cut])]);

function checkMessage({ objectId, bytes, cut }: ReceivedObject): string {
  try {
    const message = decodeMessage(bytes);
    const again = encodeMessage(message, message.body, message.hasBom);
    must(Buffer.compare(again, bytes) === 0, 'a message does not come back');
    const length = [...fragmentsAs(objectId, again, cut)].reduce((sum, each) => sum + each.length, 0);
    must(length === bytes.length + 21 * cut.length, 'a cut does not come back');
    const name = messageName(message.messageType);
    const body = decodeBody(message);
    if (name !== null) MESSAGES[name].decode(body);
    return 'ok';
  } catch (error) {
    if (!(error instanceof PsrpError)) throw error;
    return codeOf(error);
  }
}

/** Fragments, message headers and the content of every message type. */
export const fragments: FuzzParser = {
  name: 'fragments',
  material: () => material(packets(), TOKENS),
  run(input, random: Random) {
    const whole = reassemble([input]);
    const cut = reassemble(pieces(input, random));
    must(shown(whole) === shown(cut), `another cut gives other objects: ${shown(whole)} and ${shown(cut)}`);
    let { code } = whole;
    for (const object of whole.objects) {
      const own = checkMessage(object);
      if (own !== 'ok') code = own;
    }
    return code;
  },
};
