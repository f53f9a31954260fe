/** Every refusal over HTTP: `{"error":{code,message,requestId}}`, our own words only. security.md section 2, rule 5. */
import type { Socket } from 'node:net';
import { errorText, type ErrorCode } from '@sallyport/shared/error-codes';
import type { ErrorBody } from '@sallyport/shared/api/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { SallyportError, codeOf } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { randomId } from '../random.ts';
import { errorStatus } from './error-status.ts';

/** Short enough to read out on the telephone; only for finding the log line. */
export const newRequestId = (): string => randomId().slice(0, 16);

/** The body of a refusal. */
export const errorBody = (code: ErrorCode, requestId: string): ErrorBody => ({
  error: { code, message: errorText(code), requestId },
});

/** What our schemas refuse, told apart where a person can mend it. */
function codeOfIssues(error: z.ZodError): ErrorCode {
  const [issue] = error.issues;
  const field = issue?.path.at(-1);
  if (issue?.code === 'too_small' && (field === 'password' || field === 'next')) return 'weak_password';
  if (field === 'name' && issue?.code !== 'invalid_type') return 'bad_name';
  return 'bad_request';
}

const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'bad_request',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'bad_request',
  FST_ERR_BAD_URL: 'bad_request',
  FST_ERR_NOT_FOUND: 'not_found',
};

/** The code of whatever was thrown while answering. */
export function codeOfFailure(error: unknown): ErrorCode {
  if (error instanceof z.ZodError) return codeOfIssues(error);
  if (error instanceof SallyportError) return error.code;
  // Node's word for a request whose sender went away in the middle of the body; nobody will read the answer.
  if (error instanceof Error && error.message === 'aborted') return 'bad_request';
  if (error instanceof Error && 'code' in error && typeof error.code === 'string')
    return FASTIFY_CODES[error.code] ?? 'internal';
  return codeOf(error);
}

/** Answers with a refusal and logs it once: a failure of ours with its causes, a refusal by its code. */
export function sendError(
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
  join: { log: Log; metrics: Metrics },
  status?: number,
): FastifyReply {
  const code = codeOfFailure(error);
  const answer = status ?? errorStatus(code);
  const fields = { requestId: request.id, code, method: request.method, route: request.routeOptions.url ?? '' };
  if (answer >= 500) join.log.error({ ...fields, err: error }, 'Request failed');
  else join.log.debug(fields, 'Request refused');
  join.metrics.refusals.inc({ code });
  if (error instanceof SallyportError && error.retryAfterS !== null)
    void reply.header('retry-after', String(error.retryAfterS));
  return reply
    .code(answer)
    .header('cache-control', 'no-store')
    .type('application/json; charset=utf-8')
    .send(errorBody(code, request.id));
}

/** What Node refuses before there is a request: a head that is too large, too slow, or no HTTP. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, text, code]: readonly [number, string, ErrorCode] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'Request Header Fields Too Large', 'payload_too_large']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout', 'bad_request']
        : [400, 'Bad Request', 'bad_request'];
  const body = JSON.stringify(errorBody(code, newRequestId()));
  socket.end(
    `HTTP/1.1 ${status} ${text}\r\nContent-Type: application/json; charset=utf-8\r\nCache-Control: no-store\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
