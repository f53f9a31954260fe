/** From what ssh2 and the socket report to the codes of security.md section 4. Never a credential in a message. */
import type { ErrorCode } from '@sallyport/shared/error-codes';
import { SallyportError, toError } from '../../errors.ts';

/** How far a connection has come; an error means something else at each stage. */
export type Stage = 'tcp' | 'handshake' | 'signing-in' | 'open';

const PEER_TEXT_CHARS = 512;

/** Text of the peer as a person or a log may see it: controls, bidi and separators escaped, cut at 512 characters. */
export function escapePeerText(text: string): string {
  const cut = text.length > PEER_TEXT_CHARS ? `${text.slice(0, PEER_TEXT_CHARS)}…` : text;
  return cut.replace(
    /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu,
    (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

const field = (error: Error, name: string): unknown => Object.entries(error).find(([key]) => key === name)?.[1];

const UNREACHABLE = ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EADDRNOTAVAIL', 'EACCES'];

function socketCode(code: string, stage: Stage): ErrorCode {
  if (code === 'ETIMEDOUT') return stage === 'open' ? 'target_lost' : 'target_timeout';
  if (stage === 'tcp') return 'target_unreachable';
  if (UNREACHABLE.includes(code) && stage === 'handshake') return 'target_unreachable';
  return 'target_lost';
}

/** RFC 4253 section 11.1 Disconnection Message: reasons that mean the credential was not taken. */
const AUTH_DISCONNECTS = [2, 13, 14];

/**
 * @param thrown what ssh2 emitted: an error with `level`, a DISCONNECT with a number as `code`, or a socket error
 * @param hasOffered true once a credential was sent on this connection
 */
export function toTransportError(thrown: unknown, stage: Stage, hasOffered: boolean): SallyportError {
  if (thrown instanceof SallyportError) return thrown;
  const cause = toError(thrown);
  const level = field(cause, 'level');
  const code = field(cause, 'code');
  if (level === 'client-timeout') return new SallyportError('target_lost', 'no answer to three keepalives', { cause });
  if (typeof code === 'string' && (level === 'client-socket' || stage === 'tcp'))
    return new SallyportError(socketCode(code, stage), `connection failed: ${code}`, { cause });
  if (typeof code === 'number') {
    const isAuth = stage === 'signing-in' && hasOffered && AUTH_DISCONNECTS.includes(code);
    const peerText = escapePeerText(cause.message);
    const mapped: ErrorCode = isAuth ? 'target_auth_failed' : 'target_lost';
    return new SallyportError(mapped, `target disconnected, reason ${code}`, { peerText });
  }
  if (/no matching/i.test(cause.message))
    return new SallyportError('ssh_algorithms', escapePeerText(cause.message), { cause });
  return new SallyportError('ssh_protocol_error', escapePeerText(cause.message.toLowerCase()), { cause });
}

/** RFC 4254 section 5.1: why a channel was not opened. */
const CONNECT_FAILED = 2;

/** Why a jump host did not connect further. OpenSSH gives 2 also for a name that it cannot resolve, and 1 when it may not. */
export function toTunnelError(thrown: Error): SallyportError {
  const peerText = escapePeerText(thrown.message.replace(/^\(SSH\) Channel open failure: /, ''));
  const code: ErrorCode = field(thrown, 'reason') === CONNECT_FAILED ? 'target_unreachable' : 'hop_refused';
  return new SallyportError(code, 'jump host did not connect further', { cause: thrown, peerText });
}
