import { decodePacket, encodePacket, LineReader } from '@sallyport/psrp';
import { captureFiles, rowsOf } from '../../lab/captures.ts';
import { material } from '../mutate.ts';
import { must } from '../parser.ts';
import type { FuzzParser } from '../parser.ts';
import { pieces } from '../random.ts';
import type { Random } from '../random.ts';
import { codeOf } from './clixml.ts';

const TOKENS = [
  "<Data Stream='Default' PSGuid='00000000-0000-0000-0000-000000000000'>AAAA</Data>", "<DataAck PSGuid='00000000-0000-0000-0000-000000000000' />",
  "<Command PSGuid='10213243-5465-7687-98a9-bacbdcedfe0f' />", '<Signal', '<CloseAck', "Stream='PromptResponse'", ' PSGuid="', '</Data>', '/>', '\n', '\r\n', '\r',
  '\ufeff', '__NamedPipeError__:', '   at System.X', '=', '==', 'AAAA', ' ', "'", '"', '<', '>', '\0', '{10213243-5465-7687-98a9-bacbdcedfe0f}',
]; // prettier-ignore

function linesIn(parts: Iterable<Uint8Array>): string[] {
  const reader = new LineReader(20_000);
  const told: string[] = [];
  try {
    for (const part of parts) reader.push(part, (line) => told.push(Buffer.from(line).toString('latin1')));
  } catch (error) {
    told.push(codeOf(error));
  }
  return told;
}

function checkLine(line: Uint8Array): string {
  try {
    const packet = decodePacket(line);
    const again = encodePacket(packet);
    must(again[again.length - 1] === 10 && again.indexOf(10) === again.length - 1, 'a packet of two lines');
    const twice = encodePacket(decodePacket(again.subarray(0, -1)));
    must(Buffer.compare(again, twice) === 0, 'a packet does not come back');
    return 'ok';
  } catch (error) {
    return codeOf(error);
  }
}

/** Lines of the subsystem: cutting, then one packet a line. */
export const lines: FuzzParser = {
  name: 'lines',
  material() {
    const seeds = captureFiles
      .flatMap(({ scenario, version }) => rowsOf(scenario, version).map(({ line }) => line))
      .filter((line, index) => line.length < 700 && index % 5 === 0);
    return material(
      seeds.map((line) => new TextEncoder().encode(`${line}\n`)),
      TOKENS,
    );
  },
  run(input, random: Random) {
    const whole = linesIn([input]);
    const cut = linesIn(pieces(input, random));
    must(JSON.stringify(whole) === JSON.stringify(cut), 'another cut gives other lines');
    let code = 'ok';
    for (const line of whole) code = checkLine(Buffer.from(line, 'latin1'));
    return code;
  },
};
