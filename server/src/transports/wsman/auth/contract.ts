/**
 * Signing in over HTTP. A way to sign in makes one `ConnectionSignIn` per TCP connection: a security context lives and dies
 * with its socket and is never moved to another. winrm-auth.md sections 1 and 2.
 */

/** The connection that is signed in on. */
export interface SignInPlace {
  /** The name as the user typed it, or the override of the target: what the service name is made of. Never from reverse DNS. */
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** Channel bindings of TLS (`tls-server-end-point:` and the hash, RFC 5929 section 4); null over plain HTTP. */
  readonly channelBinding: Uint8Array | null;
}

/** An answer as far as signing in is concerned. */
export interface SignInAnswer {
  readonly status: number;
  /** Values of `WWW-Authenticate`, one per header line, as they came. */
  readonly challenges: readonly string[];
  /** Value of `Authentication-Info`; null, or not given, without one. */
  readonly authenticationInfo?: string | null;
}

export type SignInStep =
  /** Send an empty request with this `Authorization` and hand over the answer. */
  | { readonly kind: 'send'; readonly authorization: string }
  /** The connection is signed in. */
  | { readonly kind: 'done'; readonly session: SignedIn };

/** What holds for the requests after signing in. */
export interface SignedIn {
  /** What was really used, for the facts bar and the ledger. */
  readonly mechanism: 'Kerberos' | 'NTLM' | 'CredSSP' | 'Basic' | 'Digest' | 'Certificate';
  /** The server has got a ticket to act as the user elsewhere. */
  readonly isDelegated?: boolean;
  /** Seals the bodies; null where the method has no sealing (only over TLS then). */
  readonly sealing: MessageSealing | null;
  /** `Authorization` of every request, for the methods that sign in with each (Basic, Digest, certificate). */
  authorize?(request: { readonly method: string; readonly path: string }): string;
  /** An answer to an authorized request, for methods that learn from it (Digest: `stale`). @returns true = send it once more */
  answered?(answer: SignInAnswer): boolean;
  /** An answer to a request that was taken. @throws SallyportError wsman_server_unproven when it proves the wrong thing */
  accepted?(answer: SignInAnswer): void;
}

/** Sealing of bodies, winrm-auth.md section 5. Sequence numbers are kept inside: strictly one request after the other. */
export interface MessageSealing {
  /** `protocol` of the multipart body, for example `application/HTTP-SPNEGO-session-encrypted`. */
  readonly protocol: string;
  /** For the facts bar, for example `NTLM sealed (RC4)`. */
  readonly label: string;
  /** The length of the longest plain part that may be sealed at once; longer bodies go in several parts (CredSSP: 16 KiB). */
  readonly maxPart: number;
  /** @returns the signature's or header's length and the bytes that follow it in the part */
  seal(plain: Uint8Array): Promise<SealedPart>;
  /** @throws SallyportError wsman_seal_broken: close the socket, the context is worth nothing any more */
  unseal(part: SealedPart): Promise<Uint8Array>;
}
export interface SealedPart {
  readonly signature: Uint8Array;
  readonly sealed: Uint8Array;
}

/** One connection being signed in. Used once. */
export interface ConnectionSignIn {
  /**
   * @param answer the answer to what was sent last; null at first
   * @throws SallyportError with the codes of winrm-auth.md section 10
   */
  next(answer: SignInAnswer | null, signal: AbortSignal): Promise<SignInStep>;
  /** Gives up the security context. Idempotent. */
  close(): void;
}

/** A way to sign in with one identity, for all connections of a session. */
export interface HttpSignIn {
  begin(place: SignInPlace): ConnectionSignIn;
  /** Idempotent; ends what all connections share (a child process). */
  close(): Promise<void>;
}
