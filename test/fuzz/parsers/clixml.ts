import {
  bodyText,
  CliXmlReader,
  displayText,
  PsObject,
  PsrpEncodeError,
  PsrpError,
  writeCliXml,
} from '@sallyport/psrp';
import type { PsValue } from '@sallyport/psrp';
import { captureFiles, readCapture, rowsOf } from '../../lab/captures.ts';
import { material } from '../mutate.ts';
import { must } from '../parser.ts';
import type { FuzzParser } from '../parser.ts';

/** Bodies of the recordings up to this size, each text once. */
const MAX_SEED_BYTES = 4096;
let found: Uint8Array[] | null = null;

/** Every short body of the recordings. */
export function capturedBodies(): Uint8Array[] {
  if (found !== null) return found;
  const bodies = new Map<string, Uint8Array>();
  for (const { scenario, version } of captureFiles) {
    for (const { message } of readCapture(rowsOf(scenario, version)).messages) {
      if (message.body.length > 0 && message.body.length <= MAX_SEED_BYTES)
        bodies.set(bodyText(message.body), message.body);
    }
  }
  found = [...bodies.values()];
  return found;
}

/** Pieces of CLIXML, good and bad. */
export const CLIXML_TOKENS = [
  '<Obj RefId="0">', '</Obj>', '<Ref RefId="0" />', '<Ref N="a" RefId="1" />', '<TN RefId="0"><T>System.Object</T></TN>',
  '<TNRef RefId="0" />', '<ToString>x</ToString>', '<Props>', '</Props>', '<MS>', '</MS>', '<LST>', '</LST>', '<DCT>', '</DCT>',
  '<En>', '</En>', '<S N="Key">k</S>', '<I32 N="Value">1</I32>', '<S>x</S>', '<S N="__proto__">x</S>', '<Nil />', '<B>true</B>',
  '<I64>-1</I64>', '<Db>INF</Db>', '<DT>2024-01-02T03:04:05Z</DT>', '<TS>PT1S</TS>', '<BA>AAEC</BA>', '<C>55296</C>',
  '<G>00112233-4455-6677-8899-aabbccddeeff</G>', '<Version>1.2</Version>', '<SS>AA==</SS>', '<PR><AV>a</AV><AI>1</AI></PR>',
  '<!-- x -->', '<?x y?>', '<![CDATA[x]]>', '<!DOCTYPE a>', '<!ENTITY x "y">', '&amp;', '&#x41;', '&#xD800;', '&#0;', '&x;', '_x000A_',
  '_xD83D__xDE00_', '_x0001F600_', '_x005F_', '_x', '<Objs>', '</Objs>', ' N="a"', ' RefId="9"', ' xmlns="http://x"', '/>', '</', '<', '>', '"', "'", '\ufeff', '\0',
]; // prettier-ignore

const readers = { kept: new CliXmlReader() };

/** Walks once over everything that can be reached, cycles included. */
function visit(root: PsValue): void {
  const seen = new Set<PsValue>();
  const todo: PsValue[] = [root];
  for (let value = todo.pop(); value !== undefined; value = todo.pop()) {
    displayText(value);
    if (!(value instanceof PsObject) || seen.has(value)) continue;
    seen.add(value);
    for (const [name, each] of value.properties()) {
      must(value.get(name) !== undefined, `property ${name} is listed and not found`);
      todo.push(each);
    }
  }
}

/** What is written must read back and be written alike. */
export function checkRoundTrip(value: PsValue): void {
  let wire: string;
  try {
    wire = writeCliXml(value);
  } catch (error) {
    if (error instanceof PsrpEncodeError) return;
    throw error;
  }
  const again = writeCliXml(new CliXmlReader().read(wire));
  must(again === wire, `written ${JSON.stringify(wire.slice(0, 200))}, then ${JSON.stringify(again.slice(0, 200))}`);
}

/** The code of a named error that says where it is. @throws everything else */
export function codeOf(error: unknown): string {
  if (!(error instanceof PsrpError)) throw error;
  must(error.section !== '', `an error without section: ${error.code} ${error.message}`);
  return error.code;
}

/** The reader and the writer of CLIXML. */
export const clixml: FuzzParser = {
  name: 'clixml',
  material: () => material(capturedBodies(), CLIXML_TOKENS),
  run(input, random) {
    const reader = random.oneIn(2) ? readers.kept : new CliXmlReader();
    try {
      for (const value of reader.readAll(bodyText(input))) {
        visit(value);
        checkRoundTrip(value);
      }
      return 'ok';
    } catch (error) {
      const code = codeOf(error);
      must(
        error instanceof PsrpError && error.offset >= 0 && error.offset <= input.length,
        'an offset outside the input',
      );
      return code;
    }
  },
};
