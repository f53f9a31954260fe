import { WsManEncodeError } from './errors.ts';

/** Envelope sizes of Windows servers that nobody changed. */
export const ENVELOPE_BYTES = {
  /** Windows 7 and Server 2008 R2; every later one takes it too. */
  old: 153_600,
  /** Windows 8, Server 2012 and later. */
  current: 512_000,
} as const;

/** Room beyond an empty Send for what differs between requests. */
const SPARE_BYTES = 256;
/** A fragment's own header and something in it. */
const SMALLEST = 64;

/**
 * Bytes of a fragment, its header counted, whose base64 still fits in an envelope.
 * @param maxEnvelopeBytes what the server accepts
 * @param emptySendBytes length of a Send with ids and options and nothing in its stream
 * @throws WsManEncodeError when nothing fits
 */
export function fragmentBytes(maxEnvelopeBytes: number, emptySendBytes: number): number {
  const size = Math.floor((maxEnvelopeBytes - emptySendBytes - SPARE_BYTES) / 4) * 3;
  if (size < SMALLEST) throw new WsManEncodeError(`an envelope of ${maxEnvelopeBytes} bytes holds no fragment`);
  return size;
}
