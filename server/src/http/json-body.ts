/** Our own JSON, read strictly: UTF-8, bounded depth, no keys that could reach a prototype. security.md section 2, rule 2. */
import { SallyportError } from '../errors.ts';

/** Depth of a body; a plain object is depth 1. security.md section 4 "REST body". */
export const MAX_BODY_DEPTH = 16;
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

const bad = (message: string, cause?: unknown) => new SallyportError('bad_request', message, { cause });

/** Walks without recursion, so that no nesting can exhaust the stack. */
function checkShape(root: unknown, maxDepth: number): void {
  const todo: { value: unknown; depth: number }[] = [{ value: root, depth: 1 }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { value, depth } = next;
    if (typeof value !== 'object' || value === null) continue;
    if (depth > maxDepth) throw bad(`json is nested deeper than ${maxDepth}`);
    for (const key of Object.keys(value)) if (FORBIDDEN_KEYS.has(key)) throw bad('json has a forbidden key');
    for (const child of Object.values(value)) todo.push({ value: child, depth: depth + 1 });
  }
}

/** @throws SallyportError bad_request */
export function parseStrictJson(bytes: Uint8Array, maxDepth = MAX_BODY_DEPTH): unknown {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw bad('body is not json in utf-8', error);
  }
  checkShape(value, maxDepth);
  return value;
}
