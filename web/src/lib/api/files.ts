import type { FileListing, NewUpload, UploadState, Uploaded } from '@sallyport/shared/api/files';
import { request, requestRaw } from './request.ts';

const at = (sessionId: string, rest: string): string => `sessions/${sessionId}/${rest}`;

/** `GET /api/sessions/:id/files` */
export const listFiles = (sessionId: string, path: string): Promise<FileListing> =>
  request('GET', at(sessionId, `files?path=${encodeURIComponent(path)}`));
/** `GET /api/sessions/:id/file`: from `offset` on; `tag` of what it goes on with, or null. */
export const fetchFile = (
  sessionId: string,
  path: string,
  offset: number,
  tag: string | null,
  signal: AbortSignal,
): Promise<Response> =>
  requestRaw(
    'GET',
    at(sessionId, `file?path=${encodeURIComponent(path)}&offset=${offset}${tag === null ? '' : `&tag=${tag}`}`),
    undefined,
    signal,
  );
/** `POST /api/sessions/:id/uploads` */
export const beginUpload = (sessionId: string, body: NewUpload): Promise<UploadState> =>
  request('POST', at(sessionId, 'uploads'), body);
/** `PUT /api/sessions/:id/uploads/:uploadId` */
export const sendPiece = (
  sessionId: string,
  uploadId: string,
  offset: number,
  piece: Blob,
  signal: AbortSignal,
): Promise<UploadState> => request('PUT', at(sessionId, `uploads/${uploadId}?offset=${offset}`), piece, signal);
/** `POST /api/sessions/:id/uploads/:uploadId/finish` */
export const finishUpload = (sessionId: string, uploadId: string): Promise<Uploaded> =>
  request('POST', at(sessionId, `uploads/${uploadId}/finish`));
/** `DELETE /api/sessions/:id/uploads/:uploadId` */
export const cancelUpload = (sessionId: string, uploadId: string): Promise<void> =>
  request('DELETE', at(sessionId, `uploads/${uploadId}`));
