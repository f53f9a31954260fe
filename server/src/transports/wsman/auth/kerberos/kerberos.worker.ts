/**
 * The Kerberos process: the only place where native Kerberos code runs. It holds tickets and contexts for the gateway,
 * answers what comes over descriptor 3 and ends when the gateway does. It prints nothing.
 */
import { Socket } from 'node:net';
import { FrameReader, writeFrame } from './frames.ts';
import { loadLibrary, type Library } from './library.ts';
import type { Answer, Greeting, Request } from './messages.ts';
import { KerberosRefusal } from './native.ts';
import { KerberosDesk } from './desk.ts';

const channel = new Socket({ fd: 3, readable: true, writable: true });
// Not `exit`: that would wait for threads that wait for a KDC.
for (const event of ['close', 'error']) channel.on(event, () => process.kill(process.pid, 'SIGKILL'));

function load(): Library | null {
  try {
    const library = loadLibrary();
    writeFrame(channel, { ready: true } satisfies Greeting);
    return library;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    writeFrame(channel, { ready: false, reason } satisfies Greeting);
    channel.end();
    return null;
  }
}

const library = load();
if (library !== null) {
  const desk = new KerberosDesk(library);
  const reader = new FrameReader((head, body) => {
    // Our own gateway wrote it: the socket pair has no other end.
    const request = head as Request & { readonly id: number };
    desk.answer(request, body).then(
      ({ body: pieces, ...answer }) => writeFrame(channel, { id: request.id, ...answer } satisfies Answer, ...pieces),
      (error: unknown) => {
        // What is no refusal of the library is a fault of ours: end, so that nothing goes on half done.
        if (!(error instanceof KerberosRefusal)) process.exit(70);
        writeFrame(channel, { id: request.id, refusal: error.refusal } satisfies Answer);
      },
    );
  });
  channel.on('data', (chunk: Uint8Array) => reader.push(chunk));
}
