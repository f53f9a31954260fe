/**
 * V8 optimises a function after it has run for a while: right for a server under load, too late for a console, where a key
 * every 100 ms runs interpreted for minutes. Earlier, the gateway's own part in a key's echo is a third shorter
 * (docs/performance.md). Imported first, because it counts for functions that have not run yet.
 */
import { setFlagsFromString } from 'node:v8';

/** V8 counted bytecodes that ran until version 11 (Node 20), and counts calls since 12 (Node 22). */
const isCountedInCalls = Number(process.versions.v8.split('.')[0]) >= 12;
/** By itself 67,584 bytecodes, or 3,000 calls. */
setFlagsFromString(isCountedInCalls ? '--invocation-count-for-turbofan=100' : '--interrupt-budget=2000');
