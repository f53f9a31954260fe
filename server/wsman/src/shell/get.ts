import { NS, TRANSFER_ACTION } from '../soap/namespaces.ts';
import { element, textElement } from '../xml/writer.ts';
import { actions, required } from './operation.ts';
import type { Operation } from './operation.ts';
import { decodeShellInfo, encodeShellInfo } from './shell-info.ts';
import type { ShellInfo } from './shell-info.ts';

const get = {
  name: 'Get',
  section: 'MS-WSMV 3.1.4.2 Get',
  ...actions(`${TRANSFER_ACTION}Get`),
  encodeRequest: () => ({ body: '' }),
  decodeRequest: () => null,
} as const;

/**
 * Get on `SHELL_RESOURCE` with the shell's selector: does it live, and in which state? A cheap answer to a fault
 * 2150858843, which means a lost shell or but a lost command. [MS-WSMV] 3.1.4.2 Get.
 */
export const getShell: Operation<null, ShellInfo> = {
  ...get,
  prefixes: ['rsp'],
  encodeResponse: encodeShellInfo,
  decodeResponse: (body) => decodeShellInfo(required(body, NS.rsp, 'Shell', get.section)),
};

/** What we use of the service's configuration. */
export interface ServiceConfig {
  /** null when the server did not say. */
  readonly maxEnvelopeBytes: number | null;
  readonly maxTimeoutMs: number | null;
}

/** Get on `CONFIG_RESOURCE`, for administrators only. [MS-WSMV] 2.2.4.10 ConfigType. */
export const getConfig: Operation<null, ServiceConfig> = {
  ...get,
  prefixes: ['cfg'],
  encodeResponse({ maxEnvelopeBytes, maxTimeoutMs }) {
    const size = maxEnvelopeBytes === null ? '' : textElement('cfg:MaxEnvelopeSizekb', String(maxEnvelopeBytes / 1024));
    const timeout = maxTimeoutMs === null ? '' : textElement('cfg:MaxTimeoutms', String(maxTimeoutMs));
    return element('cfg:Config', size + timeout);
  },
  decodeResponse(body) {
    const config = required(body, NS.cfg, 'Config', get.section);
    const number = (name: string): number | null => {
      const text = config.textOf(NS.cfg, name) ?? '';
      return /^[0-9]{1,10}$/.test(text) ? Number(text) : null;
    };
    const kilobytes = number('MaxEnvelopeSizekb');
    return { maxEnvelopeBytes: kilobytes === null ? null : kilobytes * 1024, maxTimeoutMs: number('MaxTimeoutms') };
  },
};
