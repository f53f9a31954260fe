import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DownloadTransfer, UploadTransfer, nextPiece } from './transfer.ts';

/** The gateway, as far as one file goes. */
class FakeGateway {
  readonly asked: string[] = [];
  contents = new Uint8Array();
  received = Buffer.alloc(0);
  /** Requests that are answered before one breaks; null: none breaks. */
  breakAt: number | null = null;
  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const { pathname, searchParams } = new URL(url);
    this.asked.push(`${init.method ?? 'GET'} ${pathname.split('/').slice(4).join('/')}`);
    if (this.breakAt !== null && this.asked.length > this.breakAt) throw new TypeError('network');
    if (init.method === 'GET') return this.#download(Number(searchParams.get('offset')));
    if (init.method === 'DELETE') return new Response(null, { status: 204 });
    if (init.method === 'PUT') {
      const piece = new Uint8Array(await (init.body as Blob).arrayBuffer());
      this.received = Buffer.concat([this.received, piece]);
    }
    return Response.json({ uploadId: 'u', offset: this.received.length, path: '', size: 0, sha256: '' });
  };
  #download(offset: number): Response {
    const rest = this.contents.subarray(offset);
    const headers = { 'x-file-size': String(this.contents.length), 'x-file-tag': 't' };
    const bytes = this.breakAt === this.asked.length ? rest.subarray(0, 10) : rest;
    return new Response(bytes.slice(), { headers });
  }
}

let gateway: FakeGateway;
const originals = { fetch: globalThis.fetch, document: globalThis.document };
beforeEach(() => {
  gateway = new FakeGateway();
  Object.assign(globalThis, { fetch: gateway.fetch, document: { baseURI: 'http://gate/' } });
});
afterEach(() => {
  Object.assign(globalThis, originals);
});
const bytes = (length: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length }, (_, n) => n % 251);

describe('a download', () => {
  it('is kept when it is whole; what came before it broke is not fetched twice', async () => {
    gateway.contents = bytes(100);
    gateway.breakAt = 1;
    const kept: [string, Uint8Array][] = [];
    const wait: Promise<void>[] = [];
    const transfer = new DownloadTransfer('s', '/tmp/file', (name, blob) => {
      wait.push(blob.arrayBuffer().then((buffer) => void kept.push([name, new Uint8Array(buffer)])));
    });
    await transfer.go();
    expect([transfer.state, transfer.done, kept.length]).toEqual(['failed', 10, 0]);
    gateway.breakAt = null;
    await transfer.go();
    await Promise.all(wait);
    expect([transfer.state, transfer.done]).toEqual(['done', 100]);
    expect(kept).toEqual([['file', bytes(100)]]);
  });
});

describe('an upload', () => {
  it('goes on where the gateway has its end', async () => {
    const file = bytes(700_000);
    const transfer = new UploadTransfer('s', '/tmp/file', new Blob([file]));
    gateway.breakAt = 2;
    await transfer.go();
    expect([transfer.state, transfer.done]).toEqual(['failed', 256 * 1024]);
    gateway.breakAt = null;
    await transfer.go();
    expect([transfer.state, transfer.done]).toEqual(['done', 700_000]);
    expect(gateway.received.equals(file)).toBe(true);
    expect(gateway.asked.at(-1)).toBe('POST uploads/u/finish');
  });

  it('that is cancelled tells the gateway', async () => {
    const transfer = new UploadTransfer('s', '/tmp/file', new Blob([bytes(10)]));
    gateway.breakAt = 1;
    await transfer.go();
    gateway.breakAt = null;
    await transfer.cancel();
    expect(transfer.state).toBe('cancelled');
    expect(gateway.asked.at(-1)).toBe('DELETE uploads/u');
  });

  it('takes larger pieces on a quick line and smaller ones on a slow line, within limits', () => {
    expect(nextPiece(1024 * 1024, 10)).toBe(2 * 1024 * 1024);
    expect(nextPiece(4 * 1024 * 1024, 10)).toBe(4 * 1024 * 1024);
    expect(nextPiece(1024 * 1024, 1000)).toBe(1024 * 1024);
    expect(nextPiece(128 * 1024, 5000)).toBe(64 * 1024);
    expect(nextPiece(64 * 1024, 9000)).toBe(64 * 1024);
  });
});
