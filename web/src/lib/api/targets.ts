import type { KnownHostRow, KnownHostsReport } from '@sallyport/shared/api/host-keys';
import type {
  Credential,
  HostKeyPin,
  NewCredential,
  ProbeResult,
  ProbedPort,
  Target,
  TargetBody,
  TargetShellRow,
  WhereTo,
} from '@sallyport/shared/api/targets';
import { request } from './request.ts';

/** `GET /api/targets` */
export const listTargets = async (): Promise<Target[]> =>
  (await request<{ targets: Target[] }>('GET', 'targets')).targets;
/** `POST /api/targets` */
export const addTarget = (body: TargetBody): Promise<Target> => request('POST', 'targets', body);
/** `PUT /api/targets/:id` */
export const changeTarget = (id: string, body: TargetBody): Promise<Target> => request('PUT', `targets/${id}`, body);
/** `DELETE /api/targets/:id` */
export const deleteTarget = (id: string): Promise<void> => request('DELETE', `targets/${id}`);

/** `GET /api/targets/:id/shells`: signs in there. */
export const listShells = async (id: string): Promise<TargetShellRow[]> =>
  (await request<{ shells: TargetShellRow[] }>('GET', `targets/${id}/shells`)).shells;
/** `POST /api/where-to` */
export const readLine = (line: string, signal: AbortSignal): Promise<WhereTo> =>
  request('POST', 'where-to', { line }, signal);
/** `POST /api/probe` */
export const probe = (targetId: string, signal: AbortSignal): Promise<ProbeResult> =>
  request('POST', 'probe', { targetId }, signal);
/** `POST /api/probe/ports` */
export const probePorts = async (host: string, signal: AbortSignal): Promise<ProbedPort[]> =>
  (await request<{ ports: ProbedPort[] }>('POST', 'probe/ports', { host }, signal)).ports;

/** `GET /api/credentials` */
export const listCredentials = async (): Promise<Credential[]> =>
  (await request<{ credentials: Credential[] }>('GET', 'credentials')).credentials;
/** `POST /api/credentials` */
export const addCredential = (body: NewCredential): Promise<Credential> => request('POST', 'credentials', body);
/** `DELETE /api/credentials/:id` */
export const deleteCredential = (id: string): Promise<void> => request('DELETE', `credentials/${id}`);

/** `GET /api/host-keys` */
export const listHostKeys = async (): Promise<HostKeyPin[]> =>
  (await request<{ hostKeys: HostKeyPin[] }>('GET', 'host-keys')).hostKeys;
/** `DELETE /api/host-keys/:id` */
export const deleteHostKey = (id: string): Promise<void> => request('DELETE', `host-keys/${id}`);
/** `GET /api/host-keys/known-hosts` */
export const listKnownHosts = async (): Promise<KnownHostRow[]> =>
  (await request<{ lines: KnownHostRow[] }>('GET', 'host-keys/known-hosts')).lines;
/** `POST /api/host-keys/known-hosts` */
export const importKnownHosts = (text: string): Promise<KnownHostsReport> =>
  request('POST', 'host-keys/known-hosts', { text });
/** `GET /api/host-keys/known-hosts/file` */
export const exportKnownHosts = async (hashed: boolean): Promise<string> =>
  (await request<{ text: string }>('GET', `host-keys/known-hosts/file?hashed=${hashed ? '1' : '0'}`)).text;
