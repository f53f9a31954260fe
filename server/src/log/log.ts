/** Structured logs, one JSON object per line: capitalised event, fields, ids; never a secret, a body or terminal bytes. */
import pino, { type DestinationStream, type Logger } from 'pino';

/** The log of the gateway. Rooms get one by injection. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'flush'> & {
  child(fields: Record<string, unknown>): Log;
};

/** Paths that must never be printed even when somebody hands them in. security.md T9. */
const REDACTED = [
  'authorization',
  'cookie',
  'password',
  'secret',
  'passphrase',
  'token',
  'ticket',
  '*.authorization',
  '*.cookie',
  '*["set-cookie"]',
  '*.password',
  '*.secret',
  '*.passphrase',
  '*.token',
  '*.ticket',
  'req.headers.authorization',
  'req.headers.cookie',
];

/** @param out where lines go; standard error by default, so that commands keep standard output for their answer */
export function createLog(level: 'debug' | 'info' | 'warn' | 'error' | 'silent', out?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACTED, censor: '[secret]' },
    },
    out ?? pino.destination({ dest: 2, sync: true }),
  );
}

/** Says nothing. For tests and tools. */
export const silentLog = (): Logger => createLog('silent');
