/** A hostile target in a process of its own, so that its work is not the gateway's: the user name says what it does. */
import { sshString, startHostileTarget, uint32, type Wire } from './hostile-target.ts';

const data = (bytes: Uint8Array, code?: number): Buffer =>
  code === undefined
    ? Buffer.concat([Buffer.from([94]), uint32(0), sshString(bytes)])
    : Buffer.concat([Buffer.from([95]), uint32(0), uint32(code), sshString(bytes)]);

/** What is sent again and again. */
const POURS: Readonly<Record<string, Buffer>> = {
  flood: data(Buffer.alloc(32_000, 'f')),
  tiny: data(Buffer.from('t')),
  stderr: data(Buffer.alloc(32_000, 'e'), 1),
  ignored: Buffer.concat([Buffer.from([2]), sshString('i')]),
};

function pour(wire: Wire, message: Buffer): void {
  const more = (): void => {
    for (let i = 0; i < 500 && !wire.socket.destroyed && wire.socket.writableLength < 256 * 1024; i++)
      wire.send(message);
    if (!wire.socket.destroyed) setTimeout(more, 1);
  };
  more();
}

const users = new WeakMap<object, string>();
const target = await startHostileTarget({
  authenticate: (context, wire) => {
    users.set(wire, context.username);
    context.accept();
  },
  shell: (_stream, wire) => {
    const message = POURS[users.get(wire) ?? ''];
    if (message !== undefined) pour(wire, message);
  },
});
process.stdout.write(`${String(target.port)}\n`);
// Ends with the test that started it, also when that dies.
process.stdin.on('end', () => process.exit(0)).resume();
