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
  constructor(
    code: ErrorCode,
    message: string,
    options: ErrorOptions & { peerText?: string; retryAfterS?: number } = {},
  ) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.peerText = options.peerText ?? '';
    this.retryAfterS = options.retryAfterS ?? null;
  }
}

/** The code of any thrown thing; what we did not throw ourselves is `internal`. */
export const codeOf = (error: unknown): ErrorCode => (error instanceof SallyportError ? error.code : 'internal');

export const toError = (value: unknown): Error => (value instanceof Error ? value : new Error(String(value)));

/** Proves at compile time that a union was handled whole. */
export function assertNever(value: never): never {
  throw new Error(`unhandled case: ${JSON.stringify(value)}`);
}
