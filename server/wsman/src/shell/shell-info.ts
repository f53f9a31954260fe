import { encodeDuration, parseDuration } from '../duration.ts';
import { malformed } from '../errors.ts';
import { NS } from '../soap/namespaces.ts';
import type { XmlElement } from '../xml/element.ts';
import { element, textElement } from '../xml/writer.ts';
import { requiredId } from './operation.ts';

const SECTION = 'MS-WSMV 2.2.4.38 Shell';
/** Names, addresses and URIs. */
const MAX_TEXT = 2048;

/** What a server tells of a shell. [MS-WSMV] 2.2.4.38 Shell. Fields it left out are null. */
export interface ShellInfo {
  readonly shellId: string;
  readonly name: string | null;
  readonly resourceUri: string | null;
  /** `MACHINE\user`, `DOMAIN\user` or plain `user`. */
  readonly owner: string | null;
  readonly clientIp: string | null;
  readonly processId: number | null;
  readonly idleTimeoutMs: number | null;
  readonly maxIdleTimeoutMs: number | null;
  readonly inputStreams: string | null;
  readonly outputStreams: string | null;
  readonly locale: string | null;
  readonly dataLocale: string | null;
  readonly compressionMode: string | null;
  /** `Yes` or `No`. */
  readonly profileLoaded: string | null;
  readonly encoding: string | null;
  /** `Block`, `Drop` or `None`; there only when the server can disconnect. */
  readonly bufferMode: string | null;
  /** `Connected` or `Disconnected`; there only when the server can disconnect. */
  readonly state: string | null;
  readonly runTimeMs: number | null;
  readonly inactivityMs: number | null;
  /** For example `51MB`. */
  readonly memoryUsed: string | null;
  readonly childProcesses: number | null;
}

const durationOf = (shell: XmlElement, name: string): number | null => {
  const text = shell.textOf(NS.rsp, name);
  return text === null ? null : parseDuration(text);
};
const numberOf = (shell: XmlElement, name: string): number | null => {
  const text = shell.textOf(NS.rsp, name) ?? '';
  return /^[0-9]{1,10}$/.test(text) ? Number(text) : null;
};

/** @throws WsManProtocolError when there is no ShellId */
export function decodeShellInfo(shell: XmlElement): ShellInfo {
  const text = (name: string): string | null => {
    const found = shell.textOf(NS.rsp, name);
    return found !== null && found.length > MAX_TEXT ? malformed(`${name} of a shell is too long`, SECTION) : found;
  };
  return {
    shellId: requiredId(shell, 'ShellId', SECTION),
    name: text('Name'),
    resourceUri: text('ResourceUri'),
    owner: text('Owner'),
    clientIp: text('ClientIP'),
    processId: numberOf(shell, 'ProcessId'),
    idleTimeoutMs: durationOf(shell, 'IdleTimeOut'),
    maxIdleTimeoutMs: durationOf(shell, 'MaxIdleTimeOut'),
    inputStreams: text('InputStreams'),
    outputStreams: text('OutputStreams'),
    locale: text('Locale'),
    dataLocale: text('DataLocale'),
    compressionMode: text('CompressionMode'),
    profileLoaded: text('ProfileLoaded'),
    encoding: text('Encoding'),
    bufferMode: text('BufferMode'),
    state: text('State'),
    runTimeMs: durationOf(shell, 'ShellRunTime'),
    inactivityMs: durationOf(shell, 'ShellInactivity'),
    memoryUsed: text('MemoryUsed'),
    childProcesses: numberOf(shell, 'ChildProcesses'),
  };
}

/** `P0DT0H1M2S`, the form that Windows has for times that pass. */
function passed(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  return `P${Math.floor(hours / 24)}DT${hours % 24}H${minutes % 60}M${seconds % 60}S`;
}

/** Server role; the order of the elements is that of Windows. */
export function encodeShellInfo(shell: ShellInfo): string {
  const text = (name: string, value: string | number | null): string =>
    value === null ? '' : textElement(`rsp:${name}`, String(value));
  const duration = (name: string, ms: number | null): string => text(name, ms === null ? null : encodeDuration(ms));
  return element(
    'rsp:Shell',
    [
      text('ShellId', shell.shellId),
      text('Name', shell.name),
      text('ResourceUri', shell.resourceUri),
      text('Owner', shell.owner),
      text('ClientIP', shell.clientIp),
      text('ProcessId', shell.processId),
      duration('IdleTimeOut', shell.idleTimeoutMs),
      text('InputStreams', shell.inputStreams),
      text('OutputStreams', shell.outputStreams),
      duration('MaxIdleTimeOut', shell.maxIdleTimeoutMs),
      text('Locale', shell.locale),
      text('DataLocale', shell.dataLocale),
      text('CompressionMode', shell.compressionMode),
      text('ProfileLoaded', shell.profileLoaded),
      text('Encoding', shell.encoding),
      text('BufferMode', shell.bufferMode),
      text('State', shell.state),
      text('ShellRunTime', shell.runTimeMs === null ? null : passed(shell.runTimeMs)),
      text('ShellInactivity', shell.inactivityMs === null ? null : passed(shell.inactivityMs)),
      text('MemoryUsed', shell.memoryUsed),
      text('ChildProcesses', shell.childProcesses),
    ].join(''),
  );
}
