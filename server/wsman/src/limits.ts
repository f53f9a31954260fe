/** What a peer may make us hold or do. The defaults are those of the security page, section 4. */
export interface WsManLimits {
  /** Bytes of one envelope that is read. */
  readonly maxEnvelopeBytes: number;
  /** Bytes of the head of an HTTP answer; enforced by who reads it. */
  readonly maxHeadBytes: number;
  /** XML elements within elements. */
  readonly maxDepth: number;
  /** XML elements of one envelope. An enumerated shell has about twenty. */
  readonly maxElements: number;
  /** Attributes of one element. */
  readonly maxAttributes: number;
  /** Namespace declarations that are in force at one place; a look-up walks over them. */
  readonly maxNamespaces: number;
}

/** Defaults for both roles. */
export const DEFAULT_LIMITS: WsManLimits = {
  maxEnvelopeBytes: 2 * 1024 * 1024,
  maxHeadBytes: 32 * 1024,
  maxDepth: 64,
  maxElements: 50_000,
  maxAttributes: 32,
  maxNamespaces: 64,
};

/** Fills the gaps of a partial set. */
export const withLimits = (own: Partial<WsManLimits> | undefined): WsManLimits =>
  own === undefined ? DEFAULT_LIMITS : { ...DEFAULT_LIMITS, ...own };
