/** Limits of files that browser and server share. Free of schemas, so that the page can use it. */

/** Largest upload. security.md section 4. */
export const MAX_FILE_BYTES = 2 * 1024 * 1024 * 1024;
/** Largest piece of an upload in one request. */
export const MAX_PIECE_BYTES = 4 * 1024 * 1024;
