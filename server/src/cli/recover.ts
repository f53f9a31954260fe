import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { requestRecovery, requireOwner } from '../app/recovery.ts';
import { openAuditLog } from '../audit/log.ts';
import { openFrontDoor } from '../config/front-door.ts';
import { parseListen } from '../config/addresses.ts';
import type { Config } from '../config/settings.ts';
import { SallyportError, codeOf } from '../errors.ts';
import { recoverAdministrator } from '../identity/recover.ts';
import type { Storage } from '../storage/contract.ts';
import { openStorage } from '../storage/sqlite/open.ts';
import type { CliIo } from './command.ts';

/** The data directory, or null when a running gateway holds it. */
async function openStopped(file: string): Promise<Storage | null> {
  try {
    return await openStorage({ file });
  } catch (error) {
    if (codeOf(error) === 'data_locked') return null;
    throw error;
  }
}

async function whileStopped(storage: Storage, config: Config): Promise<string> {
  try {
    const audit = await openAuditLog({
      storage,
      keyDirectory: path.join(config.dataDir, 'keys'),
      spoolFile: path.join(config.dataDir, 'spool', 'audit.jsonl'),
    });
    try {
      return await recoverAdministrator(storage, audit);
    } finally {
      await audit.close();
    }
  } finally {
    await storage.close();
  }
}

/**
 * `user recover`: prints a one-time administrator link, with the gateway stopped or running.
 * @throws SallyportError not_found (no database there), forbidden, audit_unavailable, dependency_unavailable
 */
export async function recover(config: Config, json: boolean, io: CliIo): Promise<number> {
  const { dataDir } = config;
  const file = path.join(dataDir, 'sallyport.db');
  if (!existsSync(file)) throw new SallyportError('not_found', `there is no database in ${dataDir}`);
  requireOwner(dataDir);
  const storage = await openStopped(file);
  const isRunning = storage === null;
  const link = isRunning
    ? await requestRecovery(dataDir, (ms) => setTimeout(ms))
    : `${openFrontDoor(config, parseListen(config.listen)?.port ?? 0).publicUrl}/setup#${await whileStopped(storage, config)}`;
  if (json) io.out(`${JSON.stringify({ link, gateway: isRunning ? 'running' : 'stopped', minutes: 60 })}\n`);
  else {
    io.out(`${link}\n`);
    io.err(
      isRunning
        ? 'It makes one administrator, once, within an hour.\n'
        : 'It makes one administrator, once, within an hour after the gateway is started; put the address that `serve` prints before /setup when it is another.\n',
    );
  }
  return 0;
}
