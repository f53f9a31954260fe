import { z } from 'zod';
import { MAX_FILE_BYTES } from '../file-limits.ts';

const MAX_PATH_BYTES = 4096;
const MAX_NAME_BYTES = 255;

const bytesOf = (text: string): number => new TextEncoder().encode(text).length;
/** A path at the target: no NUL, no controls, 4096 bytes, 255 bytes a name. Empty: where the user's files are. */
export const isRemotePath = (path: string): boolean =>
  bytesOf(path) <= MAX_PATH_BYTES &&
  !/\p{Cc}/u.test(path) &&
  path.split('/').every((name) => bytesOf(name) <= MAX_NAME_BYTES);
/** One of a file: absolute, so that it means the same wherever the target starts. */
export const isFilePath = (path: string): boolean => isRemotePath(path) && /^\/.*[^/]$/u.test(path);

/** What is no path gets `bad_name` from the session, not a fault of form. */
const Path = z.string().max(2 * MAX_PATH_BYTES);

export const FileEntry = z.object({
  name: z.string(),
  kind: z.enum(['file', 'directory', 'link', 'other']),
  size: z.number(),
  modifiedAt: z.number(),
});
export type FileEntry = z.infer<typeof FileEntry>;

/** `GET /api/sessions/:id/files?path=`. */
export const FileQuery = z.strictObject({ path: Path.default('') });
export const FileListing = z.object({
  /** Absolute. */
  path: z.string(),
  entries: z.array(FileEntry),
  /** There is more in the directory than is shown. */
  isCut: z.boolean(),
  mayWrite: z.boolean(),
});
export type FileListing = z.infer<typeof FileListing>;

/** `GET /api/sessions/:id/file`: the bytes from `offset` on. `tag`: of the answer that it goes on with; other contents are refused. */
export const DownloadQuery = z.strictObject({
  path: Path,
  offset: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  tag: z.string().max(64).optional(),
});

/**
 * `POST /api/sessions/:id/uploads`. The bytes go into `NAME.sallyport-part` beside the file, which takes its place at the
 * end. `resume`: go on with a part that is there.
 */
export const NewUpload = z.strictObject({
  path: Path,
  size: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  replace: z.boolean(),
  resume: z.boolean(),
});
export type NewUpload = z.infer<typeof NewUpload>;
export const UploadState = z.object({ uploadId: z.string(), offset: z.number() });
export type UploadState = z.infer<typeof UploadState>;
/** `PUT /api/sessions/:id/uploads/:uploadId?offset=`, body `application/octet-stream`, at most MAX_PIECE_BYTES. */
export const PieceQuery = z.strictObject({ offset: z.coerce.number().int().min(0).max(MAX_FILE_BYTES) });
/** `POST /api/sessions/:id/uploads/:uploadId/finish`. */
export const Uploaded = z.object({ path: z.string(), size: z.number(), sha256: z.string() });
export type Uploaded = z.infer<typeof Uploaded>;
