/**
 * Decrypts private keys off the event loop. bcrypt of an OpenSSH key is JavaScript and takes 0.3 to 6 s of one core;
 * every console of the gateway would stand still meanwhile.
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { SallyportError } from '../../errors.ts';
import type { DecryptAnswer, DecryptTask } from './decrypt-key.ts';

/** Threads at once: the other cores belong to the consoles. */
const MAX_PARALLEL = 2;
/** Waiting for their turn; more are told to come back. */
const MAX_WAITING = 32;
/** The limits of key-file.ts take a fifth of it on a slow machine. */
const DEADLINE_MS = 30_000;

let running = 0;
const waiting: (() => void)[] = [];

/**
 * Built, the worker lies beside this bundle as JavaScript. From source (tests) its thread first needs a loader of
 * TypeScript, which tsx installs in other threads than the first only when asked through its API.
 */
function startWorker(task: DecryptTask): Worker {
  if (!import.meta.url.endsWith('.ts'))
    return new Worker(new URL('./decrypt-key.worker.js', import.meta.url), { workerData: task, env: {} });
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx/esm/api')).href.replace(/cjs$/, 'mjs');
  const loader = `data:text/javascript,import{register}from${JSON.stringify(tsx)};register()`;
  const url = new URL('./decrypt-key.worker.ts', import.meta.url);
  return new Worker(url, { workerData: task, env: {}, execArgv: ['--import', loader] });
}

function decryptNow(task: DecryptTask, signal: AbortSignal): Promise<DecryptAnswer> {
  const worker = startWorker(task);
  return new Promise<DecryptAnswer>((resolve, reject) => {
    const abort = (): void => reject(new SallyportError('cancelled', 'reading the private key was cancelled'));
    const late = (): void => reject(new SallyportError('key_too_slow', 'private key: decryption took too long'));
    const timer = setTimeout(late, DEADLINE_MS);
    signal.addEventListener('abort', abort, { once: true });
    worker.once('message', resolve);
    worker.once('error', (cause) =>
      reject(new SallyportError('internal', 'the thread for private keys failed', { cause })),
    );
    worker.once('exit', () => reject(new SallyportError('internal', 'the thread for private keys ended early')));
    worker.once('exit', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    });
  }).finally(() => worker.terminate());
}

/**
 * @returns the key in the clear, or null for a wrong passphrase
 * @throws SallyportError cancelled, key_too_slow, rate_limited
 */
export async function decryptInWorker(task: DecryptTask, signal: AbortSignal): Promise<DecryptAnswer> {
  if (running >= MAX_PARALLEL) {
    if (waiting.length >= MAX_WAITING)
      throw new SallyportError('rate_limited', 'too many private keys are being read', { retryAfterS: 5 });
    // The one that ends hands its place over, so `running` stays.
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else running += 1;
  try {
    if (signal.aborted) throw new SallyportError('cancelled', 'reading the private key was cancelled');
    return await decryptNow(task, signal);
  } finally {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  }
}
