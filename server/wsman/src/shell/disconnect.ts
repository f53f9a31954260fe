import { encodeDuration, parseDuration } from '../duration.ts';
import { malformed } from '../errors.ts';
import { NS, SHELL_ACTION } from '../soap/namespaces.ts';
import { element, textElement } from '../xml/writer.ts';
import type { BufferMode } from './create.ts';
import { actions, required } from './operation.ts';
import type { Operation } from './operation.ts';

const SECTION = 'MS-WSMV 3.1.4.15 Disconnect';

/** Leaves a shell; what it puts out is kept or dropped. */
export interface DisconnectRequest {
  /** How long the server keeps it; at least a minute, at most the endpoint's MaxIdleTimeOut; null = as it is. */
  readonly idleTimeoutMs: number | null;
  /** null = as it is. */
  readonly bufferMode: BufferMode | null;
}

/** Disconnect, client -> server; its Sends must be answered before. [MS-WSMV] 3.1.4.15 Disconnect. */
export const disconnect: Operation<DisconnectRequest, null> = {
  name: 'Disconnect',
  section: SECTION,
  ...actions(`${SHELL_ACTION}Disconnect`),
  prefixes: ['rsp'],

  encodeRequest({ idleTimeoutMs, bufferMode }) {
    const idle = idleTimeoutMs === null ? '' : textElement('rsp:IdleTimeOut', encodeDuration(idleTimeoutMs));
    const buffer = bufferMode === null ? '' : textElement('rsp:BufferMode', bufferMode);
    return { body: element('rsp:Disconnect', idle + buffer) };
  },
  decodeRequest(body) {
    const sent = required(body, NS.rsp, 'Disconnect', SECTION);
    const idle = sent.textOf(NS.rsp, 'IdleTimeOut');
    const idleTimeoutMs = idle === null ? null : parseDuration(idle);
    if (idle !== null && idleTimeoutMs === null) malformed('an IdleTimeOut that is no length of time', SECTION);
    const mode = sent.textOf(NS.rsp, 'BufferMode');
    if (mode !== null && mode !== 'Block' && mode !== 'Drop') malformed('an unknown BufferMode', SECTION);
    return { idleTimeoutMs, bufferMode: mode };
  },
  encodeResponse: () => '',
  decodeResponse: () => null,
};
