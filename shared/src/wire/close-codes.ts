/** WebSocket close codes of `sallyport.v1`. The close reason is always an error code of `error-codes.ts`. docs/wire.md. */
export const CloseCode = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  badMessage: 1008,
  tooBig: 1009,
  /** `ticket_invalid`, `resume_invalid`, `revoked`. */
  unauthenticated: 4401,
  /** `forbidden`, `grant_removed`. */
  forbidden: 4403,
  notFound: 4404,
  /** Another page took this session over: `taken_over`. */
  takenOver: 4409,
  /** `detached_too_long`. */
  detachedTooLong: 4410,
  rateLimited: 4429,
  /** `recording_unavailable`. */
  recordingUnavailable: 4500,
  /** The session ended; the reason is the end reason (security.md section 4, `ended:x`). */
  ended: 4502,
  /** `draining`. */
  draining: 4503,
  /** `target_timeout`. */
  targetTimeout: 4504,
} as const;
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];
