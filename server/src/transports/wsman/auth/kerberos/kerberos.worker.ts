/**
 * The Kerberos process: the only place where native Kerberos code runs. It holds tickets and contexts for the gateway,
 * answers what comes over descriptor 3 and ends when the gateway does. It prints nothing.
 */
import { Socket } from 'node:net';
import { FrameReader, writeFrame } from './frames.ts';
import { loadMechanism } from './load-mechanism.ts';
import type { Mechanism } from './mechanism.ts';
import type { Answer, Greeting, Request } from './messages.ts';
import { KerberosRefusal } from './native.ts';
import { KerberosDesk } from './desk.ts';

const channel = new Socket({ fd: 3, readable: true, writable: true });
// Not `exit`: that would wait for threads that wait for a KDC.
for (const event of ['close', 'error']) channel.on(event, () => process.kill(process.pid, 'SIGKILL'));

function load(configuration: string): Mechanism | null {
  try {
    const mechanism = loadMechanism(configuration);
    writeFrame(channel, { ready: true } satisfies Greeting);
    return mechanism;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    writeFrame(channel, { ready: false, reason } satisfies Greeting);
    channel.end();
    return null;
  }
}

/** What the library refuses is an answer. Anything else is a fault of ours: end, so that nothing goes on half done. */
async function serve(desk: KerberosDesk, request: Request & { readonly id: number }, body: Uint8Array): Promise<void> {
  const { id } = request;
  try {
    const { body: pieces, ...answer } = await desk.answer(request, body);
    writeFrame(channel, { id, ...answer } satisfies Answer, ...pieces);
  } catch (error) {
    if (!(error instanceof KerberosRefusal)) process.exit(70);
    writeFrame(channel, { id, refusal: error.refusal } satisfies Answer);
  }
}

let desk: KerberosDesk | null = null;
// Our own gateway wrote the frames: the socket pair has no other end. The first is the configuration.
const reader = new FrameReader((head, body) => {
  if (desk !== null) return void serve(desk, head as Request & { readonly id: number }, body);
  const mechanism = load(new TextDecoder().decode(body));
  if (mechanism !== null) desk = new KerberosDesk(mechanism);
});
channel.on('data', (chunk: Uint8Array) => reader.push(chunk));
