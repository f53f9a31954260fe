/** What a fault means for who asked. */
export type FaultKind =
  /** Receive: ask again. Elsewhere: the server did not answer in time. */
  | 'timeout'
  /** The shell, or the command, is not there (any more). */
  | 'gone'
  | 'quota'
  | 'access'
  /** The machine or its service cannot be reached, or something else answers there. */
  | 'unreachable'
  /** The endpoint asked for does not exist or is closed. */
  | 'endpoint'
  | 'redirect'
  /** The session or the service is ending. */
  | 'ending'
  | 'shell_in_use'
  /** The request was not right: a defect here. */
  | 'our_fault'
  | 'other';

/** A fault for a person, and for the machine. */
export interface FaultExplanation {
  readonly kind: FaultKind;
  /** What happened and what to do; our words, without the server's text. */
  readonly text: string;
  /** The code of the security page. */
  readonly code: 'wsman_fault' | 'target_shell_gone' | 'target_quota';
}

/** Codes that decide what happens next. [MS-WSMV] 2.2.4.43 WSManFault; winerror and wsmerror headers. */
export const FAULT_CODE = {
  accessDenied: 5,
  aborted: 995,
  resourceNotFound: 2150858752,
  invalidHeader: 2150858767,
  envelopeTooLarge: 2150858790,
  timedOut: 2150858793,
  schema: 2150858817,
  shellNotFound: 2150858843,
  notSupported: 2150858868,
  wrongContentType: 2150858999,
  serviceUnavailable: 2150859026,
  urlNotFound: 2150859027,
  http500: 2150859120,
  http400: 2150859121,
  redirect: 2150859161,
  shellQuota: 2150859173,
  configurationNotFound: 2150858811,
  shellInUse: 2150859213,
  protocolVersion: 2152991685,
  protocolVersionMissing: 2152991687,
} as const;

/** What a number means, and a sentence for a person. */
export type FaultRow = readonly [FaultKind, string];

const OUR_FAULT =
  'The target did not accept the form of the request. This is a defect of the gateway; the log has the number.';
const NO_MEMORY = 'The target is out of memory. Close programs or sessions there, then try again.';
const QUOTA_PLUGIN =
  'A limit of this endpoint is reached (sessions, users or commands). Close sessions, or raise its quotas.';
const UNREACHABLE =
  'The target does not answer: it is down, the port is closed, a firewall is between, or WinRM does not run there.';
const NOT_WINRM = 'What answers at this address is not WinRM. Check port and application name, or a proxy in between.';
const BY_ADDRESS =
  'An IP address cannot be used with this kind of sign-in. Use the name of the machine, or NTLM over HTTPS.';

const ROWS: readonly (readonly [number, ...FaultRow])[] = [
  [5, 'access', 'Access denied: the password is wrong, or this account may not use the endpoint (Remote Management Users, or the permissions of the endpoint).'],
  [14, 'other', NO_MEMORY],
  [87, 'other', 'A component of the target refused a parameter.'],
  [995, 'ending', 'The target ended the operation: the session was closed or the service restarts.'],
  [1115, 'ending', 'The target is shutting down.'],
  [1311, 'access', 'The target found no logon server for this account.'],
  [1312, 'access', 'The logon session on the target does not exist any more. Connect again.'],
  [1326, 'access', 'The user name or the password is not right.'],
  [1722, 'unreachable', 'The target gave an improper answer. Try again; if it stays, restart WinRM there.'],
  [2147942402, 'other', 'A component of the target did not find a file it needs.'],
  [2147942414, 'other', NO_MEMORY],
  [2148074243, 'access', 'Kerberos does not know this target. Check the host name and its service principal name.'],
  [2150858752, 'gone', 'The session or the command does not exist on the target any more.'],
  [2150858754, 'endpoint', 'The target does not know this endpoint.'],
  [2150858757, 'other', 'The WinRM configuration of the target is damaged.'],
  [2150858767, 'our_fault', OUR_FAULT],
  [2150858770, 'unreachable', UNREACHABLE],
  [2150858790, 'our_fault', 'The request was larger than the target accepts. The gateway has to cut it smaller.'],
  [2150858793, 'timeout', 'The target did not answer in time.'],
  [2150858797, 'our_fault', 'The address of the endpoint is too long.'],
  [2150858811, 'endpoint', 'There is no endpoint of that configuration name on the target.'],
  [2150858813, 'our_fault', OUR_FAULT],
  [2150858817, 'our_fault', OUR_FAULT],
  [2150858823, 'our_fault', 'The target refused the envelope size that the gateway announced.'],
  [2150858824, 'our_fault', 'The target refused the envelope size that the gateway announced.'],
  [2150858825, 'our_fault', 'The target refused the envelope size that the gateway announced.'],
  [2150858843, 'gone', 'The session does not exist on the target any more: it expired, was closed there, or the service was restarted. Open a new one.'],
  [2150858868, 'other', 'The target is too old for this operation, for example for leaving a session and coming back.'],
  [2150858978, 'access', 'Kerberos is switched off.'],
  [2150858980, 'access', 'The target is not trusted for this kind of sign-in. Use HTTPS or Kerberos, or ask for it to be put on the trusted list.'],
  [2150858981, 'access', 'This kind of sign-in needs a user name and a password.'],
  [2150858999, 'unreachable', NOT_WINRM],
  [2150859000, 'unreachable', NOT_WINRM],
  [2150859019, 'access', BY_ADDRESS],
  [2150859020, 'access', 'Kerberos cannot be used: the target is in no domain.'],
  [2150859022, 'access', 'This kind of sign-in cannot be used with this target.'],
  [2150859025, 'our_fault', 'The request was larger than the target accepts. The gateway has to cut it smaller.'],
  [2150859026, 'unreachable', 'The WinRM service of the target is not available at the moment (HTTP 503).'],
  [2150859027, 'unreachable', 'The target does not know the address (HTTP 404): the application name is wrong.'],
  [2150859046, 'unreachable', 'The target did not answer in time. A firewall or the network may be the reason; on public networks the firewall rule of WinRM admits only the local subnet.'],
  [2150859120, 'unreachable', 'The target answered with an error of its own (HTTP 500).'],
  [2150859121, 'unreachable', 'The target called the request bad (HTTP 400).'],
  [2150859161, 'redirect', 'The target wants the connection to go to another address.'],
  [2150859173, 'quota', 'You have as many sessions on the target as it allows. Close some, or raise MaxShellsPerUser.'],
  [2150859174, 'quota', 'Too many operations of this user run on the target at once. Close sessions, or raise MaxConcurrentOperationsPerUser.'],
  [2150859175, 'quota', 'The target limits how much this user may do at the moment. Try again later.'],
  [2150859176, 'quota', 'The target is too busy at the moment. Try again later.'],
  [2150859179, 'quota', 'Too many users have sessions on the target. Try again later, or raise MaxConcurrentUsers.'],
  [2150859180, 'access', 'The target does not allow remote shells (AllowRemoteShellAccess).'],
  [2150859189, 'redirect', 'The target named an address that cannot be used for a redirection.'],
  [2150859191, 'redirect', 'The target redirects to an address that is not allowed.'],
  [2150859193, 'unreachable', 'The name of the target could not be resolved.'],
  [2150859195, 'access', BY_ADDRESS],
  [2150859202, 'our_fault', 'The target refused the name or the id of the session.'],
  [2150859206, 'access', 'The session belongs to another endpoint or user; it cannot be taken up.'],
  [2150859213, 'shell_in_use', 'Another client uses the session. Disconnect it there first.'],
  [2150859216, 'shell_in_use', 'The session cannot be taken up in its present state. Try again in a moment.'],
  [2150859231, 'endpoint', 'The account under which this endpoint runs (RunAs) could not sign in on the target.'],
  [2150859235, 'endpoint', 'The endpoint does not accept remote connections: it is disabled.'],
  [2150859236, 'quota', QUOTA_PLUGIN],
  [2150859237, 'quota', QUOTA_PLUGIN],
  [2150859238, 'quota', QUOTA_PLUGIN],
  [2150859239, 'quota', QUOTA_PLUGIN],
  [2150859240, 'quota', QUOTA_PLUGIN],
  [2150859241, 'quota', QUOTA_PLUGIN],
  [2150859242, 'quota', QUOTA_PLUGIN],
  [2152991685, 'endpoint', 'The target does not speak this version of the remoting protocol.'],
  [2152991687, 'our_fault', OUR_FAULT],
  [2152992672, 'other', 'PowerShell on the target could not start the session; its own message says why.'],
  [2152992673, 'ending', 'PowerShell on the target is shutting down.'],
  [2152992674, 'our_fault', OUR_FAULT],
  [2152992675, 'shell_in_use', 'PowerShell on the target refused to hand over the session.'],
]; // prettier-ignore

/** Every code with a text of its own. */
export const FAULTS: ReadonlyMap<number, FaultRow> = new Map(ROWS.map(([code, kind, text]) => [code, [kind, text]]));

/** For faults without a number. DSP0226 14.6 Faults; the number is what Windows sends with that subcode. */
const SUBCODES: ReadonlyMap<string, number> = new Map([
  ['TimedOut', FAULT_CODE.timedOut],
  ['AccessDenied', FAULT_CODE.accessDenied],
  ['InvalidSelectors', FAULT_CODE.shellNotFound],
  ['InvalidResourceURI', FAULT_CODE.configurationNotFound],
  ['DestinationUnreachable', FAULT_CODE.configurationNotFound],
  ['SchemaValidationError', FAULT_CODE.schema],
  ['EncodingLimit', FAULT_CODE.envelopeTooLarge],
  ['QuotaLimit', FAULT_CODE.shellQuota],
  ['UnsupportedFeature', FAULT_CODE.notSupported],
  ['InvalidMessageInformationHeader', FAULT_CODE.invalidHeader],
]);

/** The number that stands for a fault: its own, else that of its subcode, else 0. */
export const faultCode = (wsmanCode: number | null, subcode: string | null): number =>
  wsmanCode ?? SUBCODES.get(subcode ?? '') ?? 0;

/** The PowerShell plugin refuses ids, streams or data with one of these. */
const isPluginRefusal = (number: number): boolean => number >= 2152991672 && number <= 2152991684;

/** What a number means. Numbers without a text of their own get the general one. */
export function explainFault(number: number): FaultExplanation {
  const [kind, text] =
    FAULTS.get(number) ??
    (isPluginRefusal(number)
      ? (['our_fault', OUR_FAULT] as const)
      : (['other', 'The target refused the request; its own message and the number say why.'] as const));
  const code = kind === 'gone' ? 'target_shell_gone' : kind === 'quota' ? 'target_quota' : 'wsman_fault';
  return { kind, text, code };
}

/** Faults of Create after which another try makes sense. */
const RETRIED_AT_CREATE: ReadonlySet<number> = new Set([
  2150858770, 995, 1722, 2150859027, 2150859026, 2150859120, 2150859216, 2150859206,
]);

/** True when Create may be sent again after a pause: nothing was opened. */
export const isRetriedAtCreate = (number: number): boolean => RETRIED_AT_CREATE.has(number);

/** The same bits as Windows tools print them, for example `0x80338029`. */
export const hexCode = (number: number): string => `0x${number.toString(16).toUpperCase().padStart(8, '0')}`;
