import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ApiClient, bytesOf } from './client.ts';
import { type Command, UsageError, readArgs } from './command.ts';

export const recording: Command = {
  name: 'recording',
  summary: 'export a recording as asciicast v2',
  usage: `sallyport recording export SESSION_ID [--out FILE]

Writes the recording as asciicast v2 (JSON lines) to FILE, or to stdout. The export is audited.`,
  async run(args, io) {
    const { values, positionals } = readArgs(args, { out: { type: 'string' }, url: { type: 'string' } });
    const [verb, sessionId] = positionals;
    if (verb !== 'export' || sessionId === undefined) throw new UsageError('recording export SESSION_ID');
    const response = await ApiClient.from(io, values.url).send(
      'GET',
      `api/recordings/${encodeURIComponent(sessionId)}/cast`,
    );
    if (values.out !== undefined) {
      await pipeline(Readable.from(bytesOf(response)), createWriteStream(values.out, { mode: 0o600, flags: 'wx' }));
      return 0;
    }
    const decoder = new TextDecoder();
    for await (const chunk of bytesOf(response)) io.out(decoder.decode(chunk, { stream: true }));
    io.out(decoder.decode());
    return 0;
  },
};
