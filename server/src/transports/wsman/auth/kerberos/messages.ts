/**
 * What the gateway and its Kerberos process say to each other, over one socket pair. The process answers each request
 * exactly once; requests of one context are done in their order.
 */

/** Where tickets come from. None of it is ever the default cache of the system. */
export type TicketSource =
  /** The password is the body of the frame; it is wiped as soon as the ticket is there. */
  | { readonly kind: 'password'; readonly principal: string; readonly isForwardable: boolean }
  /** A keytab of the gateway. */
  | { readonly kind: 'keytab'; readonly principal: string; readonly file: string; readonly isForwardable: boolean }
  /** A ticket cache of the gateway, kept fresh by somebody else: `FILE:/run/sallyport/krb5cc`. */
  | { readonly kind: 'ccache'; readonly name: string };

/** When the target gets a forwarded ticket of the user. winrm-auth.md section 11, number 7. */
export type Delegation = 'never' | 'policy' | 'always';

export type Request =
  | { readonly op: 'identify'; readonly identity: number; readonly source: TicketSource }
  | { readonly op: 'forget'; readonly identity: number }
  /** Body: channel bindings, or nothing. The answer's body is the first token. */
  | {
      readonly op: 'begin';
      readonly context: number;
      readonly identity: number;
      /** Host-based name, `HTTP@host`. */
      readonly service: string;
      readonly delegation: Delegation;
    }
  /** Body: the peer's token. The answer's body is the next token, or nothing. */
  | { readonly op: 'step'; readonly context: number }
  /** Body: plain bytes. The answer's body is the header, as long as `header` says, and the sealed bytes. */
  | { readonly op: 'seal'; readonly context: number }
  /** Body: header and sealed bytes in one. The answer's body is plain. */
  | { readonly op: 'unseal'; readonly context: number }
  /** Body: bytes; the answer's body is a checksum of them under the context's key. */
  | { readonly op: 'sign'; readonly context: number }
  /** Body: the checksum, as long as `signature` says, and the bytes. */
  | { readonly op: 'verify'; readonly context: number; readonly signature: number }
  | { readonly op: 'end'; readonly context: number };

/** The context after a token. */
export interface ContextState {
  readonly isComplete: boolean;
  /** GSS_C_*_FLAG as the library gave them; they hold once the context is complete. */
  readonly flags: number;
  /** Number of the encryption type of RFC 3961; 0 while the context is not complete. */
  readonly encryption: number;
}

/** What failed, as the library said it. */
export interface Refusal {
  /** Getting the first ticket; building the context; a message under it. */
  readonly stage: 'tickets' | 'context' | 'message';
  /** GSSAPI routine error, RFC 2744 section 3.9.1; 0 for krb5 calls. */
  readonly major: number;
  /** krb5 error code, signed. */
  readonly minor: number;
  readonly text: string;
}

/** The first frame of the process, before any request. */
export type Greeting = { readonly ready: true } | { readonly ready: false; readonly reason: string };

export interface Answer {
  readonly id: number;
  readonly refusal?: Refusal;
  readonly state?: ContextState;
  /** Length of the header in the body of an answer to `seal`. */
  readonly header?: number;
  /** How long the tickets of an identity hold, in seconds. */
  readonly lifetimeS?: number;
}
