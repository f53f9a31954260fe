import { createReadStream } from 'node:fs';
import { type Command, readArgs, UsageError } from './command.ts';
import { CaptureDecoder } from './psrp-decode.ts';

const USAGE = `sallyport psrp decode FILE [--dir c2s|s2c|both] [--objects]

Prints a capture of a PowerShell subsystem as one JSON object per message and line. FILE is either rows of
{"t","dir","line"} (.jsonl), or the raw lines of one direction, for which --dir c2s or --dir s2c is needed; - is stdin.

  a message      {"dir","t","type","rpid","pid","objectId","bytes","body"}
  other packets  {"dir","t","element"}
  other lines    {"dir","t","text"}
  what is wrong  the same with {"error":{"code","message","offset","section"}}

  --dir      only this direction (default: both)
  --objects  bodies with type names, tags and the order of properties

Exit code 0 when nothing was malformed beyond what a real server prints, else 1. Secure strings are never shown.`;

export const psrp: Command = {
  name: 'psrp',
  summary: 'decode captured PowerShell remoting traffic',
  usage: USAGE,
  async run(args, io) {
    const { values, positionals } = readArgs(args, {
      dir: { type: 'string', default: 'both' },
      objects: { type: 'boolean', default: false },
    });
    const [verb, file, ...more] = positionals;
    if (verb !== 'decode' || file === undefined || more.length > 0) throw new UsageError('psrp decode takes one FILE');
    const { dir } = values;
    if (dir !== 'c2s' && dir !== 's2c' && dir !== 'both')
      throw new UsageError(`--dir ${dir} is none of c2s, s2c, both`);
    const decoder = new CaptureDecoder({
      dir: dir === 'both' ? null : dir,
      isFull: values.objects,
      told: (object) => {
        if (dir === 'both' && decoder.isJson === false) throw new UsageError('raw lines need --dir c2s or --dir s2c');
        io.out(`${JSON.stringify(object)}\n`);
      },
    });
    const source = file === '-' ? process.stdin : createReadStream(file);
    for await (const bytes of source) decoder.push(bytes as Uint8Array);
    decoder.end();
    if (decoder.unfinished > 0)
      io.err(`${decoder.unfinished} messages are not complete: the capture ends before them\n`);
    return decoder.isMalformed ? 1 : 0;
  },
};
