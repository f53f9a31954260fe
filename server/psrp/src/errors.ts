/** Every code this package can throw. Those of a bad peer are fixed by the limits table of the security page. */
export type PsrpErrorCode =
  | 'oop_line_too_long'
  | 'oop_bad_packet'
  | 'psrp_bad_length'
  | 'psrp_fragment_truncated'
  | 'psrp_fragment_sequence'
  | 'psrp_object_mismatch'
  | 'psrp_object_too_large'
  | 'psrp_unknown_message'
  | 'psrp_bad_state'
  | 'psrp_version'
  | 'clixml_dtd_forbidden'
  | 'clixml_malformed'
  | 'clixml_too_deep'
  | 'clixml_too_large'
  | 'clixml_bad_value'
  | 'clixml_bad_ref'
  | 'clixml_unknown_tag'
  | 'psrp_encode'
  | 'psrp_local_state';

/** Where in the input and in which section of a specification an error belongs. */
export interface ErrorPlace {
  /** Bytes from the start of the unit that was read (line, fragment stream, message body); -1 where there is none. */
  readonly offset?: number;
  /** For example `MS-PSRP 2.2.4 Packet Fragment`. */
  readonly section?: string;
  readonly cause?: unknown;
}

/** Base of all errors of this package. */
export class PsrpError extends Error {
  readonly code: PsrpErrorCode;
  readonly offset: number;
  readonly section: string;
  constructor(code: PsrpErrorCode, message: string, place: ErrorPlace = {}) {
    super(message, place.cause === undefined ? undefined : { cause: place.cause });
    this.name = new.target.name;
    this.code = code;
    this.offset = place.offset ?? -1;
    this.section = place.section ?? '';
  }
}

/** The peer broke the protocol: fragments, messages, order, versions. The pool goes to Broken. */
export class PsrpProtocolError extends PsrpError {}

/** The peer sent CLIXML that cannot be read. [MS-PSRP] 2.2.5 Data Serialization. */
export class CliXmlError extends PsrpError {}

/** The peer sent a line that is no packet of the subsystem. */
export class OutOfProcError extends PsrpError {}

/** A value handed to the encoder has no form on the wire. */
export class PsrpEncodeError extends PsrpError {
  constructor(message: string, place: ErrorPlace = {}) {
    super('psrp_encode', message, place);
  }
}

/** The caller asked for something that the present state does not allow; nothing was sent. */
export class PsrpStateError extends PsrpError {
  constructor(message: string, place: ErrorPlace = {}) {
    super('psrp_local_state', message, place);
  }
}

/** For the end of a switch over a union. */
export function assertNever(value: never): never {
  throw new PsrpEncodeError(`unexpected variant ${String(value)}`);
}
