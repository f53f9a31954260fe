import { NS, SHELL_ACTION } from '../soap/namespaces.ts';
import { element, textElement } from '../xml/writer.ts';
import { actions, idAttribute, required, requiredText } from './operation.ts';
import type { Operation } from './operation.ts';

const SECTION = 'MS-WSMV 3.1.4.12 Signal';

/**
 * The codes as PowerShell endpoints take them. Every other text, `powershell/signal/ctrl_c` and the `signal/ctrl_c` of
 * text shells among them, closes the command and no Stopped state comes.
 */
export const SIGNAL = {
  /** Stops the pipeline; Stopped comes through Receive. The letters are in this order on the wire. */
  stop: 'powershell/signal/crtl_c',
  /** Frees a command that has ended or is not wanted; due after every pipeline, else the quota of commands fills. */
  terminate: 'http://schemas.microsoft.com/wbem/wsman/1/windows/shell/signal/terminate',
} as const;

/** A signal to a command, or to the shell. */
export interface SignalRequest {
  /** null = the shell. */
  readonly commandId: string | null;
  readonly signalCode: string;
}

/** Server role: what a code does. */
export const signalEffect = (signalCode: string): 'stop' | 'close' => (signalCode === SIGNAL.stop ? 'stop' : 'close');

/** Signal, client -> server. [MS-WSMV] 3.1.4.12 Signal; [MS-PSRP] 3.1.5.3.9 Rules for the wxf:Signal Message. */
export const signal: Operation<SignalRequest, null> = {
  name: 'Signal',
  section: SECTION,
  ...actions(`${SHELL_ACTION}Signal`),
  prefixes: ['rsp'],

  encodeRequest({ commandId, signalCode }) {
    const attributes = [['CommandId', commandId?.toUpperCase() ?? null]] as const;
    return { body: element('rsp:Signal', textElement('rsp:Code', signalCode), attributes) };
  },
  decodeRequest(body) {
    const sent = required(body, NS.rsp, 'Signal', SECTION);
    return { commandId: idAttribute(sent, 'CommandId'), signalCode: requiredText(sent, NS.rsp, 'Code', SECTION) };
  },
  encodeResponse: () => element('rsp:SignalResponse', ''),
  decodeResponse: () => null,
};
