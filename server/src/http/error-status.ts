/** HTTP status of every error code. security.md section 4. */
import type { ErrorCode } from '@sallyport/shared/error-codes';

const BY_STATUS: Readonly<Record<number, readonly ErrorCode[]>> = {
  400: ['bad_request', 'bad_message', 'upgrade_failed'],
  401: ['unauthenticated', 'bad_credentials', 'ticket_invalid', 'resume_invalid', 'revoked'],
  403: [
    'forbidden',
    'setup_token_invalid',
    'step_up_required',
    'origin_refused',
    'csrf_refused',
    'grant_removed',
    'insecure_listen',
  ],
  404: ['not_found'],
  409: [
    'conflict',
    'name_taken',
    'last_administrator',
    'setup_done',
    'bad_state',
    'taken_over',
    'session_busy',
    'target_in_use',
  ],
  413: ['payload_too_large', 'line_too_long'],
  415: ['unsupported_media_type'],
  422: [
    'weak_password',
    'bad_name',
    'target_address_refused',
    'target_name_unresolved',
    'credential_needed',
    'key_unreadable',
    'key_too_slow',
    'host_key_unknown',
    'host_key_changed',
    'jump_chain',
    'recording_corrupt',
    'target_auth_unsupported',
    'target_auth_failed',
    'password_expired',
    'endpoint_not_interactive',
  ],
  429: ['rate_limited', 'too_many_sessions', 'too_many_questions', 'slow_reader'],
  500: ['internal', 'secret_unreadable', 'config_invalid', 'key_missing', 'key_mismatch', 'schema_newer'],
  502: [
    'target_unreachable',
    'target_lost',
    'target_closed',
    'ssh_protocol_error',
    'ssh_algorithms',
    'subsystem_refused',
    'powershell_missing',
    'shell_refused',
    'hop_refused',
    'powershell_open_failed',
    'oop_line_too_long',
    'oop_bad_packet',
    'psrp_bad_length',
    'psrp_fragment_truncated',
    'psrp_fragment_sequence',
    'psrp_object_mismatch',
    'psrp_object_too_large',
    'psrp_unknown_message',
    'psrp_bad_state',
    'psrp_version',
    'clixml_error',
    'clixml_dtd_forbidden',
    'clixml_malformed',
    'clixml_too_deep',
    'clixml_too_large',
    'clixml_bad_value',
    'clixml_bad_ref',
    'clixml_unknown_tag',
  ],
  503: [
    'dependency_unavailable',
    'draining',
    'recording_unavailable',
    'recording_space',
    'audit_unavailable',
    'port_in_use',
    'data_locked',
  ],
  504: ['target_timeout'],
  // How a session ended, when somebody asks it for more.
  410: ['exited', 'closed_by_user', 'terminated', 'cancelled', 'detached_too_long', 'gateway_lost'],
};

const STATUS: ReadonlyMap<string, number> = new Map(
  Object.entries(BY_STATUS).flatMap(([status, codes]) => codes.map((code) => [code, Number(status)] as const)),
);

/** @returns 500 for a code that is not in the table; a test holds the table against `error-codes.ts` */
export const errorStatus = (code: ErrorCode): number => STATUS.get(code) ?? 500;
/** Whether the table has the code. For the test. */
export const hasErrorStatus = (code: string): boolean => STATUS.has(code);
