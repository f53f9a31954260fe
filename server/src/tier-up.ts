/**
 * V8 optimises a function after it has run for a while: right for a server under load, too late for a console, where a key
 * every 100 ms runs interpreted for minutes. A smaller budget takes a third off the gateway's part in a key's echo
 * (docs/performance.md). Imported first, because it counts for functions that have not run yet.
 */
import { setFlagsFromString } from 'node:v8';

/** Bytecodes that a function runs before its tier is looked at; V8's own is about 66,000. */
setFlagsFromString('--interrupt-budget=2000');
