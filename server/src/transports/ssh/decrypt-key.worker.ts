/** Thread of one decryption: takes a task, gives an answer, ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { decryptKey, type DecryptTask } from './decrypt-key.ts';

parentPort?.postMessage(decryptKey(workerData as DecryptTask));
