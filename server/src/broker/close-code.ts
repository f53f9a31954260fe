/** The close code of every error code that can close a console socket. security.md section 4; docs/wire.md. */
import type { ErrorCode } from '@sallyport/shared/error-codes';
import { CloseCode } from '@sallyport/shared/wire/close-codes';

const CODES: Readonly<Partial<Record<ErrorCode, CloseCode>>> = {
  bad_message: CloseCode.badMessage,
  bad_state: CloseCode.badMessage,
  bad_request: CloseCode.badMessage,
  line_too_long: CloseCode.badMessage,
  unauthenticated: CloseCode.unauthenticated,
  ticket_invalid: CloseCode.unauthenticated,
  resume_invalid: CloseCode.unauthenticated,
  revoked: CloseCode.unauthenticated,
  forbidden: CloseCode.forbidden,
  grant_removed: CloseCode.forbidden,
  not_found: CloseCode.notFound,
  taken_over: CloseCode.takenOver,
  detached_too_long: CloseCode.detachedTooLong,
  rate_limited: CloseCode.rateLimited,
  slow_reader: CloseCode.rateLimited,
  recording_unavailable: CloseCode.recordingUnavailable,
  audit_unavailable: CloseCode.recordingUnavailable,
  draining: CloseCode.draining,
  target_timeout: CloseCode.targetTimeout,
};

/** @returns 4502 for whatever ends a session without a code of its own */
export const closeCodeOf = (code: ErrorCode): CloseCode => CODES[code] ?? CloseCode.ended;
