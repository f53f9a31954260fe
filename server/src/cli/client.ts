import { mkdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { ErrorBody } from '@sallyport/shared/api/common';
import { errorText } from '@sallyport/shared/error-codes';
import { visibleText } from '@sallyport/shared/terminal-output/visible-text';
import type { z } from 'zod';
import { isLoopbackHost } from '../config/addresses.ts';
import { writeWhole } from '../storage/files.ts';
import type { CliIo } from './command.ts';
import { UsageError } from './command.ts';

/** A refusal by the gateway, with its code and request id. Exit code 1. */
export class ApiError extends Error {
  readonly code: string;
  readonly status: number;
  /** Whole seconds until it is worth asking again; null when the gateway did not say. */
  readonly retryAfterS: number | null;
  constructor(status: number, code: string, message: string, retryAfterS: number | null = null) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

/** The file that `sallyport token login` writes, mode 0600: address and token. */
export function tokenFile(env: NodeJS.ProcessEnv): string {
  const base = env['XDG_CONFIG_HOME'] ?? path.join(homedir(), '.config');
  return path.join(base, 'sallyport', 'login.json');
}

export function saveLogin(env: NodeJS.ProcessEnv, login: { url: string; token: string }): string {
  const file = tokenFile(env);
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeWhole(file, `${JSON.stringify(login)}\n`, 0o600); // A new file: the mode of one that is there would stay.
  return file;
}

function savedLogin(env: NodeJS.ProcessEnv): { url: string; token: string } | null {
  try {
    const value: unknown = JSON.parse(readFileSync(tokenFile(env), 'utf8'));
    if (typeof value !== 'object' || value === null || !('url' in value) || !('token' in value)) return null;
    return { url: String(value.url), token: String(value.token) };
  } catch {
    return null; // No login was saved: SALLYPORT_URL and SALLYPORT_TOKEN must say it then.
  }
}

/**
 * Where a gateway is, with a slash at its end. Passwords and tokens go there, so plain http is for this machine alone.
 * @throws UsageError
 */
export function gatewayUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isPrivate = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname));
  if (!isPrivate) throw new UsageError(`${text}: give an https address (http is for a gateway on this machine only)`);
  return text.endsWith('/') ? text : `${text}/`;
}

/** One gateway, spoken to with a token. */
export class ApiClient {
  readonly url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.url = gatewayUrl(url);
    this.#token = token;
  }

  /**
   * From `--url`, SALLYPORT_URL and SALLYPORT_TOKEN, else the saved login. A saved token is for the gateway that gave it:
   * another address, perhaps of a file that came with somebody's project, does not get it. @throws UsageError
   */
  static from(io: CliIo, url: string | undefined): ApiClient {
    const saved = savedLogin(io.env);
    const address = url ?? io.env['SALLYPORT_URL'] ?? saved?.url;
    const own = io.env['SALLYPORT_TOKEN'];
    if (own === undefined && saved !== null && address !== undefined && gatewayUrl(address) !== gatewayUrl(saved.url))
      throw new UsageError(`the saved login is for ${saved.url}; for ${address} run: sallyport token login --url URL`);
    const token = own ?? saved?.token;
    if (address === undefined || token === undefined)
      throw new UsageError(
        'no gateway is known: set SALLYPORT_URL and SALLYPORT_TOKEN, or run: sallyport token login --url URL',
      );
    return new ApiClient(address, token);
  }

  async send(method: string, route: string, body?: unknown): Promise<Response> {
    const response = await fetch(new URL(route, this.url), {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        'x-sallyport': '1',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'error',
    }).catch((error: unknown) => {
      throw new ApiError(0, 'unreachable', `the gateway at ${this.url} does not answer (${causeOf(error)})`);
    });
    if (!response.ok) throw await toApiError(response);
    return response;
  }

  async call<T extends z.ZodType>(schema: T, method: string, route: string, body?: unknown): Promise<z.infer<T>> {
    return schema.parse(await (await this.send(method, route, body)).json());
  }

  /** A stream of JSON lines, each checked. */
  async *lines<T extends z.ZodType>(
    schema: T,
    method: string,
    route: string,
    body?: unknown,
  ): AsyncGenerator<z.infer<T>> {
    const response = await this.send(method, route, body);
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of bytesOf(response)) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') yield schema.parse(JSON.parse(line));
    }
    if (rest !== '') yield schema.parse(JSON.parse(rest));
  }
}

/** The body's bytes; an empty answer has none. */
export async function* bytesOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined;
  for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) yield part.value;
}

const causeOf = (error: unknown): string =>
  error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : String(error);

/** The gateway's refusal in its own words. */
export async function toApiError(response: Response): Promise<ApiError> {
  const text = await response.text();
  try {
    const { error } = ErrorBody.parse(JSON.parse(text));
    const seconds = response.headers.get('retry-after') ?? '';
    return new ApiError(
      response.status,
      error.code,
      visibleText(`${error.message || errorText(error.code)} (${error.code}, request ${error.requestId})`, 4096),
      /^\d{1,6}$/.test(seconds) ? Number(seconds) : null,
    );
  } catch {
    return new ApiError(response.status, 'internal', `the answer ${response.status} is none of a Sallyport gateway`);
  }
}
