/**
 * Flow control of terminal output, in bytes. security.md section 4 "Output not taken by browser".
 * INVARIANT: ACK_EVERY_BYTES < LOW_WATER_BYTES < HIGH_WATER_BYTES <= MAX_UNACKED_BYTES, or the stream can stall.
 */
export const MAX_UNACKED_BYTES = 1024 * 1024;
/** At this many bytes sent and not acknowledged the target is paused. Leaves room for what is already on its way. */
export const HIGH_WATER_BYTES = 768 * 1024;
/** Below this the target is resumed. */
export const LOW_WATER_BYTES = 256 * 1024;
/** The page acknowledges at least this often, from xterm's write callback. */
export const ACK_EVERY_BYTES = 64 * 1024;
/** Largest binary frame either side sends. */
export const MAX_FRAME_BYTES = 64 * 1024;
/** Terminal bytes of one output or echo frame: the head of an echo, kind and line id, is the longer one. */
export const MAX_FRAME_OUTPUT_BYTES = MAX_FRAME_BYTES - 5;
/** Largest control message (JSON text) either side sends. */
export const MAX_CONTROL_BYTES = 16 * 1024;
/** A submitted text is joined from parts up to this size. line-editor.md section 1. */
export const MAX_SUBMIT_BYTES = 1024 * 1024;
