/**
 * A stop of the target's debugger. This console has none and never asks for stops; a script that asks for them itself
 * would wait for ever, so it is continued and the person is told. interactive.md 12.
 */
import { enumValue } from '@sallyport/psrp';
import type { ClientEvent, PipelineCommand } from '@sallyport/psrp';

/** True when what runs has stopped in the debugger. */
export const isDebuggerStop = (event: ClientEvent): boolean =>
  event.type === 'userEvent' && event.sourceIdentifier === 'PSInternalRemoteDebuggerStopEvent';

/** To run nested, while the stopped pipeline waits. */
export const CONTINUE: readonly PipelineCommand[] = [
  {
    command: '__Set-PSDebuggerAction',
    parameters: [
      {
        name: 'ResumeAction',
        value: enumValue('System.Management.Automation.DebuggerResumeAction', 'Continue', 0),
      },
    ],
  },
];
export const DEBUGGER_NOTICE =
  'The script stopped in the debugger of the target. This console has no debugger: the script was continued.';
