/** The built page, read once at start: a closed list of files, so that no path from outside ever reaches a disk. */
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { extname, join as joinPath, relative, sep } from 'node:path';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SallyportError } from '../errors.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};
/** Built files carry their hash in the name: `index-Bx3k9Zq1.js`. */
const HASHED = /-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$/;

interface PageFile {
  readonly type: string;
  readonly body: Buffer;
  readonly etag: string;
  readonly isImmutable: boolean;
  readonly br: Buffer | null;
  readonly gzip: Buffer | null;
}
/** Files by path below the base, `index.html` among them. */
export type Page = ReadonlyMap<string, PageFile>;

function readIfThere(file: string): Buffer | null {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true ? readFileSync(file) : null;
}

function toFile(name: string, body: Buffer, ready: { br: Buffer | null; gzip: Buffer | null }): PageFile {
  const type = TYPES[extname(name)] ?? 'application/octet-stream';
  const isText = /^text|json|svg/.test(type) && body.length > 1024;
  return {
    type,
    body,
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    isImmutable: HASHED.test(name),
    br: ready.br,
    gzip: ready.gzip ?? (isText ? gzipSync(body, { level: 9 }) : null),
  };
}

/**
 * Reads `directory`; precompressed neighbours (`x.js.br`, `x.js.gz`) are used as they are. `index.html` gets the base
 * path, so that its relative addresses hold on every route of the page.
 * @throws SallyportError config_invalid when there is no built page
 */
export function loadPage(directory: string, basePath: string): Page {
  const page = new Map<string, PageFile>();
  const index = readIfThere(joinPath(directory, 'index.html'));
  if (index === null) throw new SallyportError('config_invalid', `webDir: there is no built page in ${directory}`);
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || /\.(br|gz)$/.test(entry.name)) continue;
    const file = joinPath(entry.parentPath, entry.name);
    const name = relative(directory, file).split(sep).join('/');
    if (name === 'index.html') continue;
    page.set(
      name,
      toFile(name, readFileSync(file), { br: readIfThere(`${file}.br`), gzip: readIfThere(`${file}.gz`) }),
    );
  }
  const html = index.toString('utf8').replace(/<head>/i, `<head>\n    <base href="${basePath}/" />`);
  page.set('index.html', toFile('index.html', Buffer.from(html), { br: null, gzip: null }));
  return page;
}

function sendFile(request: FastifyRequest, reply: FastifyReply, file: PageFile): FastifyReply {
  void reply
    .header('etag', file.etag)
    .header('vary', 'accept-encoding')
    .header('cache-control', file.isImmutable ? 'public, max-age=31536000, immutable' : 'no-cache')
    .type(file.type);
  if (request.headers['if-none-match'] === file.etag) return reply.code(304).send();
  const accepted = request.headers['accept-encoding'] ?? '';
  if (file.br !== null && /\bbr\b/.test(accepted)) return reply.header('content-encoding', 'br').send(file.br);
  if (file.gzip !== null && /\bgzip\b/.test(accepted)) return reply.header('content-encoding', 'gzip').send(file.gzip);
  return reply.send(file.body);
}

/** Serves the page below the base path: files by name, and the page itself for every route of its own. */
export function servePage(app: FastifyInstance, page: Page): void {
  const config = { access: { kind: 'public' } } as const;
  const answer = async (request: FastifyRequest, reply: FastifyReply) => {
    const name = (request.params as { '*'?: string })['*'] ?? '';
    const file = page.get(name);
    if (file !== undefined) return sendFile(request, reply, file);
    const index = page.get('index.html');
    // A route of the page has no dot in its last part; anything else is a file that is not there.
    if (index === undefined || name.startsWith('api/') || /\.[a-z0-9]+$/i.test(name))
      throw new SallyportError('not_found', 'no such file of the page');
    return sendFile(request, reply, index);
  };
  app.get('/', { config }, answer);
  app.get('/*', { config }, answer);
}
