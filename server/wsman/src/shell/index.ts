import { command } from './command.ts';
import { connect } from './connect.ts';
import { create } from './create.ts';
import { deleteShell } from './delete.ts';
import { disconnect } from './disconnect.ts';
import { enumerate } from './enumerate.ts';
import { getConfig, getShell } from './get.ts';
import { pull } from './pull.ts';
import { receive } from './receive.ts';
import { reconnect } from './reconnect.ts';
import { send } from './send.ts';
import { signal } from './signal.ts';

/** Every operation with a common header; Identify has none and stands apart. Both Gets have one action. */
export const OPERATIONS = {
  create,
  command,
  send,
  receive,
  signal,
  deleteShell,
  disconnect,
  reconnect,
  connect,
  enumerate,
  pull,
  getShell,
  getConfig,
} as const;

/** A key of `OPERATIONS`. */
export type OperationName = keyof typeof OPERATIONS;
