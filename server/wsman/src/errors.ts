/** Every code this package can throw. Those of a bad peer are fixed by the limits table of the security page. */
export type WsManErrorCode =
  | 'wsman_too_large'
  | 'wsman_malformed'
  | 'wsman_encoding_refused'
  | 'wsman_redirect_refused'
  | 'wsman_fault'
  | 'target_shell_gone'
  | 'target_quota'
  | 'ntlm_downgraded'
  | 'wsman_seal_broken'
  | 'wsman_server_unproven'
  | 'wsman_encode'
  | 'wsman_option'
  | 'wsman_local_state';

/** Where in the input and in which section of a specification an error belongs. */
export interface ErrorPlace {
  /** Bytes from the start of the envelope; -1 where there is none. */
  readonly offset?: number;
  /** For example `MS-WSMV 3.1.4.14 Receive`. */
  readonly section?: string;
  readonly cause?: unknown;
}

/** Base of all errors of this package. */
export class WsManError extends Error {
  readonly code: WsManErrorCode;
  readonly offset: number;
  readonly section: string;
  constructor(code: WsManErrorCode, message: string, place: ErrorPlace = {}) {
    super(message, place.cause === undefined ? undefined : { cause: place.cause });
    this.name = new.target.name;
    this.code = code;
    this.offset = place.offset ?? -1;
    this.section = place.section ?? '';
  }
}

/** The peer sent something that is no envelope of this protocol, or not the one that was due. */
export class WsManProtocolError extends WsManError {}

/** A value handed to the encoder has no form on the wire. */
export class WsManEncodeError extends WsManError {
  constructor(message: string, place: ErrorPlace = {}) {
    super('wsman_encode', message, place);
  }
}

/** A session option that does not exist, has a bad value, or is refused here. Nothing was sent. */
export class WsManOptionError extends WsManError {
  readonly option: string;
  constructor(option: string, message: string) {
    super('wsman_option', message);
    this.option = option;
  }
}

/** For the many places that meet an envelope that is not as it must be. */
export function malformed(message: string, section: string): never {
  throw new WsManProtocolError('wsman_malformed', message, { section });
}
