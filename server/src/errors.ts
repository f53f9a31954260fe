import type { ErrorCode } from '@sallyport/shared/error-codes';

/**
 * Base of every error that we throw on purpose. `code` is stable and binding (security.md section 4); `message` is for
 * logs (lower case, no full stop, never a secret); the text a person sees comes from `@sallyport/shared/error-codes`.
 */
export class SallyportError extends Error {
  readonly code: ErrorCode;
  /** Escaped text of the peer that a person may see in the target's voice; empty when there is none. */
  readonly peerText: string;
  /** For `rate_limited`: whole seconds until it is worth trying again (Retry-After); null elsewhere. */
  readonly retryAfterS: number | null;
  /** Where on the way to a target it happened, in words ("jump host 1 of 2, bastion (10.0.0.1:22)"); empty elsewhere. */
  readonly at: string;
  constructor(
    code: ErrorCode,
    message: string,
    options: ErrorOptions & { peerText?: string; retryAfterS?: number; at?: string } = {},
  ) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.peerText = options.peerText ?? '';
    this.retryAfterS = options.retryAfterS ?? null;
    this.at = options.at ?? '';
  }
}

/** The code of any thrown thing; what we did not throw ourselves is `internal`. */
export const codeOf = (error: unknown): ErrorCode => (error instanceof SallyportError ? error.code : 'internal');

/** The same refusal, with the place where it happened; the first place stays. */
export const placed = (error: SallyportError, at: string): SallyportError =>
  at === '' || error.at !== ''
    ? error
    : new SallyportError(error.code, `${at}: ${error.message}`, { cause: error, peerText: error.peerText, at });

export const toError = (value: unknown): Error => (value instanceof Error ? value : new Error(String(value)));

/** Proves at compile time that a union was handled whole. */
export function assertNever(value: never): never {
  throw new Error(`unhandled case: ${JSON.stringify(value)}`);
}
