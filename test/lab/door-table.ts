/**
 * Who may what at every door of the gateway, written from security.md sections 1 to 3 and not from the program. The matrix
 * of `door.test.ts` is made from it.
 */
import type { Target } from '@sallyport/shared/api/targets';
import { openBody } from './console-page.ts';
import { LAB_PASSWORD } from './gateway.ts';

/** What a role may: everybody's, its own, nothing (403), nothing and not even know of it (404). */
export type Reach = 'all' | 'own' | '403' | '404';
/** Whether the object is the asker's. */
export type Owner = 'own' | 'foreign';
/** What `:id` may name. */
export type ObjectKind = 'user' | 'token' | 'target' | 'credential' | 'hostKey' | 'live' | 'past' | 'recorded';

/** One door. */
export interface Row {
  /** Administrator, operator, auditor; or who else is let in. */
  readonly may: readonly [Reach, Reach, Reach] | 'public' | 'loopback';
  /** What a token must be scoped for. */
  readonly scope?: string;
  readonly stepUp?: true;
  /** No token: what it gets. */
  readonly noToken?: 401 | 403;
  /** What `:id` names. */
  readonly object?: ObjectKind;
  /** Bytes go as they are, the rest as JSON. */
  readonly body?: (lab: Target) => unknown;
  /** With its question mark. */
  readonly query?: string;
  /** The login ends by it, so each cell that is let in gets a login of its own. */
  readonly endsLogin?: true;
  /** The answer to somebody who was let in. */
  readonly ok: number;
}

const RANDOM = (): string => Math.random().toString(36).slice(2, 12);
/** Something of the form of an id. */
export const id = (text: string): string => text.padEnd(52, 'a');
/** A target that nobody connects to. */
export const targetBody = () => ({
  name: `t-${RANDOM()}`,
  transport: 'ssh',
  host: '127.0.0.1',
  port: 1,
  subsystem: 'powershell',
  offers: ['pty'],
  credentialId: null,
  user: '',
  connectTimeoutMs: 5000,
  notes: '',
});
/** A vault entry that opens nothing. */
export const credentialBody = () => ({
  label: `c-${RANDOM()}`,
  kind: 'password',
  user: 'u',
  secret: 'x',
  passphrase: null,
});
const settingsBody = () => ({ targetRanges: ['127.0.0.0/8'], detachedHours: 8, idleMinutes: 15, absoluteHours: 12, retentionDays: null }); // prettier-ignore

const ALL = ['all', 'all', 'all'] as const;
const OWN = ['own', 'own', 'own'] as const;
const ADMIN = ['all', '403', '403'] as const;
const EVIDENCE = ['all', '403', 'all'] as const;
const REPLAY = ['own', 'own', 'all'] as const;

/** Rows by `METHOD path`. */
export const TABLE: Readonly<Record<string, Row>> = {
  'GET /': { may: 'public', ok: 200 },
  'GET /*': { may: 'public', ok: 200 },
  'GET /healthz': { may: 'public', ok: 200 },
  'GET /readyz': { may: 'public', ok: 200 },
  'GET /.well-known/security.txt': { may: 'public', ok: 200 },
  'GET /metrics': { may: 'loopback', ok: 200 },
  'GET /api/state': { may: 'public', ok: 200 },
  'POST /api/setup': { may: 'public', body: () => ({ token: 'x', name: 'eve', password: LAB_PASSWORD }), ok: 409 },
  'POST /api/login': { may: 'public', body: () => ({ name: 'nobody-here', password: 'x' }), ok: 401 },
  'GET /api/account': { may: OWN, scope: 'account.read', ok: 200 },
  'GET /api/users': { may: EVIDENCE, scope: 'user.list', ok: 200 },
  'POST /api/users': {
    may: ADMIN,
    scope: 'user.write',
    stepUp: true,
    body: () => ({ name: `u-${RANDOM()}`, role: 'operator', password: LAB_PASSWORD }),
    ok: 200,
  },
  'PATCH /api/users/:id': {
    may: ADMIN,
    scope: 'user.write',
    stepUp: true,
    object: 'user',
    body: () => ({ disabled: false }),
    ok: 200,
  },
  'GET /api/tokens': { may: ['all', 'own', 'own'], scope: 'token.list', ok: 200 },
  'POST /api/tokens': {
    may: OWN,
    scope: 'token.write',
    stepUp: true,
    noToken: 403,
    body: () => ({ label: 'x', scopes: [], days: 1 }),
    ok: 200,
  },
  'DELETE /api/tokens/:id': { may: OWN, scope: 'token.write', object: 'token', ok: 204 },
  'POST /api/where-to': { may: ALL, scope: 'target.list', body: () => ({ line: 'lab' }), ok: 200 },
  'POST /api/probe': {
    may: ADMIN,
    scope: 'target.probe',
    body: (lab) => ({ host: lab.host, port: lab.port, subsystem: 'powershell' }),
    ok: 200,
  },
  'POST /api/probe/ports': {
    may: ADMIN,
    scope: 'target.probe',
    body: (lab) => ({ host: lab.host }),
    ok: 200,
  },
  'GET /api/targets': { may: ALL, scope: 'target.list', ok: 200 },
  'POST /api/targets': { may: ADMIN, scope: 'target.write', body: targetBody, ok: 200 },
  // The target of this lab is one over SSH.
  'GET /api/targets/:id/shells': { may: ['all', 'all', '403'], scope: 'session.open', object: 'target', ok: 400 },
  'PUT /api/targets/:id': { may: ADMIN, scope: 'target.write', object: 'target', body: targetBody, ok: 200 },
  'DELETE /api/targets/:id': { may: ADMIN, scope: 'target.write', object: 'target', ok: 204 },
  'GET /api/credentials': { may: ADMIN, scope: 'credential.list', ok: 200 },
  'POST /api/credentials': { may: ADMIN, scope: 'credential.write', stepUp: true, body: credentialBody, ok: 200 },
  'DELETE /api/credentials/:id': {
    may: ADMIN,
    scope: 'credential.write',
    stepUp: true,
    object: 'credential',
    ok: 204,
  },
  'GET /api/authority': { may: EVIDENCE, scope: 'authority.read', ok: 200 },
  'POST /api/authority': {
    may: ADMIN,
    scope: 'authority.write',
    stepUp: true,
    body: () => ({ replaces: 'SHA256:of another', sourceAddresses: [] }),
    ok: 409,
  },
  'PUT /api/authority': {
    may: ADMIN,
    scope: 'authority.write',
    stepUp: true,
    body: () => ({ sourceAddresses: [] }),
    ok: 404,
  },
  'GET /api/agent': { may: ADMIN, scope: 'credential.list', ok: 200 },
  'POST /api/certificates/read': {
    may: ADMIN,
    scope: 'credential.write',
    body: () => ({ certificate: 'ssh-ed25519 AAAA' }),
    ok: 422,
  },
  'GET /api/host-keys': { may: EVIDENCE, scope: 'hostkey.list', ok: 200 },
  'GET /api/host-keys/known-hosts': { may: EVIDENCE, scope: 'hostkey.list', ok: 200 },
  'GET /api/host-keys/known-hosts/file': { may: EVIDENCE, scope: 'hostkey.list', ok: 200 },
  'POST /api/host-keys/known-hosts': {
    may: ADMIN,
    scope: 'hostkey.accept',
    stepUp: true,
    body: () => ({ text: '# nothing' }),
    ok: 200,
  },
  'DELETE /api/host-keys/:id': { may: ADMIN, scope: 'hostkey.delete', stepUp: true, object: 'hostKey', ok: 204 },
  'POST /api/sessions': {
    may: ['all', 'all', '403'],
    scope: 'session.open',
    // With the credential of the target it would need the scope `credential.use` too.
    body: (lab) => ({ ...openBody(lab.id, 'pty'), credential: { by: 'typed', typed: { user: 'x', kind: 'ask', secret: '', passphrase: null, saveAs: null } } }), // prettier-ignore
    ok: 200,
  },
  'GET /api/sessions': { may: ['all', 'own', 'all'], scope: 'session.list', ok: 200 },
  'GET /api/sessions/:id': { may: ['all', 'own', 'all'], scope: 'session.list', object: 'live', ok: 200 },
  'POST /api/sessions/:id/tickets': {
    may: ['own', 'own', '404'],
    scope: 'session.attach',
    object: 'live',
    ok: 200,
  },
  'GET /api/sessions/socket': { may: ['own', 'own', '404'], scope: 'session.attach', noToken: 401, ok: 400 },
  // Over SSH nothing stays at the target.
  'POST /api/sessions/:id/leave': { may: ['own', 'own', '404'], scope: 'session.control', object: 'live', ok: 409 },
  'POST /api/sessions/:id/terminate': {
    may: ['all', 'own', '404'],
    scope: 'session.terminate',
    object: 'live',
    ok: 204,
  },
  // Of a session that has ended: who is let in is told that it is not live.
  'GET /api/sessions/:id/files': { may: ['own', 'own', '404'], scope: 'file.read', object: 'past', ok: 409 },
  'GET /api/sessions/:id/file': {
    may: ['own', 'own', '404'],
    scope: 'file.read',
    object: 'past',
    query: '?path=/etc/hostname',
    ok: 409,
  },
  'POST /api/sessions/:id/uploads': {
    may: ['own', 'own', '404'],
    scope: 'file.write',
    object: 'past',
    body: () => ({ path: '/tmp/x', size: 1, replace: false, resume: false }),
    ok: 409,
  },
  'PUT /api/sessions/:id/uploads/:uploadId': {
    may: ['own', 'own', '404'],
    scope: 'file.write',
    object: 'past',
    query: '?offset=0',
    body: () => new Uint8Array(1),
    ok: 409,
  },
  'POST /api/sessions/:id/uploads/:uploadId/finish': {
    may: ['own', 'own', '404'],
    scope: 'file.write',
    object: 'past',
    ok: 409,
  },
  'DELETE /api/sessions/:id/uploads/:uploadId': {
    may: ['own', 'own', '404'],
    scope: 'file.write',
    object: 'past',
    ok: 409,
  },
  'GET /api/recordings/:id': { may: REPLAY, scope: 'recording.replay', object: 'past', ok: 200 },
  'GET /api/recordings/:id/events': { may: REPLAY, scope: 'recording.replay', object: 'past', ok: 200 },
  'GET /api/recordings/:id/cast': { may: REPLAY, scope: 'recording.export', object: 'past', ok: 200 },
  'DELETE /api/recordings/:id': {
    may: ADMIN,
    scope: 'recording.delete',
    stepUp: true,
    object: 'recorded',
    ok: 204,
  },
  'GET /api/ledger': { may: REPLAY, scope: 'ledger.read', ok: 200 },
  'GET /api/audit': { may: EVIDENCE, scope: 'audit.read', ok: 200 },
  'POST /api/audit/verify': { may: EVIDENCE, scope: 'audit.verify', ok: 200 },
  'GET /api/settings': { may: EVIDENCE, scope: 'settings.read', ok: 200 },
  'PUT /api/settings': { may: ADMIN, scope: 'settings.write', stepUp: true, body: settingsBody, ok: 200 },
  'POST /api/invoke': {
    may: ['all', 'all', '403'],
    scope: 'session.open',
    body: () => ({ targetId: id('nosuch'), script: '1', output: 'text' }),
    ok: 404, // Let in, and then there is no such target.
  },
  'POST /api/step-up': {
    may: OWN,
    scope: 'account.password',
    noToken: 403,
    body: () => ({ password: LAB_PASSWORD }),
    endsLogin: true,
    ok: 204,
  },
  'POST /api/account/password': {
    may: OWN,
    scope: 'account.password',
    noToken: 403,
    body: () => ({ current: LAB_PASSWORD, next: LAB_PASSWORD }),
    endsLogin: true,
    ok: 204,
  },
  'POST /api/logout': {
    may: OWN,
    scope: 'account.read',
    noToken: 403,
    body: () => ({ sessions: 'detach' }),
    endsLogin: true,
    ok: 204,
  },
};
