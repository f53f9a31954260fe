import { malformed } from '../errors.ts';
import { NS, SHELL_ACTION } from '../soap/namespaces.ts';
import { element } from '../xml/writer.ts';
import { actions, base64Text, bytesOf, idAttribute, required } from './operation.ts';
import type { Operation } from './operation.ts';

const SECTION = 'MS-WSMV 3.1.4.13 Send';

/** `pr` carries answers to host calls, `stdin` everything else. */
export type InputStream = 'stdin' | 'pr';

/** Bytes for a command, or for the pool. */
export interface SendRequest {
  readonly stream: InputStream;
  /** null = the pool. */
  readonly commandId: string | null;
  readonly bytes: Uint8Array;
}

/**
 * Send, client -> server: fragments after the first ones. The answer is the acknowledgement and may take minutes while
 * the server cannot take more. [MS-WSMV] 3.1.4.13 Send; [MS-PSRP] 3.1.5.3.5 Rules for the wxf:Send Message.
 */
export const send: Operation<SendRequest, null> = {
  name: 'Send',
  section: SECTION,
  ...actions(`${SHELL_ACTION}Send`),
  prefixes: ['rsp'],

  encodeRequest({ stream, commandId, bytes }) {
    const attributes = [
      ['Name', stream],
      ['CommandId', commandId?.toUpperCase() ?? null],
    ] as const;
    return { body: element('rsp:Send', element('rsp:Stream', base64Text(bytes), attributes)) };
  },
  decodeRequest(body) {
    const sent = required(required(body, NS.rsp, 'Send', SECTION), NS.rsp, 'Stream', SECTION);
    const stream = sent.attribute('Name');
    if (stream !== 'stdin' && stream !== 'pr') malformed('an unknown input stream', SECTION);
    return { stream, commandId: idAttribute(sent, 'CommandId'), bytes: bytesOf(sent, SECTION) };
  },
  encodeResponse: () => element('rsp:SendResponse', ''),
  decodeResponse: () => null,
};
