/** From what the Kerberos library refuses to the codes that people see. winrm-auth.md section 10. */
import type { ErrorCode } from '@sallyport/shared/error-codes';
import { SallyportError } from '../../../../errors.ts';
import type { Refusal } from './messages.ts';

/** Error codes of krb5 (krb5_err.et) as signed numbers, with those of RFC 4120 section 7.5.9 in the lower part. */
const BASE = -1765328384;
const CODES: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  // The password, or the key of a keytab, is not that of the account.
  [BASE + 24, 'target_auth_failed'], // preauthentication failed
  [BASE + 31, 'target_auth_failed'], // decrypt integrity check failed: the KDC could not read what the password sealed
  [BASE + 6, 'kerberos_unknown_user'], // client not found
  [BASE + 68, 'kerberos_unknown_user'], // the account is in another realm
  [BASE + 1, 'target_account_locked'], // client's entry has expired
  [BASE + 12, 'target_account_locked'], // policy
  [BASE + 18, 'target_account_locked'], // revoked: disabled or locked
  [BASE + 21, 'target_account_locked'], // not yet valid
  [BASE + 23, 'password_expired'],
  [BASE + 7, 'kerberos_unknown_target'], // server not found
  [BASE + 26, 'kerberos_unknown_target'], // server and ticket do not match
  [BASE + 37, 'kerberos_clock_skew'],
  [BASE + 33, 'kerberos_clock_skew'], // ticket not yet valid
  [BASE + 29, 'kerberos_no_kdc'], // service not available
  [-1765328230, 'kerberos_no_kdc'], // cannot find a KDC for the realm
  [-1765328228, 'kerberos_no_kdc'], // cannot contact any KDC
  [-1765328164, 'kerberos_no_kdc'], // cannot resolve the address of a KDC
  [-1765328160, 'kerberos_no_kdc'], // no default realm
  [-1765328249, 'kerberos_unavailable'], // cannot open the configuration file
  [-1765328248, 'kerberos_unavailable'], // its form
]);
/** What the same numbers mean once the target has a ticket: it cannot read it, so the name belongs to another account. */
const AT_TARGET: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [BASE + 31, 'kerberos_unknown_target'],
  [BASE + 35, 'kerberos_unknown_target'], // the ticket is not for us
  [BASE + 41, 'kerberos_unknown_target'], // message modified: sealed for another key
  [BASE + 45, 'kerberos_unknown_target'], // key not available
  [BASE + 44, 'kerberos_unknown_target'], // key version not available
  [-1765328226, 'wsman_server_unproven'], // mutual authentication failed
]);
/** At the first ticket the server is the realm's own ticket-granting service. */
const AT_TICKETS: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([[BASE + 7, 'kerberos_no_kdc']]);
const GSS_BAD_BINDINGS = 4;

function codeOf({ stage, major, minor }: Refusal): ErrorCode {
  if (stage === 'message') return 'wsman_seal_broken';
  if (major >>> 16 === GSS_BAD_BINDINGS) return 'wsman_binding_refused';
  const first = stage === 'tickets' ? AT_TICKETS : AT_TARGET;
  return first.get(minor) ?? CODES.get(minor) ?? 'kerberos_failed';
}

/** The target answers wrong channel bindings with an error that has no number of its own. Seen: MIT Kerberos 1.20. */
const GENERIC = BASE + 60;

/** A refusal of Kerberos. The text is the library's, in English; it holds names of realms and principals, no secret. */
export class KerberosError extends SallyportError {
  /** The target gave an error without a number; what it means depends on the connection. */
  readonly isGeneric: boolean;
  constructor(refusal: Refusal) {
    const { stage, text, major, minor } = refusal;
    super(codeOf(refusal), `kerberos, ${stage}: ${text} (${major >>> 16}/${minor})`);
    this.isGeneric = stage === 'context' && minor === GENERIC;
  }
}

/** The KDC has judged the credential: asking again would count as another try. */
export const IS_FINAL: readonly ErrorCode[] = [
  'target_auth_failed',
  'password_expired',
  'target_account_locked',
  'kerberos_unknown_user',
];
