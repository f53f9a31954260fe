import type { Settings, SettingsBody } from '@sallyport/shared/api/settings';
import type { ApiToken, NewApiToken, NewUser, User, UserPatch } from '@sallyport/shared/api/users';
import { request } from './request.ts';

/** `GET /api/settings` */
export const getSettings = (): Promise<Settings> => request('GET', 'settings');
/** `PUT /api/settings` */
export const changeSettings = (body: SettingsBody): Promise<Settings> => request('PUT', 'settings', body);

/** `GET /api/users` */
export const listUsers = async (): Promise<User[]> => (await request<{ users: User[] }>('GET', 'users')).users;
/** `POST /api/users` */
export const addUser = (body: NewUser): Promise<User> => request('POST', 'users', body);
/** `PATCH /api/users/:id` */
export const changeUser = (id: string, body: UserPatch): Promise<User> => request('PATCH', `users/${id}`, body);

/** `GET /api/tokens` */
export const listTokens = async (): Promise<ApiToken[]> =>
  (await request<{ tokens: ApiToken[] }>('GET', 'tokens')).tokens;
/** `POST /api/tokens` */
export const addToken = (body: NewApiToken): Promise<{ token: string; entry: ApiToken }> =>
  request('POST', 'tokens', body);
/** `DELETE /api/tokens/:id` */
export const deleteToken = (id: string): Promise<void> => request('DELETE', `tokens/${id}`);
