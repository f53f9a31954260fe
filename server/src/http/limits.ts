/** Sizes of what comes in over HTTP. security.md section 4 "HTTP head" and "REST body". */
export const MAX_HEAD_BYTES = 16 * 1024;
export const MAX_URL_BYTES = 8 * 1024;
export const MAX_BODY_BYTES = 256 * 1024;
export const MAX_LOGIN_BODY_BYTES = 16 * 1024;
