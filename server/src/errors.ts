import type { ErrorCode } from '@sallyport/shared/error-codes';

/**
 * Base of every error that we throw on purpose. `code` is stable and binding (security.md section 4); `message` is for
 * logs (lower case, no full stop, never a secret); the text a person sees comes from `@sallyport/shared/error-codes`.
 */
export class SallyportError extends Error {
  readonly code: ErrorCode;
  /** Escaped text of the peer that a person may see in the target's voice; empty when there is none. */
  readonly peerText: string;
  /** Our words on what the peer told, where there are more than those of the code; never a word of the peer. */
  readonly explanation: string;
  /** For `rate_limited`: whole seconds until it is worth trying again (Retry-After); null elsewhere. */
  readonly retryAfterS: number | null;
  /** Where on the way to a target it happened, in words ("jump host 1 of 2, bastion (10.0.0.1:22)"); empty elsewhere. */
  readonly at: string;
  constructor(
    code: ErrorCode,
    message: string,
    options: ErrorOptions & { peerText?: string; explanation?: string; retryAfterS?: number; at?: string } = {},
  ) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.peerText = options.peerText ?? '';
    this.explanation = options.explanation ?? '';
    this.retryAfterS = options.retryAfterS ?? null;
    this.at = options.at ?? '';
  }
}

/** The code of any thrown thing; what we did not throw ourselves is `internal`. */
export const codeOf = (error: unknown): ErrorCode => (error instanceof SallyportError ? error.code : 'internal');

/** What is told of any thrown thing beside its code: nothing of what we did not throw ourselves. */
export const toldOf = (error: unknown): Pick<SallyportError, 'peerText' | 'explanation' | 'at'> =>
  error instanceof SallyportError ? error : { peerText: '', explanation: '', at: '' };

/** The same refusal, with the place where it happened; the first place stays. */
export function placed(error: SallyportError, at: string): SallyportError {
  if (at === '' || error.at !== '') return error;
  const { code, message, peerText, explanation } = error;
  return new SallyportError(code, `${at}: ${message}`, { cause: error, peerText, explanation, at });
}

export const toError = (value: unknown): Error => (value instanceof Error ? value : new Error(String(value)));

/** Proves at compile time that a union was handled whole. */
export function assertNever(value: never): never {
  throw new Error(`unhandled case: ${JSON.stringify(value)}`);
}
