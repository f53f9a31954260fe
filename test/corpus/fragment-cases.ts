/** Crafted fragments and messages: streams of bytes for the reassembler, and messages for a pool of either role. */
import { NULL_HOST, primitiveDictionary, RUNSPACE_HOST } from '@sallyport/psrp';
import { streamCases } from './fragment-streams.ts';
import type { StreamCase } from './fragment-streams.ts';
import { bagCases } from './message-bags.ts';
import type { MessageCase } from './message-case.ts';
import { commandCases, versionCases } from './message-contents.ts';
import { turnCases } from './message-turns.ts';

/** What opens a pool of either role, for the runner. */
export const OPENING = { hosts: { pool: NULL_HOST, pipeline: RUNSPACE_HOST }, arguments: primitiveDictionary([]) };

/** All cases, in the order of the file. */
export const fragmentCases = (): readonly (StreamCase | MessageCase)[] => [
  ...streamCases(),
  ...turnCases(),
  ...bagCases(),
  ...commandCases(),
  ...versionCases(),
];
