/**
 * May they? The one function behind every route, socket message, `broker.open` and `broker.attach`: pure, deny by
 * default. security.md T1 and section 2, rule 1. Rows, not code: a role has an action on everything, on its own, or not.
 */
export const ROLES = ['administrator', 'operator', 'auditor'] as const;
export type Role = (typeof ROLES)[number];

export const ACTIONS = [
  'account.read',
  'account.password',
  'target.list',
  'target.write',
  'target.probe',
  'credential.list',
  'credential.write',
  'credential.use',
  'agent.use',
  'authority.read',
  'authority.write',
  'hostkey.list',
  'hostkey.accept',
  'hostkey.delete',
  'session.open',
  'session.openAdHoc',
  'session.list',
  'session.attach',
  'session.control',
  'session.terminate',
  'file.read',
  'file.write',
  'recording.replay',
  'recording.export',
  'recording.delete',
  'ledger.read',
  'audit.read',
  'audit.verify',
  'user.list',
  'user.write',
  'token.list',
  'token.write',
  'settings.read',
  'settings.write',
  'metrics.read',
] as const;
export type Action = (typeof ACTIONS)[number];

/** Who asks. `tokenScopes`: null for a browser login; an API token may narrow the role, never widen it. */
export interface Subject {
  readonly userId: string;
  readonly role: Role;
  readonly tokenScopes: readonly Action[] | null;
}
/** What is asked about. `ownerId`: the user whose session, recording, ledger row or token it is; null = nobody's. */
export interface Resource {
  readonly ownerId: string | null;
  /** The demo's in-process target is for the administrator only. */
  readonly administratorOnly?: boolean;
}
export type Decision =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly code: 'forbidden' | 'not_found'; readonly why: string };

type Reach = 'all' | 'own' | 'no';
const ALL = 'all';
const OWN = 'own';
const NO = 'no';

/** Columns: administrator, operator, auditor. Nobody reads another person's recording by administrator role alone (T14). */
const TABLE: Record<Action, readonly [Reach, Reach, Reach]> = {
  'account.read': [OWN, OWN, OWN],
  'account.password': [OWN, OWN, OWN],
  'target.list': [ALL, ALL, ALL],
  'target.write': [ALL, NO, NO],
  'target.probe': [ALL, NO, NO],
  'credential.list': [ALL, NO, NO],
  'credential.write': [ALL, NO, NO],
  'credential.use': [ALL, ALL, NO],
  // Whose key of the gateway's agent a target takes is an administrator's choice, made in the vault.
  'agent.use': [ALL, ALL, NO],
  'authority.read': [ALL, NO, ALL],
  'authority.write': [ALL, NO, NO],
  'hostkey.list': [ALL, NO, ALL],
  'hostkey.accept': [ALL, NO, NO],
  'hostkey.delete': [ALL, NO, NO],
  'session.open': [ALL, ALL, NO],
  'session.openAdHoc': [ALL, NO, NO],
  'session.list': [ALL, OWN, ALL],
  'session.attach': [OWN, OWN, NO],
  'session.control': [OWN, OWN, NO],
  'session.terminate': [ALL, OWN, NO],
  // Off unless an administrator allowed it at the target as well.
  'file.read': [OWN, OWN, NO],
  'file.write': [OWN, OWN, NO],
  'recording.replay': [OWN, OWN, ALL],
  'recording.export': [OWN, OWN, ALL],
  'recording.delete': [ALL, NO, NO],
  'ledger.read': [OWN, OWN, ALL],
  'audit.read': [ALL, NO, ALL],
  'audit.verify': [ALL, NO, ALL],
  'user.list': [ALL, NO, ALL],
  'user.write': [ALL, NO, NO],
  'token.list': [ALL, OWN, OWN],
  'token.write': [OWN, OWN, OWN],
  'settings.read': [ALL, NO, ALL],
  'settings.write': [ALL, NO, NO],
  'metrics.read': [ALL, NO, ALL],
};

/** Actions whose refusal must not reveal that the object exists. security.md section 2, rule 1. */
const HIDES: ReadonlySet<Action> = new Set([
  'file.read',
  'file.write',
  'session.attach',
  'session.control',
  'session.terminate',
  'recording.replay',
  'recording.export',
  'ledger.read',
]);

const refuse = (action: Action, why: string): Decision => ({
  allowed: false,
  code: HIDES.has(action) ? 'not_found' : 'forbidden',
  why,
});

/** @param resource null when the action is about no object yet (a list, a creation): `own` then allows, and the list is filtered by owner */
export function decide(subject: Subject, action: Action, resource: Resource | null): Decision {
  if (subject.tokenScopes !== null && !subject.tokenScopes.includes(action))
    return refuse(action, 'the token does not cover it');
  if (resource?.administratorOnly === true && subject.role !== 'administrator')
    return { allowed: false, code: 'not_found', why: 'for administrators only' };
  const reach = TABLE[action][ROLES.indexOf(subject.role)] ?? NO;
  if (reach === ALL) return { allowed: true };
  if (reach === OWN && (resource === null || resource.ownerId === subject.userId)) return { allowed: true };
  // What belongs to somebody else is not there at all.
  if (reach === OWN) return { allowed: false, code: 'not_found', why: 'it belongs to somebody else' };
  return refuse(action, `role ${subject.role} may not`);
}

/** Whether a list of such objects is to be narrowed to the subject's own. */
export const seesOnlyOwn = (subject: Subject, action: Action): boolean =>
  TABLE[action][ROLES.indexOf(subject.role)] === OWN;
