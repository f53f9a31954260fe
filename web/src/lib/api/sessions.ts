import type { OpenSession, OpenedSession, RecordingInfo, SessionRow } from '@sallyport/shared/api/sessions';
import { apiUrl, request, requestRaw } from './request.ts';

/** `GET /api/sessions`. @param isQuiet nobody asked for it */
export const listSessions = async (isQuiet = false): Promise<SessionRow[]> =>
  (await request<{ sessions: SessionRow[] }>('GET', 'sessions', undefined, null, isQuiet)).sessions;
/** `GET /api/sessions/:id` */
export const getSession = (id: string): Promise<SessionRow> => request('GET', `sessions/${id}`);
/** `POST /api/sessions` */
export const openSession = (body: OpenSession): Promise<OpenedSession> => request('POST', 'sessions', body);
/** `POST /api/sessions/:id/tickets`; also by a page that comes back by itself, so it is nobody's activity. */
export const getTicket = async (id: string): Promise<string> =>
  (await request<{ ticket: string }>('POST', `sessions/${id}/tickets`, undefined, null, true)).ticket;
/** `POST /api/sessions/:id/leave` */
export const leaveSession = (id: string): Promise<void> => request('POST', `sessions/${id}/leave`);
/** `POST /api/sessions/:id/terminate` */
export const terminateSession = (id: string): Promise<void> => request('POST', `sessions/${id}/terminate`);

/** `GET /api/recordings/:id` */
export const getRecording = (id: string): Promise<RecordingInfo> => request('GET', `recordings/${id}`);
/** `GET /api/recordings/:id/events`: JSON lines of `ReplayEvent`. */
export const getRecordingEvents = (id: string, signal: AbortSignal): Promise<Response> =>
  requestRaw('GET', `recordings/${id}/events`, undefined, signal);
/** `GET /api/recordings/:id/cast`: the asciicast v2 file, for a download link. */
export const recordingCastUrl = (id: string): string => apiUrl(`recordings/${id}/cast`);

/** Address of the session socket: the API's, with the socket scheme. */
export const socketUrl = (): string => apiUrl('sessions/socket').replace(/^http/, 'ws');
