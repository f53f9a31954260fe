import type { FuzzParser } from '../parser.ts';
import { challenges } from './challenges.ts';
import { clixml } from './clixml.ts';
import { fragments } from './fragments.ts';
import { address, control, editor, knownHosts, recording, terminalOutput } from './gateway.ts';
import { lines } from './lines.ts';
import { client, server } from './sessions.ts';
import { wsman } from './wsman.ts';
import { wsmanAuth } from './wsman-auth.ts';

/** Everything that reads what somebody else sent. */
export const PARSERS: readonly FuzzParser[] = [
  clixml,
  fragments,
  lines,
  client,
  server,
  control,
  address,
  knownHosts,
  terminalOutput,
  editor,
  recording,
  wsman,
  wsmanAuth,
  challenges,
];
