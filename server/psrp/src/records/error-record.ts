import { bag, withTypes } from '../clixml/build.ts';
import { PropertySet } from '../clixml/properties.ts';
import { PsObject } from '../clixml/object.ts';
import type { PsValue } from '../clixml/object.ts';

/** Names of System.Management.Automation.ErrorCategory by number. */
export const ERROR_CATEGORIES = [
  'NotSpecified',
  'OpenError',
  'CloseError',
  'DeviceError',
  'DeadlockDetected',
  'InvalidArgument',
  'InvalidData',
  'InvalidOperation',
  'InvalidResult',
  'InvalidType',
  'MetadataError',
  'NotImplemented',
  'NotInstalled',
  'ObjectNotFound',
  'OperationStopped',
  'OperationTimeout',
  'SyntaxError',
  'ParserError',
  'PermissionDenied',
  'ResourceBusy',
  'ResourceExists',
  'ResourceUnavailable',
  'ReadError',
  'WriteError',
  'FromStdErr',
  'SecurityError',
  'ProtocolError',
  'ConnectionError',
  'AuthenticationError',
  'LimitsExceeded',
  'QuotaExceeded',
  'NotEnabled',
] as const;

/** A typed look at an error record; properties are read when asked for. [MS-PSRP] 2.2.3.15 ErrorRecord. */
export class ErrorRecord {
  readonly object: PsObject;
  constructor(object: PsObject) {
    this.object = object;
  }
  get #exception(): PsObject | null {
    return this.object.getObject('Exception');
  }
  /** What to show: the details' message, else the exception's, else the category's, else ToString. */
  get message(): string {
    return (
      this.object.getString('ErrorDetails_Message') ??
      this.#exception?.getString('Message') ??
      this.#categoryText ??
      this.object.text ??
      ''
    );
  }
  get #categoryText(): string | null {
    const text = this.object.getString('ErrorCategory_Message');
    return text === '' ? null : text;
  }
  /** Type name of the exception; empty when there is none. */
  get exceptionType(): string {
    return this.#exception?.typeName ?? '';
  }
  get fullyQualifiedErrorId(): string {
    return this.object.getString('FullyQualifiedErrorId') ?? '';
  }
  /** Number of the category, 0 to 31. */
  get category(): number {
    return this.object.getNumber('ErrorCategory_Category') ?? 0;
  }
  get categoryName(): string {
    return ERROR_CATEGORIES[this.category] ?? this.category.toString();
  }
  get activity(): string {
    return this.object.getString('ErrorCategory_Activity') ?? '';
  }
  /** For example `IncompleteParseException`: the line wants more text. */
  get reason(): string {
    return this.object.getString('ErrorCategory_Reason') ?? '';
  }
  get targetName(): string {
    return this.object.getString('ErrorCategory_TargetName') ?? '';
  }
  get targetType(): string {
    return this.object.getString('ErrorCategory_TargetType') ?? '';
  }
  get categoryMessage(): string {
    return this.object.getString('ErrorCategory_Message') ?? '';
  }
  get targetObject(): PsValue {
    return this.object.get('TargetObject') ?? null;
  }
  get recommendedAction(): string | null {
    return this.object.getString('ErrorDetails_RecommendedAction');
  }
  get scriptStackTrace(): string | null {
    return this.object.getString('ErrorDetails_ScriptStackTrace');
  }
  /** Where in the script; null when the position was not asked for. */
  get positionMessage(): string | null {
    return (
      this.object.getString('InvocationInfo_PositionMessage') ??
      this.object.getObject('InvocationInfo')?.getString('PositionMessage') ??
      null
    );
  }
  get line(): number | null {
    return this.object.getNumber('InvocationInfo_ScriptLineNumber');
  }
}

/** The error record inside a value, merged streams included; null when it is none. */
export function asErrorRecord(value: PsValue): ErrorRecord | null {
  return value instanceof PsObject && value.isOfType('System.Management.Automation.ErrorRecord')
    ? new ErrorRecord(value)
    : null;
}

/** What a new error record says. */
export interface NewError {
  readonly message: string;
  readonly fullyQualifiedErrorId?: string;
  /** Number of ERROR_CATEGORIES. */
  readonly category?: number;
  /** Short name of the exception, shown as reason. */
  readonly reason?: string;
  /** Full type names of the exception, most derived first. */
  readonly exceptionTypes?: readonly string[];
  readonly activity?: string;
  readonly targetObject?: PsValue;
  readonly targetName?: string;
  readonly targetType?: string;
}

const RECORD_TYPES = ['System.Management.Automation.ErrorRecord', 'System.Object'];

function newException(error: NewError): PsObject {
  const types = error.exceptionTypes ?? ['System.Management.Automation.RuntimeException', 'System.Exception'];
  const exception = withTypes(new PsObject(), [...types, 'System.Object'], `${types[0] ?? ''}: ${error.message}`);
  exception.adapted = PropertySet.of<PsValue>([
    ['Message', error.message],
    ['StackTrace', null],
    ['InnerException', null],
    ['HResult', -2146233087],
  ]);
  return exception;
}

/** An error record with every property that a Microsoft client demands. */
export function encodeError(error: NewError): PsObject {
  const category = error.category ?? 0;
  const reason = error.reason ?? 'RuntimeException';
  const name = ERROR_CATEGORIES[category] ?? 'NotSpecified';
  const target = error.targetName ?? '';
  const about = target === '' ? ':) ' : `${target}:${error.targetType ?? 'String'}) `;
  return withTypes(
    bag({
      Exception: newException(error),
      TargetObject: error.targetObject ?? null,
      FullyQualifiedErrorId: error.fullyQualifiedErrorId ?? reason,
      InvocationInfo: null,
      ErrorCategory_Category: category,
      ErrorCategory_Activity: error.activity ?? '',
      ErrorCategory_Reason: reason,
      ErrorCategory_TargetName: target,
      ErrorCategory_TargetType: error.targetType ?? '',
      ErrorCategory_Message: `${name}: (${about}[${error.activity ?? ''}], ${reason}`,
      SerializeExtendedInfo: false,
    }),
    RECORD_TYPES,
    error.message,
  );
}
