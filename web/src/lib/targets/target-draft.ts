import type { ClientCertificateFacts } from '@sallyport/shared/api/certificates';
import type { Credential, Target, TargetBody } from '@sallyport/shared/api/targets';
import { canUse, WSMAN_PORTS } from '@sallyport/shared/winrm';
import { cleanPin, WSMAN_DRAFT, wsManDraftOf, wsManOf, wsManProblems, type WsManDraft } from './wsman-draft.ts';

/** What the form of a target holds: texts as typed. */
export interface TargetDraft {
  name: string;
  transport: Target['transport'];
  host: string;
  port: string;
  subsystem: string;
  powershell: boolean;
  pty: boolean;
  credentialId: string;
  user: string;
  timeoutS: string;
  via: string;
  relaxations: Target['relaxations'];
  files: Target['files'];
  usingCredentials: string[];
  notes: string;
  wsman: WsManDraft;
}

/** What "Where to?" found and hands to the form of a new target. */
export interface TargetHint {
  readonly host: string;
  readonly port: number;
  readonly transport: Target['transport'];
  readonly tls: boolean;
}

/** Reads a hint out of the address of the form; null when there is none. */
export function hintOf(query: URLSearchParams): TargetHint | null {
  const host = query.get('host') ?? '';
  const port = Number(query.get('port'));
  const isPort = Number.isInteger(port) && port >= 1 && port <= 65_535;
  if (host === '') return null;
  const tls = query.get('way') !== 'http';
  const transport = query.get('way') === 'ssh' ? 'ssh' : 'wsman';
  return { host, transport, tls, port: isPort ? port : transport === 'ssh' ? 22 : WSMAN_PORTS[tls ? 'https' : 'http'] };
}

/** The draft of a target, or of a new one. */
export function draftOf(target: Target | null, hint: TargetHint | null = null): TargetDraft {
  return {
    name: target?.name ?? hint?.host ?? '',
    transport: target?.transport ?? hint?.transport ?? 'ssh',
    host: target?.host ?? hint?.host ?? '',
    port: String(target?.port ?? hint?.port ?? 22),
    subsystem: target?.subsystem ?? 'powershell',
    powershell: target?.offers.includes('powershell') ?? true,
    pty: target?.offers.includes('pty') ?? true,
    credentialId: target?.credentialId ?? '',
    user: target?.user ?? '',
    timeoutS: String((target?.connectTimeoutMs ?? 30_000) / 1000),
    via: target?.viaTargetId ?? '',
    relaxations: [...(target?.relaxations ?? [])],
    files: target?.files ?? 'off',
    usingCredentials: [...(target?.usingCredentials ?? [])],
    notes: target?.notes ?? '',
    wsman: target?.wsman ? wsManDraftOf(target.wsman) : { ...WSMAN_DRAFT, tls: hint?.tls ?? true },
  };
}

/** The usual port of a way; a port that somebody chose is left alone. */
export function portFor(draft: Pick<TargetDraft, 'transport' | 'port'>, isTls: boolean): string {
  const usual = ['', '22', String(WSMAN_PORTS.http), String(WSMAN_PORTS.https)];
  if (!usual.includes(draft.port.trim())) return draft.port;
  if (draft.transport === 'ssh') return '22';
  return String(isTls ? WSMAN_PORTS.https : WSMAN_PORTS.http);
}

/** The credentials of the vault that the target can be signed in to with. */
export function fittingFor(draft: Pick<TargetDraft, 'transport' | 'wsman'>, all: readonly Credential[]): Credential[] {
  const method = draft.transport === 'ssh' ? null : draft.wsman.method;
  return all.filter(({ kind }) => canUse(method, kind));
}

/** The client certificate that the target names by its thumbprint, or has as its credential; null without one. */
export function clientCertificateOf(draft: TargetDraft, all: readonly Credential[]): ClientCertificateFacts | null {
  const thumbprint = cleanPin(draft.wsman.certificateThumbprint);
  const isMeant = ({ id, clientCertificate: facts }: Credential): boolean =>
    thumbprint === '' ? id === draft.credentialId : facts?.sha1 === thumbprint || facts?.sha256 === thumbprint;
  return fittingFor(draft, all).find(isMeant)?.clientCertificate ?? null;
}

/** What is wrong with each field, in words; null where nothing is. */
export type TargetProblems = Readonly<
  Record<'name' | 'host' | 'port' | 'timeout' | 'offers' | keyof ReturnType<typeof wsManProblems>, string | null>
>;

/** What is wrong with the draft. */
export function problemsOf(draft: TargetDraft): TargetProblems {
  const [port, timeout] = [Number(draft.port), Number(draft.timeoutS)];
  const isSsh = draft.transport === 'ssh';
  return {
    name: draft.name.trim() === '' ? 'A name is needed. It appears in every record.' : null,
    host: draft.host.trim() === '' ? 'A name or an address is needed.' : null,
    port: Number.isInteger(port) && port >= 1 && port <= 65_535 ? null : 'A port is 1 to 65535.',
    timeout: timeout >= 5 && timeout <= 180 ? null : '5 to 180 seconds.',
    offers: !isSsh || draft.powershell || draft.pty ? null : 'At least one of the two.',
    ...wsManProblems(isSsh ? WSMAN_DRAFT : draft.wsman),
  };
}

/** The body that the gateway takes; what only the other transport has is left out. */
export function bodyOf(draft: TargetDraft): TargetBody {
  const isSsh = draft.transport === 'ssh';
  const offers: TargetBody['offers'] = [];
  if (!isSsh || draft.powershell) offers.push('powershell');
  if (isSsh && draft.pty) offers.push('pty');
  return {
    name: draft.name.trim(),
    transport: draft.transport,
    host: draft.host.trim(),
    port: Number(draft.port),
    subsystem: draft.subsystem.trim() === '' ? 'powershell' : draft.subsystem.trim(),
    offers,
    credentialId: draft.credentialId === '' ? null : draft.credentialId,
    user: draft.user.trim(),
    connectTimeoutMs: Math.round(Number(draft.timeoutS) * 1000),
    viaTargetId: draft.via === '' ? null : draft.via,
    relaxations: isSsh ? draft.relaxations : [],
    files: draft.files,
    usingCredentials: isSsh && !draft.powershell ? [] : draft.usingCredentials,
    wsman: isSsh ? null : wsManOf(draft.wsman),
    notes: draft.notes,
  };
}
