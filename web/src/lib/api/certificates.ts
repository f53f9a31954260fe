import type { AgentState, Authority, CertificateFacts, NewAuthority } from '@sallyport/shared/api/certificates';
import { request } from './request.ts';

/** `POST /api/certificates/read` */
export const readCertificate = (certificate: string): Promise<CertificateFacts> =>
  request('POST', 'certificates/read', { certificate });
/** `GET /api/agent` */
export const getAgent = (): Promise<AgentState> => request('GET', 'agent');
/** `GET /api/authority` */
export const getAuthority = async (): Promise<Authority | null> =>
  (await request<{ authority: Authority | null }>('GET', 'authority')).authority;
/** `POST /api/authority` */
export const makeAuthority = (body: NewAuthority): Promise<Authority> => request('POST', 'authority', body);
/** `PUT /api/authority` */
export const limitAuthority = (sourceAddresses: string[]): Promise<Authority> =>
  request('PUT', 'authority', { sourceAddresses });
