import { bag, enumValue } from '../clixml/build.ts';
import type { PsObject } from '../clixml/object.ts';

/** How far an activity is. [MS-PSRP] 2.2.2.25 PROGRESS_RECORD Message. */
export interface ProgressRecord {
  readonly activity: string;
  readonly activityId: number;
  readonly statusDescription: string;
  readonly currentOperation: string | null;
  /** -1 = a root. */
  readonly parentActivityId: number;
  /** 0 to 100; -1 = not known. */
  readonly percentComplete: number;
  /** -1 = not known. */
  readonly secondsRemaining: number;
  readonly isCompleted: boolean;
}

/** Reads the bag; what is missing gets the value that PowerShell starts with. */
export function decodeProgress(object: PsObject): ProgressRecord {
  return {
    activity: object.getString('Activity') ?? '',
    activityId: object.getNumber('ActivityId') ?? 0,
    statusDescription: object.getString('StatusDescription') ?? '',
    currentOperation: object.getString('CurrentOperation'),
    parentActivityId: object.getNumber('ParentActivityId') ?? -1,
    percentComplete: object.getNumber('PercentComplete') ?? -1,
    secondsRemaining: object.getNumber('SecondsRemaining') ?? -1,
    isCompleted: object.getNumber('Type') === 1 || object.getString('Type') === 'Completed',
  };
}

/** Writes the bag. An empty activity becomes one space, which receivers demand. */
export function encodeProgress(record: ProgressRecord): PsObject {
  return bag({
    Activity: record.activity === '' ? ' ' : record.activity,
    ActivityId: record.activityId,
    StatusDescription: record.statusDescription === '' ? ' ' : record.statusDescription,
    CurrentOperation: record.currentOperation,
    ParentActivityId: record.parentActivityId,
    PercentComplete: record.percentComplete,
    Type: enumValue(
      'System.Management.Automation.ProgressRecordType',
      record.isCompleted ? 'Completed' : 'Processing',
      record.isCompleted ? 1 : 0,
    ),
    SecondsRemaining: record.secondsRemaining,
  });
}
