import { WsManError, WsManProtocolError } from './errors.ts';
import { type WsManFault, WsManFaultError } from './soap/fault.ts';
import { FAULT_CODE } from './soap/fault-codes.ts';

const SECTION = 'DSP0226 C.1 HTTP(S) Binding';

/** Head of an HTTP answer, as far as it matters here. */
export interface AnswerHead {
  readonly status: number;
  readonly contentType: string | null;
  readonly contentEncoding: string | null;
  readonly location: string | null;
}

/** The answer leads elsewhere. Nothing was followed: who may, decides. */
export class WsManRedirectError extends WsManError {
  /** As the server wrote it; null when it named none. */
  readonly location: string | null;
  constructor(location: string | null) {
    super('wsman_redirect_refused', 'the server redirects to another address', { section: SECTION });
    this.location = location;
  }
}

/** Statuses that send to another address for good or for now; 305 would name a proxy. RFC 9110 section 15.4. */
const FOLLOWED: ReadonlySet<number> = new Set([301, 302, 307, 308]);
/** The answer does not hold what was asked for, and says where else to look, or nothing. */
export const isRedirectStatus = (status: number): boolean => status >= 300 && status < 400;
/** With the place that a status of this kind may name; without one otherwise. */
export const redirectOf = (status: number, location: string | null): WsManRedirectError =>
  new WsManRedirectError(FOLLOWED.has(status) ? location : null);

/** A refusal that has no envelope, told with the number that Windows clients give it. */
export class WsManStatusError extends WsManFaultError {
  /** Of the HTTP answer. Several have the same number. */
  readonly status: number;
  constructor(status: number, fault: WsManFault) {
    super(fault);
    this.status = status;
  }
}

/** The refusal that an answer without envelope is. */
export function faultOfStatus(status: number): WsManStatusError {
  const number =
    status === 404
      ? FAULT_CODE.urlNotFound
      : status === 413
        ? FAULT_CODE.envelopeTooLarge
        : status === 503
          ? FAULT_CODE.serviceUnavailable
          : status === 400
            ? FAULT_CODE.http400
            : status === 401 || status === 403
              ? FAULT_CODE.accessDenied
              : FAULT_CODE.http500;
  const text = `HTTP status ${status}`;
  return new WsManStatusError(status, {
    value: 'Receiver',
    subcode: null,
    wsmanCode: number,
    reason: text,
    message: text,
    machine: null,
    provider: null,
    faultDetail: null,
    innerCode: null,
    redirectTo: null,
  });
}

const isEnvelope = (contentType: string | null): boolean =>
  /^application\/soap\+xml\s{0,8}(?:;|$)/i.test(contentType?.slice(0, 200) ?? '');

/**
 * Judges the head of an answer (after decryption, where the body was sealed). Returns when the body may hold an
 * envelope: 200, or 500 and 400 with a fault. Sign-in (401 with a token) is the business of who called before.
 * @throws WsManRedirectError, WsManProtocolError, WsManFaultError
 */
export function checkAnswerHead({ status, contentType, contentEncoding, location }: AnswerHead): void {
  if (isRedirectStatus(status)) throw redirectOf(status, location);
  const encoding = contentEncoding?.trim().toLowerCase() ?? '';
  if (encoding !== '' && encoding !== 'identity') {
    throw new WsManProtocolError('wsman_encoding_refused', 'a compressed answer', { section: SECTION });
  }
  const charset = /charset\s{0,8}=\s{0,8}"?([A-Za-z0-9._-]{1,40})/i.exec(contentType?.slice(0, 200) ?? '')?.[1];
  if (charset !== undefined && !/^(?:utf-8|us-ascii)$/i.test(charset)) {
    throw new WsManProtocolError('wsman_encoding_refused', 'an answer that is not UTF-8', { section: SECTION });
  }
  const mayHaveEnvelope = status === 200 || status === 500 || status === 400;
  if (mayHaveEnvelope && isEnvelope(contentType)) return;
  if (status === 200) {
    throw new WsManProtocolError('wsman_malformed', 'an answer that is no envelope: not a WinRM service', {
      section: SECTION,
    });
  }
  throw faultOfStatus(status);
}
