import { CliXmlReader } from './clixml/reader.ts';
import type { PsValue } from './clixml/object.ts';
import { writeCliXml } from './clixml/writer.ts';
import { CliXmlError } from './errors.ts';
import type { PsrpLimits } from './limits.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The bytes of a body as text. @throws CliXmlError clixml_malformed when they are not UTF-8 */
export function bodyText(body: Uint8Array): string {
  try {
    return utf8.decode(body);
  } catch (cause) {
    const place = { offset: 0, section: 'MS-PSRP 2.2.5 Data Serialization', cause };
    throw new CliXmlError('clixml_malformed', 'not UTF-8', place);
  }
}

/**
 * Decodes the body of a message; a pure call that may run anywhere. undefined = a body of no bytes.
 * @param reader a reader of the caller, which remembers names between messages
 * @throws CliXmlError
 */
export function decodeBody(
  message: { readonly body: Uint8Array },
  reader: CliXmlReader | Partial<PsrpLimits> = {},
): PsValue | undefined {
  if (message.body.length === 0) return undefined;
  const own = reader instanceof CliXmlReader ? reader : new CliXmlReader(reader);
  return own.read(bodyText(message.body));
}

/** The bytes of a body; none for undefined. @throws PsrpEncodeError */
export const encodeBody = (value: PsValue | undefined): Uint8Array =>
  value === undefined ? new Uint8Array(0) : encoder.encode(writeCliXml(value));
