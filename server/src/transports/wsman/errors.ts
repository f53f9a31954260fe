/** From what the codec and the wire say to the code and the words that a person sees. */
import { hexCode, WsManEncodeError, WsManError, WsManFaultError } from '@sallyport/wsman';
import type { ErrorCode } from '@sallyport/shared/error-codes';
import { isErrorCode } from '@sallyport/shared/error-codes';
import { visibleText } from '@sallyport/shared/terminal-output/visible-text';
import { SallyportError, toError } from '../../errors.ts';

const MAX_DETAIL = 4000;
/** What answers is no WinRM, or is not where it was looked for. */
const NOT_WINRM: ReadonlySet<number> = new Set([2150858999, 2150859000, 2150859027, 2150859120, 2150859121]);

function codeOfFault({ number, explanation }: WsManFaultError): ErrorCode {
  if (NOT_WINRM.has(number)) return 'wsman_not_winrm';
  if (explanation.kind === 'access') return 'wsman_access_denied';
  if (explanation.kind === 'redirect') return 'wsman_redirect_refused';
  if (explanation.kind === 'shell_in_use') return 'target_shell_in_use';
  if (explanation.kind === 'endpoint') return 'wsman_endpoint_missing';
  return explanation.code;
}

/** What the target says, escaped, with the number to look for. */
function peerTextOf({ number, fault }: WsManFaultError): string {
  const said = fault.message.trim() === '' ? fault.reason : fault.message;
  const numbered = number === 0 ? (fault.subcode ?? fault.value) : `${String(number)}, ${hexCode(number)}`;
  return visibleText(`${said.trim()} (${numbered})`, MAX_DETAIL);
}

/** One text for a fault, where there is one place alone: our explanation, then the target's own words. */
export const faultWords = (error: WsManError): string =>
  error instanceof WsManFaultError
    ? `${error.explanation.text}\n${peerTextOf(error)}`
    : visibleText(error.message, MAX_DETAIL);

/** Gives every error of a connection its code. */
export function toWsManTransportError(error: unknown): SallyportError {
  if (error instanceof SallyportError) return error;
  if (error instanceof WsManFaultError) {
    const { text: explanation } = error.explanation;
    return new SallyportError(codeOfFault(error), error.message, {
      ...{ cause: error, peerText: peerTextOf(error), explanation },
    });
  }
  if (error instanceof WsManEncodeError) return new SallyportError('bad_request', error.message, { cause: error });
  if (error instanceof WsManError)
    return new SallyportError(isErrorCode(error.code) ? error.code : 'internal', error.message, { cause: error });
  return new SallyportError('internal', 'the connection failed', { cause: toError(error) });
}

/** A SHA-256 in hexadecimal as OpenSSH prints one: the form in which pages name fingerprints. */
export const printOf = (hex: string): string =>
  `SHA256:${Buffer.from(hex, 'hex').toString('base64').replace(/=+$/, '')}`;

/** The page shows both: the one shown now, then those on record. */
export const certificateChanged = (actual: string, expected: readonly string[]): SallyportError =>
  new SallyportError('tls_certificate_changed', `certificate is ${actual}, on record is ${expected.join(', ')}`, {
    peerText: [actual, ...expected].join(' ').slice(0, 4000),
  });
