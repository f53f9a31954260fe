import { createSecretKey } from 'node:crypto';
import { SallyportError } from '../../../server/src/errors.ts';
import { ChunkBuilder, parseEvents } from '../../../server/src/recording/event-codec.ts';
import type { JournalEvent } from '../../../server/src/recording/event-codec.ts';
import { chainStart, encodeHeader, parseHeader, sealChunk } from '../../../server/src/recording/format.ts';
import { readChunks } from '../../../server/src/recording/journal-reader.ts';
import { parseAddress, parseHost, parsePort, parseUser } from '../../../server/src/targets/address.ts';
import { matchesHost, readKnownHosts, writeLine } from '../../../server/src/targets/known-hosts.ts';
import { parseControl, parseInputFrame } from '../../../server/src/ws/message.ts';
import { verdictOf } from '../../../shared/src/editor/lexer.ts';
import { cleanText } from '../../../shared/src/editor/text.ts';
import { createOutputFilter } from '../../../shared/src/terminal-output/filter.ts';
import { printableText, visibleText } from '../../../shared/src/terminal-output/visible-text.ts';
import { encodeEcho, parseServerFrame } from '../../../shared/src/wire/frames.ts';
import { material } from '../mutate.ts';
import { must } from '../parser.ts';
import type { FuzzParser } from '../parser.ts';
import { pieces } from '../random.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const named = (error: unknown): string => {
  if (error instanceof SallyportError) return error.code;
  throw error;
};

const CONTROL = [
  '{"type":"attach","sessionId":"aaaaaaaaaaaaaaaaaaaaaa","ticket":"b","cols":80,"rows":24}', '{"type":"ping","t":7}', '{"type":"ack","offset":65536}',
  '{"type":"resize","cols":132,"rows":43}', '{"type":"submit","lineId":3,"text":"Get-Date"}', '{"type":"stop"}', '{"type":"detach"}', '{"type":"close"}',
  '{"type":"answer","id":4,"answer":{"kind":"choice","index":1}}', '{"type":"complete","id":1,"text":"Get-","cursor":4}', '{"type":"resume","token":"x","offset":12}',
]; // prettier-ignore

/** Control messages (JSON) and binary frames of the console socket. */
export const control: FuzzParser = {
  name: 'control',
  material: () =>
    material(CONTROL.map(encode), [
      '{', '}', '[', ']', '"', ':', ',', '"__proto__":{"x":1}', '"constructor":1', '"type":"ping"', '1e999', '-1', 'null', 'true', '\\u0000', '\\ud800', '{"a":'.repeat(20), '[['.repeat(20), '"type":"',
    ]), // prettier-ignore
  run(input) {
    const frame = parseServerFrame(input);
    if (frame?.kind === 'echo')
      must(Buffer.compare(encodeEcho(frame.lineId, frame.bytes), input) === 0, 'an echo frame does not come back');
    try {
      parseInputFrame(input);
    } catch (error) {
      named(error);
    }
    try {
      const message = parseControl(input);
      must(typeof message.type === 'string', 'a message without type');
      return 'ok';
    } catch (error) {
      return named(error);
    }
  },
};

/** Where to: `user@host:port`. */
export const address: FuzzParser = {
  name: 'address',
  material: () =>
    material(
      ['web01', 'ann@web01:2222', 'CONTOSO\\ann@[2001:db8::7]:22', 'ssh://ann@192.0.2.7/', '::1', 'ann@contoso.test@web-01.example'].map(encode),
      ['@', ':', '[', ']', '::', '%eth0', '-', '-oProxyCommand=x', '0x7f.1', '127.1', '2130706433', '\\', '/', ' ', '\n', '\0', 'ssh://', '.', '..', 'xn--', '\u3002', '\u0660', '\u202e', '::ffff:127.0.0.1', '65536', '1'.repeat(300)],
    ), // prettier-ignore
  run(input) {
    const written = text(input);
    parseUser(written);
    parsePort(written);
    const host = parseHost(written);
    if (host.problem === null)
      must(!host.value.startsWith('-') && /^[\x21-\x7e]+$/.test(host.value), 'a bad host was taken');
    const parsed = parseAddress(written);
    if (parsed.problem !== null) return 'refused';
    const { host: name, port, user } = parsed.value;
    must(!name.startsWith('-') && !user.startsWith('-') && /^[\x21-\x7e]+$/.test(name), 'a bad address was taken');
    must(!/[\u0000-\u001f\u007f]/.test(user), 'a control character in a user name');
    const again = parseAddress(
      `${user === '' ? '' : `${user}@`}${name.includes(':') ? `[${name}]` : name}${port === null ? '' : `:${port}`}`,
    );
    must(
      again.problem === null && again.value.host === name && again.value.port === port && again.value.user === user,
      'an address does not come back',
    );
    return 'ok';
  },
};

const LINE_KEY = 'AAAAC3NzaC1lZDI1NTE5AAAAIEe9MtYPZpbyTLM7J3OkzIG9lQXFzSpzM1Sq4vJtyIBf';
const KNOWN = [
  `web01,*.example,!bad.example ssh-ed25519 ${LINE_KEY} ann@desk\n`, `[web01]:2222,[2001:db8::7]:22 ssh-ed25519 ${LINE_KEY}\r\n`,
  `@revoked * ssh-ed25519 ${LINE_KEY}\n# comment\n\n`, `@cert-authority *.example ssh-ed25519 ${LINE_KEY}\n`,
  `|1|AAAAAAAAAAAAAAAAAAAAAAAAAAA=|AAAAAAAAAAAAAAAAAAAAAAAAAAA= ssh-ed25519 ${LINE_KEY}\n`,
]; // prettier-ignore

/** Imported `known_hosts` files, and the matching of their names. */
export const knownHosts: FuzzParser = {
  name: 'known-hosts',
  material: () =>
    material(KNOWN.map(encode), [
      ' ', '\t', '\n', '\r', ',', '!', '*', '?', '*'.repeat(40), '@revoked ', '@cert-authority ', '@', '#', '|1|', '|', '=', '[', ']:22', 'ssh-rsa ', 'ssh-ed25519 ', 'ecdsa-sha2-nistp256 ', LINE_KEY, LINE_KEY.slice(0, 20), '\ufeff', '\0', '\u0660', 'a,'.repeat(200),
    ]), // prettier-ignore
  run(input) {
    const { lines, problems, problemCount } = readKnownHosts(text(input));
    must(problems.length <= 50 && problems.length <= problemCount, 'more problems than are told');
    for (const line of lines) {
      must(/^[\x21-\x7e]+$/.test(line.hosts) && line.hosts.length <= 16 * 1024, 'names that are none were taken');
      const [again] = readKnownHosts(writeLine(line)).lines;
      must(
        again !== undefined && again.hosts === line.hosts && again.key === line.key && again.marker === line.marker,
        'a line does not come back',
      );
      for (const name of ['web01', '[web01]:2222', line.hosts.slice(0, 300)]) matchesHost(line.hosts, name);
    }
    return problemCount > 0 ? 'refused' : 'ok';
  },
};

const ESCAPES = [
  '\u001b[31mred\u001b[0m plain\r\n', '\u001b]0;title\u0007', '\u001b]8;;https://example.test/\u001b\\link\u001b]8;;\u001b\\', '\u001bP$qm\u001b\\', '\u001b]52;c;AAAA\u0007', '\u001b[?1049h\u001b[2J\u001b[H', 'caf\u00e9 \u{1F600} \u4f60\u597d\n',
  '\u001b[20t', '\u001b_apc\u001b\\', '\u001bXsos\u001b\\', '\u009b5n', '\u009d52;c;x\u009c', '\u001b[6n\u001b[c',
]; // prettier-ignore

/** The filter between the target's bytes and the page. */
export const terminalOutput: FuzzParser = {
  name: 'terminal-output',
  material: () =>
    material(ESCAPES.map(encode), ['\u001b', '\u001b[', '\u001b]', '\u001bP', '\u001b\\', '\u0007', '\u0018', '\u001a', '\u0085', '\u009b', '\u009c', '\u009d', ';', '?', '52;c;', '8;;', '0;', ' q', '$q', '\u00c2', '\u202e', '\ufffd', '\u0005', 't', 'm', 'h']), // prettier-ignore
  run(input, random) {
    const whole = createOutputFilter();
    const cut = createOutputFilter();
    const once = Buffer.from(whole.push(input.slice()));
    const parts = [...pieces(input, random)].map((part) => Buffer.from(cut.push(part.slice())));
    must(once.equals(Buffer.concat(parts)), 'another cut shows other bytes');
    must(whole.dropped === cut.dropped, 'another cut drops another number of sequences');
    const shown = once.toString('latin1');
    must(
      !/\u001b\](?!8;|10|11|12|4;|104|110|111|112|0;|1;|2;)/.test(shown) && !/\u001b[P_X^]/.test(shown),
      `a forbidden sequence passed: ${JSON.stringify(shown.slice(0, 200))}`,
    );
    must(!/[\u0000-\u0008\u000e-\u001f]/.test(printableText(text(input), 200)), 'a control character in a title');
    visibleText(text(input), 500);
    return whole.dropped > 0 ? 'dropped' : 'ok';
  },
};

/** The editor's reader of PowerShell text. */
export const editor: FuzzParser = {
  name: 'editor',
  material: () =>
    material(
      ['if ($a -eq 1) { "x $($b + 1)" } else { @(1,2) }', 'Get-ChildItem -Path "C:\\" |\n  Where-Object { $_.Name -like \'a*\' }', '@"\nhere $x\n"@', "@'\nx\n'@", 'function f { param([int]$x = 1) begin {} process { $x } }', 'try { 1/0 } catch [System.Exception] { } finally { }', '<# c #> # d', '$h = @{ a = 1; b = 2 }', 'a `\nb', '1..3 | % { $_ }'].map(encode),
      ['{', '}', '(', ')', '[', ']', '"', "'", '@"\n', '\n"@', "@'\n", '`', '`\n', '|', '&&', '||', ';', '#', '<#', '#>', '$(', '${', '\u201c', '\u2019', '\n', '--%', 'while', 'if', 'catch', '(('.repeat(200), '"$('.repeat(50), '\0'],
    ), // prettier-ignore
  run(input) {
    const typed = text(input);
    const verdict = verdictOf(typed);
    must('IWEC'.includes(verdict), `verdict ${verdict}`);
    const clean = cleanText(typed);
    must(cleanText(clean.text).text === clean.text, 'a cleaned text is not clean');
    return verdict;
  },
};

const KEY = createSecretKey(Buffer.alloc(32, 7));
const SESSION = 'fuzzfuzzfuzzfuzzfuzz00';
const EVENTS: readonly JournalEvent[] = [
  { type: 'resize', cols: 80, rows: 24 },
  { type: 'output', bytes: encode('hello\r\n') },
  { type: 'title', text: 'web01' },
  { type: 'clear' },
  { type: 'note', text: 'n' },
  { type: 'end', reason: 'closed' },
];

let goodChunk: Buffer | null = null;
function plainChunk(): Buffer {
  const chunk = new ChunkBuilder();
  chunk.start(1_700_000_000_000);
  for (const [index, event] of EVENTS.entries()) chunk.add(event, index * 10);
  return Buffer.from(chunk.bytes());
}

/** A journal whose chunks hold these plain bytes; the last one has a nonce of its own, as a recovery writes it. */
function journal(...plains: readonly Buffer[]): Buffer {
  const header = encodeHeader(SESSION, Buffer.alloc(60, 3));
  const chain = { key: KEY, sessionId: Buffer.from(SESSION, 'latin1') };
  let point = chainStart(header);
  const parts = [header];
  for (const [index, plain] of plains.entries()) {
    const sealed = sealChunk(chain, point, plain, index === plains.length - 1 ? 'explicit' : 'counted');
    parts.push(...sealed.pieces);
    point = sealed.next;
  }
  return Buffer.concat(parts);
}

/** Reads a whole journal from memory. @returns chunks that were proven, and how reading stopped */
async function readJournal(bytes: Buffer): Promise<{ chunks: number; stop: string }> {
  const header = parseHeader(bytes);
  if (header === null) return { chunks: 0, stop: 'refused' };
  const file = {
    read: (into: Uint8Array, position: number) =>
      Promise.resolve(bytes.copy(into, 0, position, Math.min(bytes.length, position + into.length))),
    size: () => Promise.resolve(bytes.length),
    close: () => Promise.resolve(),
  };
  const chain = { key: KEY, sessionId: Buffer.from(header.sessionId, 'latin1') };
  const reader = readChunks(file, chain, chainStart(bytes.subarray(0, header.length)), bytes.length);
  for (let chunks = 0; ; chunks++) {
    const next = await reader.next();
    if (next.done === true) return { chunks, stop: next.value.kind };
    must(chunks < 1000, 'a journal without end');
  }
}

/** Journals of recordings: header, chain of sealed chunks, events in a chunk. */
export const recording: FuzzParser = {
  name: 'recording',
  material: () =>
    material(
      [journal(plainChunk(), plainChunk(), plainChunk()), plainChunk(), plainChunk()],
      ['\0\0\0\0', '\u0001\0\0\0\u0004', '\u007f', '\0\0\0\0\0\0\0\0', '{}', '{"number":1,"state":"x"}', '\u0003\0\0\0\u0002', '\0\0\0\0\u0002'],
    ), // prettier-ignore
  async run(input) {
    const bytes = Buffer.from(input);
    if (parseHeader(bytes) !== null) return (await readJournal(bytes)).stop;
    // Sealed under the right key, so that the bytes get to the reader of events.
    const isGood = parseEvents(bytes) !== null;
    if (bytes.length === 0) return 'refused';
    goodChunk ??= plainChunk();
    const { chunks, stop } = await readJournal(journal(bytes, goodChunk));
    must(isGood ? chunks === 2 && stop === 'whole' : chunks === 0 && stop === 'bad', `${chunks} chunks, ${stop}`);
    return isGood ? 'ok' : 'refused';
  },
};
