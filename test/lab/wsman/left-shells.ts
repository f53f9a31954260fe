/** Leaving shells of the lab and coming back to them: Disconnect, Reconnect, Connect, Enumerate, Get. */
import { COMMAND_RESOURCE, OPERATIONS as O, writeAnswer } from '@sallyport/wsman';
import type { AnswerIds, ReceivedRequest } from '@sallyport/wsman';
import type { LabShell } from './shell.ts';

/** What answers need to know of the service. */
export interface LeftShellsPort {
  readonly shells: ReadonlyMap<string, LabShell>;
  readonly resourceUri: string;
  /** From Windows 8 and Server 2012 on. */
  readonly canDisconnect: boolean;
  /** @throws when there is none */
  shellOf(received: ReceivedRequest): LabShell;
  refuse(why: 'inUse' | 'shellNotFound' | 'notSupported' | 'badState'): never;
}

/** @returns null for another operation */
export function answerOfLeft(
  name: string,
  received: ReceivedRequest,
  ids: AnswerIds,
  user: string,
  port: LeftShellsPort,
): string | null {
  const { body, header } = received;
  const isHolder = (shell: LabShell): boolean => shell.sessionId === (header.sessionId ?? '');
  if (!port.canDisconnect && ['Disconnect', 'Reconnect', 'Connect'].includes(name)) return port.refuse('notSupported');
  switch (name) {
    case 'Disconnect': {
      const shell = port.shellOf(received);
      if (!isHolder(shell)) return port.refuse('inUse');
      const { idleTimeoutMs, bufferMode } = O.disconnect.decodeRequest(body, header.options);
      shell.disconnect(idleTimeoutMs, bufferMode);
      return writeAnswer(O.disconnect, ids, null);
    }
    case 'Reconnect': {
      const shell = port.shellOf(received);
      if (!isHolder(shell)) return port.refuse('inUse');
      shell.reconnect();
      return writeAnswer(O.reconnect, ids, null);
    }
    case 'Connect':
      return connect(received, ids, port);
    case 'Enumerate': {
      const { commandsOf } = O.enumerate.decodeRequest(body, header.options);
      const isCommands = header.resourceUri === COMMAND_RESOURCE;
      const commands = isCommands ? (port.shells.get(commandsOf ?? '')?.list() ?? port.refuse('shellNotFound')) : [];
      const own = [...port.shells.values()].filter((shell) => !isCommands && shell.owner === user);
      const shells = own.map((shell) => shell.info(port.resourceUri));
      return writeAnswer(O.enumerate, ids, { shells, commands, context: null });
    }
    case 'Get': {
      const id = header.selectors.find((each) => each.name === 'ShellId')?.value.toUpperCase() ?? '';
      const shell = port.shells.get(id) ?? port.refuse('shellNotFound');
      const info = shell.info(port.resourceUri);
      return writeAnswer(O.getShell, ids, port.canDisconnect ? info : { ...info, state: null, bufferMode: null });
    }
    default:
      return null;
  }
}

function connect(received: ReceivedRequest, ids: AnswerIds, port: LeftShellsPort): string {
  const { body, header } = received;
  const request = O.connect.decodeRequest(body, header.options);
  const shell = port.shellOf(received);
  if (request.commandId !== null) {
    if (shell.state !== 'Connected') return port.refuse('badState');
    if (!shell.has(request.commandId)) return port.refuse('shellNotFound');
    return writeAnswer(O.connect, ids, { connectResponseXml: null, inputStreams: null, outputStreams: null });
  }
  if (shell.state !== 'Disconnected') return port.refuse('inUse');
  const connectResponseXml = shell.connect(header.sessionId ?? '');
  return writeAnswer(O.connect, ids, { connectResponseXml, inputStreams: 'stdin pr', outputStreams: 'stdout' });
}
