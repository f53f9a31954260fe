/**
 * Every code that a browser, a CLI or an API client may see, with the text a person reads: what happened, what did not
 * happen, what to do. security.md section 4 fixes the codes. A test holds this table against `http/error-status.ts`,
 * `wire/close-codes.ts` and `docs/errors.md`.
 */
export const ERROR_TEXT = {
  // ---- requests
  bad_request: 'The request is not of the expected form. Nothing was changed.',
  payload_too_large: 'The request is too large. Nothing was changed.',
  unsupported_media_type: 'The request must be application/json.',
  unauthenticated: 'You are not signed in, or your sign-in has ended. Sign in again; your sessions go on meanwhile.',
  bad_credentials: 'The name or the password is not right.',
  forbidden: 'You may not do this. Ask an administrator of this gateway.',
  not_found: 'There is nothing here under that name, or you may not see it.',
  conflict: 'This was changed by somebody else in the meantime. Load it again and repeat your change.',
  name_taken: 'That name is in use already. Choose another one.',
  weak_password: 'The password is too short. Use at least 12 characters.',
  last_administrator: 'This is the last administrator who can sign in. Make another one first.',
  setup_done: 'This gateway is set up already. Sign in instead.',
  setup_token_invalid: 'The set-up link is not valid any more. Start the gateway again to get a new one.',
  step_up_required: 'Confirm your password to go on.',
  origin_refused: 'The request did not come from a page of this gateway. Nothing was done.',
  csrf_refused: 'The request lacks the header that pages of this gateway send. Nothing was done.',
  rate_limited: 'Too many attempts. Wait, then try again.',
  internal: 'The gateway failed to do this. Nothing more is known here; the log has the details under the request id.',
  dependency_unavailable: 'The gateway cannot reach its storage. Live sessions go on; new work has to wait.',
  secret_unreadable: 'A stored secret cannot be read. Nothing was sent. An administrator must look at the key file.',
  bad_name: 'The name holds characters that are not allowed, or is too long.',
  // ---- sockets
  ticket_invalid: 'The ticket for this console was used or has expired. Load the page again.',
  resume_invalid:
    'This page was away too long to go on where it was. Attach again; the session itself is not affected.',
  bad_message: 'The page sent something that the gateway does not understand. Load the page again.',
  bad_state: 'That cannot be done in the present state of the session.',
  upgrade_failed:
    'The connection for the console could not be opened. A proxy between you and the gateway may block WebSockets.',
  taken_over: 'Another window took this session over.',
  revoked: 'Your sign-in was revoked. The session goes on without this page until it is ended.',
  grant_removed: 'Your right to use this target was removed, so the session was ended.',
  draining: 'The gateway is shutting down.',
  slow_reader: 'This page did not take its output for 10 minutes and was detached. The session goes on.',
  line_too_long: 'The line is longer than 1 MiB and was not run.',
  session_busy: 'A command is still running. The line was not run.',
  // ---- opening a target
  target_address_refused:
    'This address is outside the ranges that this gateway may connect to. No connection was made. An administrator can add the range under Settings, Target ranges (targetRanges).',
  target_name_unresolved: 'The name of the target could not be resolved. No connection was made.',
  target_unreachable:
    'The target does not accept a connection on that port: it is off, its service is stopped, the port is another one, or a firewall is in between. No password has been sent.',
  target_timeout: 'The target did not answer in time.',
  target_lost: 'The connection to the target was lost. What ran there may have ended with it.',
  target_closed: 'The target ended the session.',
  target_auth_failed:
    'The target refused the credential: user name or password are wrong, or the account is locked. It was tried once and will not be tried again by itself.',
  target_auth_unsupported: 'The target offers no way to sign in that this credential can use.',
  password_expired: 'The password at the target has expired and must be changed there first.',
  credential_needed: 'A credential for the target is needed and none was given.',
  key_unreadable:
    'The private key cannot be read: wrong passphrase, or a form that is not supported. Nothing was sent.',
  key_too_slow:
    'The private key is protected with more work than the limit of 256 bcrypt rounds (or its like). Nothing was sent. Save it anew with `ssh-keygen -p -a 64`.',
  certificate_unreadable:
    'The certificate cannot be used: not a user certificate of OpenSSH or a client certificate (PEM, PKCS #12), or for another private key. Nothing was sent.',
  certificate_not_valid_now: 'The certificate is not valid now: expired, or not yet valid. No credential was sent.',
  principal_refused:
    'No certificate is issued for that name at the target. No credential was sent. An administrator sets the name in the credential or at the target.',
  authority_missing:
    'This gateway has no certificate authority yet. No credential was sent. An administrator makes one under Settings, Certificate authority.',
  agent_unavailable:
    'The SSH agent of the gateway cannot be reached, or none is configured (agentSocket). No credential was sent.',
  agent_key_missing: 'The SSH agent of the gateway does not hold the key of this credential. No credential was sent.',
  agent_refused: 'The SSH agent of the gateway refused to sign. No credential was sent.',
  host_key_unknown:
    'The host key of the target is not known here and nobody who may accept it did. No credential was sent.',
  host_key_changed:
    'The host key of the target is not the one on record. No credential was sent. Find out why before anything else.',
  host_key_revoked:
    'The host key of the target is on the list of revoked keys. No credential was sent. Somebody declared this key stolen or lost: find out why before anything else.',
  ssh_protocol_error: 'The target does not speak SSH as it should.',
  ssh_algorithms: 'The target and this gateway have no safe SSH algorithm in common. No credential was sent.',
  ssh_no_strict_kex:
    'The target does not know strict key exchange, the answer to CVE-2023-48795 (OpenSSH has it since 9.6). No credential was sent. Bring its SSH server up to date; until then an administrator may allow it for this target, under "For old devices".',
  hop_refused:
    'The jump host does not pass the connection on: its sshd forbids it (AllowTcpForwarding, PermitOpen), or it takes no more. Nothing was sent beyond it.',
  object_limit: 'This gateway takes no objects of that size (maxObjectMiB). Nothing was changed.',
  jump_chain:
    'The way to this target leads in a circle, over more than 4 jump hosts, or over one that is not there any more. Look at "Reached through" of the target.',
  target_in_use: 'Other targets are reached through this one. Change those first. Nothing was deleted.',
  subsystem_refused:
    'The target has no PowerShell subsystem for SSH yet. Add the Subsystem line to its sshd_config and restart sshd.',
  powershell_missing:
    'The PowerShell subsystem ended at once. The path of pwsh in the Subsystem line of the target is probably wrong.',
  shell_refused: 'The target refused to start a shell.',
  powershell_open_failed: 'PowerShell at the target did not open a runspace.',
  file_not_found: 'There is no such file at the target.',
  file_refused: 'The target does not let this user do that with the file, or it is no plain file.',
  file_exists: 'There is a file of that name at the target. Nothing was changed.',
  file_changed: 'The file at the target is not the one that the transfer began with. Start it anew.',
  file_failed: 'The target could not do that with the file.',
  files_off: 'Files cannot be moved to or from this target. An administrator can allow it at the target.',
  sftp_refused: 'The target has no SFTP: its sshd_config needs a Subsystem line for sftp.',
  transfer_gone:
    'That transfer is over, or was left alone too long. Start it again: it goes on where the part at the target ends.',
  endpoint_not_interactive: 'This endpoint has no commands for interactive use.',
  using_unknown:
    'No credential of that name is there for commands at this target. The line was not run. An administrator chooses them at the target, under "Commands here may use"; a name with other characters than letters, digits and _ goes into braces: ${using:vault:my-name}.',
  using_unfit:
    'That credential cannot be given to a command: it is no user name with a password, or two have that name. The line was not run.',
  using_form:
    'A credential of the vault stands as a value by itself: -Credential $using:vault:NAME, or ($using:vault:NAME).UserName. The line was not run.',
  using_unsupported:
    'Credentials of the vault can be given to commands of PowerShell 5 and newer, at endpoints that take whole scripts. The line was not run.',
  // ---- WinRM
  wsman_fault: 'The target refused the operation. What it says stands below, with the number of the fault.',
  wsman_access_denied:
    'Signing in went well, but this account may not open this endpoint: it is not in Administrators or Remote Management Users, a local account is filtered by UAC (LocalAccountTokenFilterPolicy), or the permissions of the endpoint forbid it.',
  wsman_endpoint_missing:
    'The target has no endpoint of that configuration name, or it is disabled. Look at Get-PSSessionConfiguration there.',
  wsman_not_winrm:
    'What answers at this address is not WinRM, or not in this way. Check the port, HTTP or HTTPS, and the path of the address, or a proxy in between.',
  target_shell_gone:
    'The session does not exist on the target any more: its PowerShell ended, it expired, was closed, or the service there was restarted. Open a new one.',
  target_shell_in_use:
    'The session is in use at the target: another client holds it, or the target has not noticed yet that its client is gone. Try again in a moment, or disconnect it there.',
  target_shell_of_other:
    'This session at the target belongs to another person of this gateway, also when it has ended here. It is handed to nobody else.',
  target_quota:
    'A quota of the target is reached (sessions, users, operations or load). Close sessions there, or raise the quota.',
  wsman_too_large: 'The target sent an answer beyond 2 MiB. The session was ended.',
  wsman_malformed: 'The target sent an answer that is no answer of WinRM. The session was ended.',
  wsman_encoding_refused: 'The target sent a compressed answer, or one that is not UTF-8. The session was ended.',
  wsman_redirect_refused:
    'The target sends elsewhere, and redirects are not granted for it, or this one may not be followed. No credential was sent there.',
  wsman_seal_broken:
    'A message of the target was not sealed as agreed: somebody between changed it, or both sides lost count. The session was ended. Nothing of the message was used.',
  wsman_method_disabled:
    'The target does not offer this way to sign in. No credential was sent. It is switched on under winrm/config/service/auth there, or choose another method at the target.',
  client_certificate_needed:
    'This target signs in with a client certificate, and has none of the vault. Nothing was sent.',
  client_certificate_refused:
    'The target did not take a client certificate of ours: no mapping for it (winrm/config/service/certmapping), an issuer it does not trust, or certificates are switched off there.',
  wsman_clear_refused:
    'This way to sign in would send the password, or a guessable proof of it, without protection: it goes over HTTPS with a verified certificate only. No credential was sent.',
  wsman_server_unproven: 'The target did not prove who it is at the end of the sign-in. The connection was closed.',
  wsman_binding_refused:
    'The target refused the sign-in over this TLS connection (channel binding): something in between opens TLS, or shows another certificate than the target has.',
  tls_failed:
    'No TLS connection could be made with the target: TLS 1.2 or newer is needed, at a port that speaks HTTPS (5986; 5985 does not). No credential was sent.',
  tls_certificate_untrusted:
    'The certificate of the target is not one to trust (unknown issuer, another name, or not valid now) and nobody who may accept it did. No credential was sent.',
  tls_certificate_changed:
    'The certificate of the target is not the one on record. No credential was sent. Find out why before anything else.',
  ntlm_not_trusted:
    'The target could only be reached with NTLM, which does not prove who the target is, and NTLM is not allowed for it. No credential was sent. Use HTTPS or Kerberos, or an administrator allows NTLM in the settings of the target.',
  ntlm_unavailable: 'NTLM is not available in this gateway (FIPS mode of its cryptography). No credential was sent.',
  digest_unavailable:
    'Digest with MD5 is not available in this gateway (FIPS mode of its cryptography), and the target offers no SHA-256. No credential was sent.',
  ntlm_downgraded: 'The target asked for less protection than NTLM can give. No credential was sent.',
  kerberos_unavailable:
    'Kerberos is not available in this gateway: the GSSAPI library of the system is missing, or no realm is configured. No credential was sent.',
  kerberos_unknown_target:
    'Kerberos does not know this target under that name (service principal name missing). Use its full name, or set the name for Kerberos at the target.',
  kerberos_unknown_user: 'Kerberos does not know that user, or not in that realm.',
  kerberos_clock_skew:
    'The clocks of gateway and domain controller differ by more than 5 minutes. No credential was sent to the target.',
  kerberos_no_kdc:
    'No domain controller (KDC) of the realm can be reached from the gateway, or the realm is not configured (kerberosRealms). No credential was sent to the target.',
  kerberos_failed:
    'Kerberos failed in a way that is not known here; the log has the reason. No credential was sent to the target.',
  target_account_locked: 'The account is locked, disabled, expired, or may not sign in here or now.',
  credssp_not_allowed:
    'CredSSP would hand the password to the target, and that is not allowed in its settings, or was not confirmed. No credential was sent.',
  credssp_version:
    'The target speaks a version of CredSSP with a known flaw (before 5, CVE-2018-0886). No credential was sent. Bring it up to date.',
  credssp_relayed:
    'The target could not prove that it ends this CredSSP connection: somebody is in between. No credential was sent.',
  implicit_not_allowed:
    'The gateway may not sign in at this target with its own account. An administrator of the gateway names the host in its configuration (gatewayIdentityHosts).',
  // ---- a hostile or broken target
  oop_line_too_long: 'The target sent a line beyond 2 MiB. The session was ended.',
  oop_bad_packet: 'The target sent something that is no PowerShell remoting packet. The session was ended.',
  psrp_bad_length: 'The target sent a fragment with an impossible length. The session was ended.',
  psrp_fragment_truncated: 'The target sent a fragment that ends too early. The session was ended.',
  psrp_fragment_sequence: 'The target sent fragments out of order. The session was ended.',
  psrp_object_mismatch: 'The target mixed the fragments of two objects. The session was ended.',
  psrp_object_too_large: 'The target sent an object beyond the limit. The session was ended.',
  psrp_unknown_message: 'The target sent a message for somebody else. The session was ended.',
  psrp_bad_state: 'The target sent a message out of turn. The session was ended.',
  psrp_version: 'The target speaks a version of PowerShell remoting that is not supported.',
  clixml_error: 'The target sent data that cannot be read. The session was ended.',
  clixml_dtd_forbidden: 'The target sent a document type definition.',
  clixml_malformed: 'The target sent data that is not well formed.',
  clixml_too_deep: 'The target sent data nested too deep.',
  clixml_too_large: 'The target sent data with too many parts.',
  clixml_bad_value: 'The target sent a value that cannot be.',
  clixml_bad_ref: 'The target sent a reference to nothing.',
  clixml_unknown_tag: 'The target sent a value of an unknown kind.',
  too_many_questions: 'The target asked more than 20 questions in a minute. The session was ended.',
  // ---- sessions
  exited: 'The session has ended.',
  closed_by_user: 'You ended the session.',
  session_left: 'The session goes on at the target and waits to be picked up.',
  session_not_leavable:
    'This session cannot be left running: SSH has no way for that, and over WinRM the target must be Windows 8 or Server 2012 or newer. Nothing was changed.',
  terminated: 'An administrator ended the session.',
  cancelled: 'Opening was cancelled. No credential was sent after that.',
  detached_too_long: 'The session was left alone beyond its limit and was ended.',
  gateway_lost: 'The gateway stopped while this session ran. What had been shown is recorded.',
  recording_unavailable:
    'The recording cannot be written, so the session was ended. Nothing was shown that is not recorded.',
  recording_space:
    'There is too little room left for recordings, so no new session is opened. An administrator must make room.',
  recording_corrupt: 'The recording was changed or damaged. The part before that is verified and can be played.',
  audit_unavailable: 'The audit log cannot be written, so this was refused.',
  too_many_sessions:
    'You have as many sessions as one person may have; those that you left at their targets count too. End one first.',
  too_many_left_sessions:
    'You have left as many sessions at this target as one person may leave there. Pick one of them up or end it, then leave this one; it goes on here.',
  // ---- starting
  config_invalid: 'The configuration is not valid.',
  insecure_listen:
    'The gateway would be reachable from elsewhere without TLS. Set publicUrl to https and give certificate and key, or name the proxy in trustedProxies.',
  port_in_use: 'The port is in use by another program.',
  data_locked: 'Another gateway works on this data directory.',
  schema_newer: 'The data was written by a newer version of the gateway. Start that version, or restore a backup.',
  key_missing: 'The key file is missing, but there is data sealed with it. Put the key file back.',
  key_mismatch: 'The key file is not the one that sealed this data.',
} as const;

export type ErrorCode = keyof typeof ERROR_TEXT;

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_TEXT, code);
/** The text for a person; a code from a newer gateway gets the text of `internal`. */
export const errorText = (code: string): string => (isErrorCode(code) ? ERROR_TEXT[code] : ERROR_TEXT.internal);
