import { array, bag, withTypes } from '../clixml/build.ts';
import { PropertySet } from '../clixml/properties.ts';
import { displayText } from '../clixml/display.ts';
import { listItems, PsObject, toText } from '../clixml/object.ts';
import type { PsValue } from '../clixml/object.ts';
import { integer } from '../clixml/primitives.ts';
import { PsDateTime } from '../clixml/scalars.ts';

/** A debug, verbose or warning record. [MS-PSRP] 2.2.3.16 InformationalRecord. */
export class InformationalRecord {
  readonly object: PsObject;
  constructor(object: PsObject) {
    this.object = object;
  }
  get message(): string {
    return this.object.getString('InformationalRecord_Message') ?? this.object.text ?? '';
  }
  get positionMessage(): string | null {
    return this.object.getString('InvocationInfo_PositionMessage');
  }
}

const KINDS = { debug: 'DebugRecord', verbose: 'VerboseRecord', warning: 'WarningRecord' } as const;

/** A new debug, verbose or warning record. */
export function encodeInformational(kind: keyof typeof KINDS, message: string): PsObject {
  const types = [
    `System.Management.Automation.${KINDS[kind]}`,
    'System.Management.Automation.InformationalRecord',
    'System.Object',
  ];
  return withTypes(
    bag({ InformationalRecord_Message: message, InformationalRecord_SerializeInvocationInfo: false }),
    types,
    message,
  );
}

/** An information record. [MS-PSRP] 2.2.2.26 INFORMATION_RECORD Message. */
export class InformationRecord {
  readonly object: PsObject;
  constructor(object: PsObject) {
    this.object = object;
  }
  get messageData(): PsValue {
    return this.object.get('MessageData') ?? null;
  }
  /** Text of the message data. */
  get message(): string {
    return displayText(this.messageData);
  }
  get tags(): readonly string[] {
    return (listItems(this.object.get('Tags')) ?? []).map((tag) => toText(tag) ?? '');
  }
  /** True for Write-Host: the same text comes as a host call when there is a host. */
  get isHostOutput(): boolean {
    return this.tags.includes('PSHOST');
  }
  get source(): string {
    return this.object.getString('Source') ?? '';
  }
  get user(): string {
    return this.object.getString('User') ?? '';
  }
  get computer(): string {
    return this.object.getString('Computer') ?? '';
  }
  get timeGenerated(): PsDateTime | null {
    const value = this.object.get('TimeGenerated');
    return value instanceof PsDateTime ? value : null;
  }
}

/** A new information record. */
export interface NewInformation {
  readonly messageData: PsValue;
  readonly source: string;
  readonly tags: readonly string[];
  readonly timeGenerated: PsDateTime;
  readonly user: string;
  readonly computer: string;
  readonly processId: number;
}

/** A new information record. */
export function encodeInformation(record: NewInformation): PsObject {
  return bag({
    MessageData: record.messageData,
    Source: record.source,
    TimeGenerated: record.timeGenerated,
    Tags: array(record.tags),
    User: record.user,
    Computer: record.computer,
    ProcessId: integer('U32', record.processId),
    NativeThreadId: integer('U32', 0),
    ManagedThreadId: integer('U32', 0),
  });
}

/** What Write-Host puts into MessageData. */
export function hostInformationMessage(
  message: string,
  noNewLine: boolean,
  colors: readonly [string, string],
): PsObject {
  const types = ['System.Management.Automation.HostInformationMessage', 'System.Object'];
  const object = withTypes(new PsObject(), types, message);
  object.adapted = PropertySet.of<PsValue>([
    ['Message', message],
    ['NoNewLine', noNewLine],
    ['ForegroundColor', colors[0]],
    ['BackgroundColor', colors[1]],
  ]);
  return object;
}
