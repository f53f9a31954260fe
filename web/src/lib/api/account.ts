import type { Account, GatewayState, LoginBody, SetupBody } from '@sallyport/shared/api/account';
import { request } from './request.ts';

/** `GET /api/state` */
export const getState = (): Promise<GatewayState> => request('GET', 'state');
/** `POST /api/setup` */
export const setUp = (body: SetupBody): Promise<void> => request('POST', 'setup', body);
/** `POST /api/login` */
export const signIn = (body: LoginBody): Promise<void> => request('POST', 'login', body);
/** `POST /api/logout` */
export const signOut = (sessions: 'detach' | 'end'): Promise<void> => request('POST', 'logout', { sessions });
/** `POST /api/step-up` */
export const stepUp = (password: string): Promise<void> => request('POST', 'step-up', { password });
/** `GET /api/account` */
export const getAccount = (): Promise<Account> => request('GET', 'account');
/** `POST /api/account/password` */
export const changePassword = (current: string, next: string): Promise<void> =>
  request('POST', 'account/password', { current, next });
