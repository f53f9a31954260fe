import type { ServerMessage } from '@sallyport/shared/wire/control';

/** Why and how a session ended, as the gateway said it. An empty `message` is the one of `reason` in `shared/error-codes`. */
export type EndFacts = Omit<Extract<ServerMessage, { type: 'ended' }>, 'type'>;

/** The page's connection to its session. */
export type LinkState =
  | { readonly kind: 'idle' }
  /** A socket is being opened. `attempt` 0 is the first. */
  | { readonly kind: 'connecting'; readonly attempt: number }
  | { readonly kind: 'attached'; readonly role: 'controller' | 'viewer' }
  /** Dropped; tried again at `retryAt` (milliseconds of the page's clock). */
  | { readonly kind: 'waiting'; readonly attempt: number; readonly retryAt: number; readonly code: string }
  /** Not tried again by itself. An empty `message` is the one of `code` in `shared/error-codes`. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'takenOver' }
  | { readonly kind: 'detached' }
  | { readonly kind: 'ended'; readonly end: EndFacts };
