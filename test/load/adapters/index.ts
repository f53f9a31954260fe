import type { Adapter } from '../channel.ts';
import { direct } from './direct.ts';
import { minimal } from './minimal.ts';
import { ours } from './ours.ts';
import { webssh2 } from './webssh2.ts';

/** All that can run here; WebSSH2 only when BENCH_WEBSSH2 names it. The baselines come first. */
export function allAdapters(): readonly Adapter[] {
  const peer = webssh2();
  return [direct, minimal, ours, ...(peer === null ? [] : [peer])];
}

/** @throws Error when there is none of that name */
export function adapterNamed(name: string): Adapter {
  const found = allAdapters().find((adapter) => adapter.name === name);
  if (found === undefined) throw new Error(`no adapter ${name}`);
  return found;
}
