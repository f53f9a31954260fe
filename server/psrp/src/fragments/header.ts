import { PsrpProtocolError } from '../errors.ts';
import { EMPTY_GUID, readGuid, writeGuid } from '../guid.ts';

const SECTION = 'MS-PSRP 2.2.1 PowerShell Remoting Protocol Message';
/** 4 Destination + 4 MessageType + 16 RPID + 16 PID. */
export const MESSAGE_HEADER_BYTES = 40;

/** Who a message is for. */
export const DESTINATION = { client: 1, server: 2 } as const;

/** The head of a message. [MS-PSRP] 2.2.1 PowerShell Remoting Protocol Message. */
export interface MessageHeader {
  readonly destination: number;
  readonly messageType: number;
  readonly poolId: string;
  /** null for messages of the pool. */
  readonly pipelineId: string | null;
}

/** Header and body apart; the body still as bytes. */
export interface RawMessage extends MessageHeader {
  readonly body: Uint8Array;
  /** The sender put a UTF-8 byte order mark before the body; it is not part of `body`. */
  readonly hasBom: boolean;
}

/** Writes header and body. @param hasBom as decoded; Microsoft senders put a mark before every body that is not empty */
export function encodeMessage(header: MessageHeader, body: Uint8Array, hasBom = false): Uint8Array {
  const mark = hasBom ? 3 : 0;
  const out = new Uint8Array(MESSAGE_HEADER_BYTES + mark + body.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, header.destination, true);
  view.setUint32(4, header.messageType, true);
  writeGuid(header.poolId, out, 8);
  writeGuid(header.pipelineId ?? EMPTY_GUID, out, 24);
  if (mark > 0) out.set([0xef, 0xbb, 0xbf], MESSAGE_HEADER_BYTES);
  out.set(body, MESSAGE_HEADER_BYTES + mark);
  return out;
}

/** Splits a reassembled message. The body shares memory with `bytes`. @throws PsrpProtocolError below 40 bytes */
export function decodeMessage(bytes: Uint8Array): RawMessage {
  if (bytes.length < MESSAGE_HEADER_BYTES) {
    throw new PsrpProtocolError('psrp_bad_length', `a message of ${bytes.length} bytes`, {
      offset: 0,
      section: SECTION,
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hasBom = bytes[40] === 0xef && bytes[41] === 0xbb && bytes[42] === 0xbf;
  const pipelineId = readGuid(bytes, 24);
  return {
    destination: view.getUint32(0, true),
    messageType: view.getUint32(4, true),
    poolId: readGuid(bytes, 8),
    pipelineId: pipelineId === EMPTY_GUID ? null : pipelineId,
    body: bytes.subarray(hasBom ? 43 : MESSAGE_HEADER_BYTES),
    hasBom,
  };
}
