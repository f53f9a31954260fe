/**
 * What a peer may make us hold or do. Every entry can be set per pool; the defaults are those of the security page,
 * section 4.
 */
export interface PsrpLimits {
  /** Bytes of one line of the subsystem, without its newline. */
  readonly maxLineBytes: number;
  /** Bytes of one fragment's blob. */
  readonly maxFragmentBytes: number;
  /** Bytes of one message, fragment headers counted. */
  readonly maxObjectBytes: number;
  /** Bytes received for one pipeline by a server; Infinity for none. */
  readonly maxCommandBytes: number;
  /** Pipelines that may be open in one pool at the same time. */
  readonly maxPipelines: number;
  /** Objects within objects. */
  readonly maxObjectDepth: number;
  /** XML elements within elements. */
  readonly maxElementDepth: number;
  /** XML elements of one message. */
  readonly maxElements: number;
  /** Ref and TNRef elements of one message. */
  readonly maxRefs: number;
  /** Text lines kept as noise before the first packet. */
  readonly maxNoiseLines: number;
}

/** Defaults of a client. */
export const DEFAULT_LIMITS: PsrpLimits = {
  maxLineBytes: 2 * 1024 * 1024,
  maxFragmentBytes: 1024 * 1024,
  maxObjectBytes: 32 * 1024 * 1024,
  maxCommandBytes: Infinity,
  maxPipelines: 64,
  maxObjectDepth: 50,
  maxElementDepth: 256,
  maxElements: 500_000,
  maxRefs: 100_000,
  maxNoiseLines: 64,
};

/** Defaults of a server: the quotas of a Microsoft endpoint over WS-Management. */
export const SERVER_LIMITS: PsrpLimits = {
  ...DEFAULT_LIMITS,
  maxObjectBytes: 10 * 1024 * 1024,
  maxCommandBytes: 50 * 1024 * 1024,
};

/** Fills the gaps of a partial set. */
export function withLimits(base: PsrpLimits, own: Partial<PsrpLimits> | undefined): PsrpLimits {
  return own === undefined ? base : { ...base, ...own };
}
