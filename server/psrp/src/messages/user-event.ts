import { bag, list } from '../clixml/build.ts';
import { listItems } from '../clixml/object.ts';
import type { PsValue } from '../clixml/object.ts';
import { asBag, needNumber, needText, optionalText } from './codec.ts';
import type { MessageCodec } from './codec.ts';

/** An event that was forwarded, or a notice of the debugger. */
export interface UserEvent {
  readonly eventIdentifier: number;
  readonly sourceIdentifier: string;
  /** A PsDateTime. */
  readonly timeGenerated: PsValue;
  readonly sender: PsValue;
  readonly sourceArgs: readonly PsValue[];
  readonly messageData: PsValue;
  readonly computerName: string | null;
  /** A PsGuid. */
  readonly runspaceId: PsValue;
}

/** USER_EVENT, server -> client. [MS-PSRP] 2.2.2.12 USER_EVENT Message. */
export const userEvent: MessageCodec<'USER_EVENT', UserEvent> = {
  name: 'USER_EVENT',
  type: 0x00021008,
  direction: 's2c',
  target: 'pool',
  encode: (content) =>
    bag({
      'PSEventArgs.EventIdentifier': content.eventIdentifier,
      'PSEventArgs.SourceIdentifier': content.sourceIdentifier,
      'PSEventArgs.TimeGenerated': content.timeGenerated,
      'PSEventArgs.Sender': content.sender,
      'PSEventArgs.SourceArgs': list(content.sourceArgs),
      'PSEventArgs.MessageData': content.messageData,
      'PSEventArgs.ComputerName': content.computerName,
      'PSEventArgs.RunspaceId': content.runspaceId,
    }),
  decode: (body) => {
    const object = asBag(body, 'USER_EVENT');
    return {
      eventIdentifier: needNumber(object, 'PSEventArgs.EventIdentifier'),
      sourceIdentifier: needText(object, 'PSEventArgs.SourceIdentifier'),
      timeGenerated: object.get('PSEventArgs.TimeGenerated') ?? null,
      sender: object.get('PSEventArgs.Sender') ?? null,
      sourceArgs: listItems(object.get('PSEventArgs.SourceArgs')) ?? [],
      messageData: object.get('PSEventArgs.MessageData') ?? null,
      computerName: optionalText(object, 'PSEventArgs.ComputerName'),
      runspaceId: object.get('PSEventArgs.RunspaceId') ?? null,
    };
  },
};
