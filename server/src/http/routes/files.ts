/** Files of a session's target: list, download, upload in pieces. */
import { Readable } from 'node:stream';
import { DownloadQuery, FileQuery, NewUpload, PieceQuery } from '@sallyport/shared/api/files';
import { MAX_PIECE_BYTES } from '@sallyport/shared/file-limits';
import { SessionId } from '@sallyport/shared/ids';
import { z } from 'zod';
import { SallyportError } from '../../errors.ts';
import type { RoutesJoin } from '../ports.ts';
import { userRoute, type Route } from '../route.ts';
import { sessionById } from './account.ts';

const params = z.strictObject({ id: SessionId });
const uploadParams = z.strictObject({ id: SessionId, uploadId: z.string().max(64) });
const Piece = z.instanceof(Uint8Array);

/** A name in a header: RFC 6266 section 4.3, RFC 8187. */
const disposition = (name: string): string =>
  `attachment; filename*=UTF-8''${encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)}`;

/** `/api/sessions/:id/files`, `/file`, `/uploads`. */
export function fileRoutes({ broker, files, log }: RoutesJoin): readonly Route[] {
  const ofSession = async ({ params: { id } }: { params: { id: string } }) => ({
    ownerId: (await sessionById(broker, id)).userId,
  });
  return [
    userRoute({
      method: 'GET',
      path: '/api/sessions/:id/files',
      action: 'file.read',
      params,
      query: FileQuery,
      resource: ofSession,
      handle: ({ params: { id }, query }, { actor }) => files.list(id, actor, query.path),
    }),
    userRoute({
      method: 'GET',
      path: '/api/sessions/:id/file',
      action: 'file.read',
      params,
      query: DownloadQuery,
      resource: ofSession,
      handle: async ({ params: { id }, query, reply }, { actor }) => {
        const { name, length, size, tag, body, close } = await files.download(id, actor, query);
        // Also when nobody ever took a byte of it.
        reply.raw.once('close', () => {
          close().catch((error: unknown) => {
            log.error({ err: error, sessionId: id }, 'TransferEndNotAudited');
          });
        });
        void reply
          .type('application/octet-stream')
          .header('content-length', length)
          .header('content-disposition', disposition(name))
          .header('x-file-size', size)
          .header('x-file-tag', tag);
        return reply.send(Readable.from(body, { objectMode: false, highWaterMark: 256 * 1024 }));
      },
    }),
    userRoute({
      method: 'POST',
      path: '/api/sessions/:id/uploads',
      action: 'file.write',
      params,
      body: NewUpload,
      resource: ofSession,
      handle: ({ params: { id }, body }, { actor }) => files.upload(id, actor, body),
    }),
    userRoute({
      method: 'PUT',
      path: '/api/sessions/:id/uploads/:uploadId',
      action: 'file.write',
      params: uploadParams,
      query: PieceQuery,
      body: Piece,
      isBytes: true,
      bodyLimit: MAX_PIECE_BYTES,
      resource: ofSession,
      handle: ({ params: { id, uploadId }, query, body }) => {
        if (body.length === 0) throw new SallyportError('bad_request', 'a piece has bytes');
        return files.piece(id, uploadId, query.offset, body);
      },
    }),
    userRoute({
      method: 'POST',
      path: '/api/sessions/:id/uploads/:uploadId/finish',
      action: 'file.write',
      params: uploadParams,
      resource: ofSession,
      handle: ({ params: { id, uploadId } }) => files.finish(id, uploadId),
    }),
    userRoute({
      method: 'DELETE',
      path: '/api/sessions/:id/uploads/:uploadId',
      action: 'file.write',
      params: uploadParams,
      resource: ofSession,
      handle: ({ params: { id, uploadId } }) => files.cancel(id, uploadId),
    }),
  ];
}
