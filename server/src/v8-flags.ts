/**
 * V8 is set up for a server under load; a console's gateway is idle, then typed at, then flooded. Imported first, because
 * the flags count for functions that have not run yet. Measured in docs/performance.md.
 */
import { setFlagsFromString } from 'node:v8';

/**
 * V8 optimises a function after it has run for a while: with a key every 100 ms the way of a key would run interpreted for
 * minutes. Until version 11 (Node 20) it counted bytecodes that ran, by itself 67,584; since 12 (Node 22) calls, 3,000.
 */
const isCountedInCalls = Number(process.versions.v8.split('.')[0]) >= 12;
setFlagsFromString(isCountedInCalls ? '--invocation-count-for-turbofan=100' : '--interrupt-budget=2000');

/**
 * After an idle time V8 lets the heap grow by little before it collects all of it. Buffers count as growth, and a flood,
 * which makes 64 MB of them in a second, then spends half of its time in full collections that free next to nothing.
 */
setFlagsFromString('--heap-growing-percent=300');
