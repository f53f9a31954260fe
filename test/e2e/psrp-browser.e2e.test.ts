import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bodyText } from '@sallyport/psrp';
import { readCapture, rowsOf } from '../lab/captures.ts';
import { findProgram } from '../lab/sshd.ts';

const root = path.join(import.meta.dirname, '../..');
const browserPath = findProgram('chromium') ?? findProgram('chromium-browser') ?? findProgram('google-chrome');

/** What the page runs: both roles joined in memory, keys of WebCrypto, and documents read and written back. */
const PAGE = `
import { CliXmlReader, OutOfProcClient, OutOfProcServer, RUNSPACE_HOST, displayText, unpadSessionKey, writeCliXml } from '@sallyport/psrp';
const uuid = () => '10000000-1000-4000-8000-100000000000'.replace(/[018]/g, () => (crypto.getRandomValues(new Uint8Array(1))[0] & 15).toString(16));
window.roundTrip = (documents) => {
  const reader = new CliXmlReader();
  return documents.map((text) => writeCliXml(reader.read(text)));
};
window.roles = () => {
  const told = [];
  const client = new OutOfProcClient({ poolId: uuid(), newId: uuid });
  const server = new OutOfProcServer();
  client.open({ hostInfo: RUNSPACE_HOST });
  for (let turn = 0; turn < 20; turn++) {
    for (const event of server.receive(client.takeOutgoing())) {
      if (event.type === 'open') server.pool.opened(null);
      if (event.type === 'createPipeline') {
        server.pool.sendOutput(event.pipelineId, event.request.commands[0].command);
        server.finish(event.pipelineId, 'Completed');
      }
    }
    for (const line of server.takeOutgoing()) for (const event of client.receive(line)) {
      told.push(event.type + (event.state ?? '') + (event.type === 'output' ? displayText(event.value) : ''));
      if (event.type === 'poolState' && event.state === 'Opened') client.createPipeline({ commands: [{ command: 'echo' }] });
      if (event.type === 'pipelineState') client.close();
    }
  }
  return told;
};

// WebCrypto has no RSA with PKCS#1 v1.5: the raw operation is a power, which BigInt has. Its AES-CBC is asynchronous, so
// that texts are sealed before they are handed in: a cipher that looks up what was made ready.
const number = (bytes) => bytes.reduce((n, byte) => (n << 8n) | BigInt(byte), 0n);
const bytesOf = (n, length) => Uint8Array.from({ length }, (_, i) => Number((n >> BigInt(8 * (length - 1 - i))) & 255n));
const power = (base, exponent, modulus) => {
  let result = 1n;
  for (let b = base % modulus, e = exponent; e > 0n; e >>= 1n, b = (b * b) % modulus) if (e & 1n) result = (result * b) % modulus;
  return result;
};
const fromUrl = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const utf16 = (text) => Uint8Array.from([...text].flatMap((c) => [c.charCodeAt(0) & 255, c.charCodeAt(0) >> 8]));
async function readyCipher(key, texts) {
  const own = await crypto.subtle.importKey('raw', key, 'AES-CBC', false, ['encrypt', 'decrypt']);
  const iv = new Uint8Array(16);
  const sealed = new Map();
  const plain = new Map();
  for (const text of texts) {
    const cipherText = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-CBC', iv }, own, utf16(text)));
    sealed.set(hex(utf16(text)), cipherText);
    plain.set(hex(cipherText), new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-CBC', iv }, own, cipherText)));
  }
  return { encrypt: (bytes) => sealed.get(hex(bytes)), decrypt: (bytes) => plain.get(hex(bytes)).slice() };
}
window.keys = async () => {
  const told = [];
  const texts = ['Pass1', 'from the server'];
  const pair = await crypto.subtle.generateKey(
    { name: 'RSA-OAEP', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: 'SHA-256' }, true, ['encrypt', 'decrypt']);
  const jwk = await crypto.subtle.exportKey('jwk', pair.privateKey);
  const modulus = number(fromUrl(jwk.n));
  let ready = null;
  const client = new OutOfProcClient({ poolId: uuid(), newId: uuid, cipher: () => ready });
  const server = new OutOfProcServer();
  const waiting = [];
  const onServer = (event) => {
    told.push('server ' + event.type);
    if (event.type === 'open') server.pool.opened(null);
    if (event.type === 'publicKey') waiting.push(async () => {
      const key = crypto.getRandomValues(new Uint8Array(32));
      const filler = crypto.getRandomValues(new Uint8Array(221)).map((byte) => byte | 1);
      const block = Uint8Array.from([0, 2, ...filler, 0, ...key]);
      const wrapped = bytesOf(power(number(block), number(event.key.exponent), number(event.key.modulus)), 256);
      server.pool.supplySessionKey(await readyCipher(key, texts), wrapped);
    });
    if (event.type === 'input') {
      told.push('server opened ' + server.pool.unseal(event.value));
      server.pool.sendOutput(event.pipelineId, server.pool.seal(texts[1]));
      server.finish(event.pipelineId, 'Completed');
    }
  };
  const onClient = (event) => {
    told.push('client ' + event.type + (event.state ?? ''));
    if (event.type === 'poolState' && event.state === 'Opened') for (const each of client.requestSessionKey()) onClient(each);
    if (event.type === 'needsKeyPair') client.supplyPublicKey({ modulus: fromUrl(jwk.n), exponent: fromUrl(jwk.e) });
    // The key comes later; the client goes on with what arrives meanwhile.
    if (event.type === 'unwrapSessionKey') waiting.push(async () => {
      const key = unpadSessionKey(bytesOf(power(number(event.wrapped), number(fromUrl(jwk.d)), modulus), 256));
      ready = await readyCipher(key, texts);
      for (const each of client.supplySessionKey(key)) onClient(each);
    });
    if (event.type === 'sessionKeyReady') {
      const id = client.createPipeline({ commands: [{ command: 'x' }], noInput: false });
      client.sendInput(id, client.seal(texts[0]));
    }
    if (event.type === 'output') told.push('client opened ' + client.unseal(event.value));
  };
  client.open({ hostInfo: RUNSPACE_HOST });
  for (let turn = 0; turn < 30; turn++) {
    for (const event of server.receive(client.takeOutgoing())) onServer(event);
    for (const line of server.takeOutgoing()) for (const event of client.receive(line)) onClient(event);
    for (const act of waiting.splice(0)) await act();
  }
  return { told, state: client.sessionKeyState };
};`;

interface PageGlobals {
  roundTrip(texts: string[]): string[];
  roles(): string[];
  keys(): Promise<{ told: string[]; state: string }>;
}

/** Serves the page, as a stranger's site would: a module, under a policy that allows no eval. */
async function served(script: string): Promise<{ url: string; close: () => void }> {
  const server = createServer((request, response) => {
    const isScript = request.url === '/psrp.js';
    response.writeHead(200, {
      'content-type': isScript ? 'text/javascript' : 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; script-src 'self'",
    });
    response.end(
      isScript ? script : '<!doctype html><title>psrp</title><script type="module" src="/psrp.js"></script>',
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, close: () => server.close() };
}

describe('the codec in a browser', () => {
  let browser: Browser | null = null;
  let site: Awaited<ReturnType<typeof served>> | null = null;

  beforeAll(async () => {
    if (browserPath === null) return;
    // No Node module can be resolved for this platform: an import of one would fail the build.
    const bundle = await build({
      stdin: { contents: PAGE, resolveDir: root, loader: 'js' },
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'browser',
      target: 'es2023',
    });
    site = await served(bundle.outputFiles[0]?.text ?? '');
    browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser?.close();
    site?.close();
  });

  it('reads and writes recorded objects, speaks both roles, and takes a session key from WebCrypto', async (context) => {
    if (browser === null || site === null) {
      context.skip('no Chromium');
      return;
    }
    const documents = ['types-primitives', 'types-collections', 'types-objects', 'errors'].flatMap((scenario) =>
      readCapture(rowsOf(scenario, '7.6.5'))
        .messages.filter(({ message }) => message.hasBom && message.body.length > 0)
        .map(({ message }) => bodyText(message.body)),
    );
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    await page.goto(site.url);
    await page.waitForFunction(() => 'keys' in globalThis);
    const written = await page.evaluate((texts) => (globalThis as unknown as PageGlobals).roundTrip(texts), documents);
    expect(documents.length).toBeGreaterThan(100);
    expect(written).toEqual(documents);
    const told = await page.evaluate(() => (globalThis as unknown as PageGlobals).roles());
    expect(told).toEqual([
      'negotiated',
      'applicationPrivateData',
      'poolStateOpened',
      'outputecho',
      'pipelineStateCompleted',
      'pipelineClosed',
      'poolStateClosed',
    ]);
    const keys = await page.evaluate(() => (globalThis as unknown as PageGlobals).keys());
    expect(keys).toEqual({
      told: [
        'server negotiated',
        'server open',
        'client negotiated',
        'client applicationPrivateData',
        'client poolStateOpened',
        'client needsKeyPair',
        'server publicKey',
        'client unwrapSessionKey',
        'client sessionKeyReady',
        'server createPipeline',
        'server input',
        'server opened Pass1',
        'client output',
        'client opened from the server',
        'client pipelineStateCompleted',
      ],
      state: 'ready',
    });
    expect(errors.filter((text) => !text.includes('favicon'))).toEqual([]);
  });
});
