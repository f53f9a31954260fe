import type { ErrorBody } from '@sallyport/shared/api/common';

/** A refusal of the gateway, or of the way to it (`code` `gateway_unreachable`). */
export class ApiError extends Error {
  readonly code: string;
  readonly status: number;
  readonly requestId: string;
  /** Seconds to wait, from Retry-After; null when it was not said. */
  readonly retryAfterSeconds: number | null;

  constructor(code: string, message: string, status: number, requestId: string, retryAfterSeconds: number | null) {
    super(message);
    this.code = code;
    this.status = status;
    this.requestId = requestId;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

const UNREACHABLE = 'The gateway does not answer. Nothing is known of the last request; look before you repeat it.';

/** What the page does when the gateway asks for more than a cookie. Set once by the application. */
export interface RequestHooks {
  /** The sign-in has ended. */
  readonly signedOut: () => void;
  /** Ask for the password again. Resolves true when it was confirmed. */
  readonly stepUp: () => Promise<boolean>;
}
let hooks: RequestHooks = { signedOut: () => undefined, stepUp: () => Promise.resolve(false) };

/** Joins the requests to the page. */
export function setRequestHooks(given: RequestHooks): void {
  hooks = given;
}

/** @returns the address of an API path below the base of the page */
export const apiUrl = (path: string): string => new URL(`api/${path}`, document.baseURI).href;

/** The table of sentences is only loaded for an answer that brings none of its own. */
const textOf = async (code: string): Promise<string> => (await import('@sallyport/shared/error-codes')).errorText(code);

const isErrorBody = (value: unknown): value is ErrorBody =>
  typeof value === 'object' && value !== null && 'error' in value && typeof value.error === 'object';

async function toError(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => null);
  const retry = Number(response.headers.get('retry-after'));
  const wait = Number.isFinite(retry) && retry > 0 ? retry : null;
  if (isErrorBody(body))
    return new ApiError(body.error.code, body.error.message, response.status, body.error.requestId, wait);
  const code = response.status === 401 ? 'unauthenticated' : 'internal';
  return new ApiError(code, await textOf(code), response.status, response.headers.get('x-request-id') ?? '', wait);
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

async function send(
  method: Method,
  path: string,
  body: unknown,
  signal: AbortSignal | null,
  isQuiet = false,
): Promise<Response> {
  const headers = new Headers({ accept: 'application/json' });
  if (isQuiet) headers.set('x-sallyport-quiet', '1');
  if (method !== 'GET') headers.set('x-sallyport', '1');
  const isBytes = body instanceof Blob;
  if (body !== undefined) headers.set('content-type', `application/${isBytes ? 'octet-stream' : 'json'}`);
  const text = body === undefined ? null : isBytes ? body : JSON.stringify(body);
  try {
    return await fetch(apiUrl(path), { method, headers, body: text, signal, credentials: 'same-origin' });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new ApiError('gateway_unreachable', UNREACHABLE, 0, '', null);
  }
}

/**
 * Sends one request and returns the answer when it is a good one.
 * @param isQuiet the page asks by itself: that keeps no login from being idle
 * @throws ApiError
 */
export async function requestRaw(
  method: Method,
  path: string,
  body?: unknown,
  signal: AbortSignal | null = null,
  isQuiet = false,
): Promise<Response> {
  const response = await send(method, path, body, signal, isQuiet);
  if (response.ok) return response;
  const error = await toError(response);
  if (error.code === 'step_up_required' && (await hooks.stepUp())) {
    const again = await send(method, path, body, signal);
    if (again.ok) return again;
    throw await toError(again);
  }
  if (error.code === 'unauthenticated') hooks.signedOut();
  throw error;
}

/**
 * Sends one request. The answer is of the type that the endpoint's schema in `shared/api` says: the gateway is the
 * page's own origin and checks what it sends, so it is not checked a second time here.
 * @throws ApiError
 */
export async function request<T>(
  method: Method,
  path: string,
  body?: unknown,
  signal: AbortSignal | null = null,
  isQuiet = false,
): Promise<T> {
  const response = await requestRaw(method, path, body, signal, isQuiet);
  const text = await response.text();
  return (text === '' ? undefined : JSON.parse(text)) as T; // An empty answer is `undefined`, for endpoints of type void.
}

/** @returns `?a=1&b=2` of the given values, without the null and empty ones */
export function queryOf(values: Readonly<Record<string, string | number | boolean | null>>): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) if (value !== null && value !== '') query.set(key, String(value));
  return query.size === 0 ? '' : `?${query.toString()}`;
}
