import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import {
  decodeIdentity,
  OPERATIONS,
  readRequest,
  Requests,
  WsManEncodeError,
  WsManError,
  WsManFaultError,
  writeAnswer,
} from '@sallyport/wsman';
import type { Operation } from '@sallyport/wsman';
import { changedEnvelope, toTree } from '../envelopes.ts';
import { material, MAX_INPUT_BYTES, mutate } from '../mutate.ts';
import { must } from '../parser.ts';
import type { FuzzParser } from '../parser.ts';
import type { Random } from '../random.ts';

const VECTORS = path.join(import.meta.dirname, '../../../server/wsman/vectors');
const seeds = (): Uint8Array[] =>
  ['requests', 'answers'].flatMap((folder) =>
    readdirSync(path.join(VECTORS, folder)).map((name) => readFileSync(path.join(VECTORS, folder, name))),
  );

/** Pieces of envelopes, good and bad. */
const TOKENS = [
  '<e:Header>', '</e:Header>', '<e:Body>', '</e:Body>', '<r:Stream Name="stdout">AAEC</r:Stream>', '<r:ReceiveResponse/>',
  '<e:Fault/>', ' xmlns="urn:x"', ' xmlns:p="urn:x"', ' xmlns:p=""', 'p:', '&lt;', '&#x41;', '&#xD800;', '&x;', '<!-- x -->', '<![CDATA[x]]>',
  '<!DOCTYPE a>', '<!ENTITY x "y">', '<?xml version="1.0"?>', '<?xml version="1.0" encoding="utf-16"?>', '<?x y?>', ' Code="2150858793"',
  'PT0S', 'P0DT0H0M0S', 'PT-1S', '</', '/>', '<', '>', '"', "'", '=', ' ', '\ufeff', '\0', '__proto__', 'AA==', 'AA=',
]; // prettier-ignore

const MESSAGE_ID = 'uuid:00000000-0000-0000-0000-00000000000A';
const requests = new Requests({
  url: 'https://target.example:5986/wsman',
  resourceUri: 'http://schemas.microsoft.com/powershell/Microsoft.PowerShell',
  sessionId: '11112222-3333-4444-5555-666677778888',
  newId: () => '00000000-0000-0000-0000-00000000000a',
  maxEnvelopeBytes: 153_600,
  operationTimeoutMs: 20_000,
  locale: 'en-US',
  dataLocale: 'en-US',
});
const operations: readonly Operation<unknown, unknown>[] = Object.values(OPERATIONS).map((each) => each as never);

/** Runs something; gives the code of its named refusal. @throws everything else */
function outcome(run: () => void, size: number): string {
  try {
    run();
    return 'ok';
  } catch (error) {
    if (!(error instanceof WsManError)) throw error;
    must(error.section !== '' || error instanceof WsManEncodeError, `an error without section: ${error.message}`);
    must(error.offset >= -1 && error.offset <= size, 'an offset outside the input');
    if (error instanceof WsManFaultError) must(error.explanation.text !== '', 'a fault without explanation');
    return error.code;
  }
}

/** What is read as an answer must read back the same when it is written again. */
function readAnswer(operation: Operation<unknown, unknown>, input: Uint8Array): void {
  const prepared = { operation, messageId: MESSAGE_ID, bytes: new Uint8Array() };
  const answer = requests.read(prepared, input);
  let text: string;
  try {
    text = writeAnswer(operation, { relatesTo: MESSAGE_ID, messageId: 'X' }, answer);
  } catch (error) {
    // References to controls are read, as the reader of CLIXML does, and never written.
    if (error instanceof WsManEncodeError) return;
    throw error;
  }
  const again = requests.read(prepared, new TextEncoder().encode(text));
  const third = writeAnswer(operation, { relatesTo: MESSAGE_ID, messageId: 'X' }, again);
  must(third === text, `written ${JSON.stringify(text.slice(-300))}, then ${JSON.stringify(third.slice(-300))}`);
}

const isRequest = (input: Uint8Array): boolean =>
  Buffer.from(input.buffer, input.byteOffset, input.length).includes('ReplyTo');

function readAsServer(input: Uint8Array): void {
  const { header, body } = readRequest(input);
  for (const operation of operations) {
    if (operation.action !== header.action) continue;
    const request = operation.decodeRequest(body, header.options);
    must(typeof operation.encodeRequest(request).body === 'string', 'a request that cannot be written');
  }
}

/** Mostly the operation whose answer it might be: the others refuse at the action and see nothing of the body. */
function likely(input: Uint8Array, random: Random): Operation<unknown, unknown> {
  const text = Buffer.from(input.buffer, input.byteOffset, input.length).toString('latin1');
  const named = operations.filter(({ responseAction }) => text.includes(responseAction));
  return random.pick(named.length === 0 || random.oneIn(10) ? operations : named);
}

const BYTES = material(seeds(), TOKENS);
const TREES = BYTES.seeds.map((seed) => toTree(Buffer.from(seed).toString('utf8')));

/** Envelopes in both roles. */
export const wsman: FuzzParser = {
  name: 'wsman',
  material: () => BYTES,
  // Bytes changed at random get no farther than the reader of XML.
  generate: (random) =>
    random.oneIn(4)
      ? mutate(BYTES, random)
      : new TextEncoder().encode(changedEnvelope(TREES, random)).subarray(0, MAX_INPUT_BYTES),
  run(input, random) {
    if (isRequest(input) !== random.oneIn(10)) return outcome(() => { readAsServer(input); }, input.length); // prettier-ignore
    if (random.oneIn(20)) return outcome(() => decodeIdentity(input), input.length);
    return outcome(() => { readAnswer(likely(input, random), input); }, input.length); // prettier-ignore
  },
};
