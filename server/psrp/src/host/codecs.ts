import { bag, dictionary, list, withTypes } from '../clixml/build.ts';
import { listItems, PsObject, toBigInt, toBoolean, toDictionary, toNumber, toText } from '../clixml/object.ts';
import type { PsValue } from '../clixml/object.ts';
import { PropertySet } from '../clixml/properties.ts';
import { PsChar, PsGuid, PsSecureString, PsVersion } from '../clixml/scalars.ts';
import { asBag, badContent, needBoolean, needNumber } from '../messages/codec.ts';
import { decodeCoordinates, decodeSize, encodeCoordinates, encodeSize } from '../messages/host-info.ts';
import type { Coordinates, Size } from '../messages/host-info.ts';
import { decodeProgress, encodeProgress } from '../records/progress-record.ts';
import type { ProgressRecord } from '../records/progress-record.ts';

/** How one parameter or result goes over the wire. [MS-PSRP] 2.2.3.17 Host Method Identifier, 2.2.6 Host Parameter Encoding. */
export interface HostCodec<T> {
  /** A value as it stands in a call or an answer. */
  encode(value: T): PsValue;
  /** @throws CliXmlError clixml_bad_value */
  decode(value: PsValue): T;
}

const must = <T>(value: T | null, what: string): T => value ?? badContent(`not a ${what}`);

export const text: HostCodec<string> = {
  encode: (value) => value,
  // Nil is what PowerShell makes of a null string.
  decode: (value) => (value === null ? '' : must(toText(value), 'text')),
};
export const textOrNull: HostCodec<string | null> = {
  encode: (value) => value,
  decode: (value) => (value === null ? null : must(toText(value), 'text')),
};
export const number: HostCodec<number> = {
  encode: (value) => value,
  decode: (value) => must(toNumber(value), 'number'),
};
export const long: HostCodec<bigint> = {
  encode: (value) => value,
  decode: (value) => must(toBigInt(value), 'long integer'),
};
export const flag: HostCodec<boolean> = {
  encode: (value) => value,
  decode: (value) => must(toBoolean(value), 'boolean'),
};
export const version: HostCodec<PsVersion> = {
  encode: (value) => value,
  decode: (value) => (value instanceof PsVersion ? value : badContent('not a version')),
};
export const guid: HostCodec<string> = {
  encode: (value) => new PsGuid(value),
  decode: (value) => (value instanceof PsGuid ? value.text : must(toText(value), 'guid')),
};
export const any: HostCodec<PsValue> = { encode: (value) => value, decode: (value) => value };
export const coordinates: HostCodec<Coordinates> = { encode: encodeCoordinates, decode: decodeCoordinates };
export const size: HostCodec<Size> = { encode: encodeSize, decode: decodeSize };
export const progress: HostCodec<ProgressRecord> = {
  encode: encodeProgress,
  decode: (value) => decodeProgress(asBag(value, 'a progress record')),
};

/** [MS-PSRP] 2.2.3.4 Rectangle... inclusive corners; all -1 = the whole buffer. */
export interface Rectangle {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}
export const rectangle: HostCodec<Rectangle> = {
  encode: ({ left, top, right, bottom }) => bag({ left, top, right, bottom }),
  decode: (value) => {
    const object = asBag(value, 'a rectangle');
    return {
      left: needNumber(object, 'left'),
      top: needNumber(object, 'top'),
      right: needNumber(object, 'right'),
      bottom: needNumber(object, 'bottom'),
    };
  },
};

/** One character of the screen buffer with its colours. */
export interface BufferCell {
  readonly character: string;
  readonly foreground: number;
  readonly background: number;
  /** 0 complete, 1 leading, 2 trailing. */
  readonly bufferCellType: number;
}

function character(object: PsObject, name: string): string {
  const value = object.get(name);
  if (value instanceof PsChar) return String.fromCharCode(value.code);
  return typeof value === 'string' ? value.slice(0, 1) : badContent(`${name} is no character`);
}

export const bufferCell: HostCodec<BufferCell> = {
  encode: (cell) =>
    bag({
      character: new PsChar(cell.character.charCodeAt(0) || 0),
      foregroundColor: cell.foreground,
      backgroundColor: cell.background,
      bufferCellType: cell.bufferCellType,
    }),
  decode: (value) => {
    const object = asBag(value, 'a buffer cell');
    return {
      character: character(object, 'character'),
      foreground: needNumber(object, 'foregroundColor'),
      background: needNumber(object, 'backgroundColor'),
      bufferCellType: needNumber(object, 'bufferCellType'),
    };
  },
};

/** An array with its lengths: `mae` elements row by row, `mal` lengths. [MS-PSRP] 2.2.6.1.4 Array. */
interface Shaped<T> {
  readonly lengths: readonly number[];
  readonly elements: readonly T[];
}

function encodeShaped<T>(codec: HostCodec<T>, value: Shaped<T>): PsObject {
  return bag({ mae: list(value.elements.map((each) => codec.encode(each))), mal: list(value.lengths) });
}

function decodeShaped<T>(codec: HostCodec<T>, value: PsValue): Shaped<T> {
  const object = asBag(value, 'an array');
  const elements = must(listItems(object.get('mae')), 'list of elements').map((each) => codec.decode(each));
  const lengths = must(listItems(object.get('mal')), 'list of lengths').map((each) => number.decode(each));
  const expected = lengths.reduce((product, each) => product * each, 1);
  if (expected !== elements.length) badContent('the lengths of an array do not fit its elements');
  return { lengths, elements };
}

/** A one-dimensional array; null stays null. */
export function arrayOrNull<T>(codec: HostCodec<T>): HostCodec<readonly T[] | null> {
  return {
    encode: (value) => (value === null ? null : encodeShaped(codec, { lengths: [value.length], elements: value })),
    decode: (value) => {
      if (value === null) return null;
      // A plain list is what some senders make of it.
      const plain = listItems(value);
      return plain === null ? decodeShaped(codec, value).elements : plain.map((each) => codec.decode(each));
    },
  };
}

/** Rows of cells. */
export const cellGrid: HostCodec<readonly (readonly BufferCell[])[]> = {
  encode: (rows) => {
    const width = rows[0]?.length ?? 0;
    if (rows.some((row) => row.length !== width)) badContent('rows of different widths');
    return encodeShaped(bufferCell, { lengths: [rows.length, width], elements: rows.flat() });
  },
  decode: (value) => {
    const { lengths, elements } = decodeShaped(bufferCell, value);
    const [rows = 0, width = 0] = lengths;
    if (lengths.length !== 2) badContent('a grid of cells that has not two dimensions');
    return Array.from({ length: rows }, (_, row) => elements.slice(row * width, (row + 1) * width));
  },
};

/** A collection. [MS-PSRP] 2.2.6.1.3 Collection. */
export function listOf<T>(codec: HostCodec<T>): HostCodec<readonly T[]> {
  return {
    encode: (value) => list(value.map((each) => codec.encode(each))),
    decode: (value) => must(listItems(value), 'list').map((each) => codec.decode(each)),
  };
}

/** A choice of PromptForChoice; the letter after `&` in the label is its key. */
export interface ChoiceDescription {
  readonly label: string;
  readonly helpMessage: string;
}
export const choice: HostCodec<ChoiceDescription> = {
  encode: ({ label, helpMessage }) => bag({ label, helpMessage }),
  decode: (value) => {
    const object = asBag(value, 'a choice');
    return { label: object.getString('label') ?? '', helpMessage: object.getString('helpMessage') ?? '' };
  },
};

/** One field of Prompt. */
export interface FieldDescription {
  readonly name: string;
  readonly label: string;
  /** For example `String`, `String[]`, `SecureString`, `PSCredential`. */
  readonly parameterTypeName: string;
  readonly parameterTypeFullName: string;
  readonly parameterAssemblyFullName: string;
  readonly helpMessage: string;
  readonly isMandatory: boolean;
  readonly defaultValue: PsValue;
}
export const field: HostCodec<FieldDescription> = {
  encode: (value) =>
    bag({
      name: value.name,
      label: value.label,
      parameterTypeName: value.parameterTypeName,
      parameterTypeFullName: value.parameterTypeFullName,
      parameterAssemblyFullName: value.parameterAssemblyFullName,
      helpMessage: value.helpMessage,
      isMandatory: value.isMandatory,
      metadata: list([]),
      modifiedByRemotingProtocol: false,
      isFromRemoteHost: false,
      defaultValue: value.defaultValue ?? undefined,
    }),
  decode: (value) => {
    const object = asBag(value, 'a field');
    const name = object.getString('name') ?? '';
    return {
      name,
      label: object.getString('label') ?? '',
      parameterTypeName: object.getString('parameterTypeName') ?? 'String',
      parameterTypeFullName: object.getString('parameterTypeFullName') ?? 'System.String',
      parameterAssemblyFullName: object.getString('parameterAssemblyFullName') ?? '',
      helpMessage: object.getString('helpMessage') ?? '',
      isMandatory: object.getBoolean('isMandatory') ?? false,
      defaultValue: object.get('defaultValue') ?? null,
    };
  },
};

/** Answers of Prompt by field name. */
export const answers: HostCodec<ReadonlyMap<string, PsValue>> = {
  encode: (value) => dictionary(value.entries()),
  decode: (value) => {
    const table = must(toDictionary(value), 'dictionary');
    const map = new Map<string, PsValue>();
    for (const [key, each] of table.entries()) map.set(must(toText(key), 'text'), each);
    return map;
  },
};

export const secureString: HostCodec<PsSecureString> = {
  encode: (value) => value,
  decode: (value) => (value instanceof PsSecureString ? value : badContent('not a secure string')),
};

/** A user name and a sealed password. */
export interface Credential {
  readonly userName: string;
  readonly password: PsSecureString;
}
const CREDENTIAL_TYPE = 'System.Management.Automation.PSCredential';

/** A credential to send, as an argument or as input of a pipeline. [MS-PSRP] 2.2.3.25 PSCredential. */
export function encodeCredential({ userName, password }: Credential): PsObject {
  const object = withTypes(new PsObject(), [CREDENTIAL_TYPE, 'System.Object'], CREDENTIAL_TYPE);
  object.adapted = PropertySet.of<PsValue>([
    ['UserName', userName],
    ['Password', password],
  ]);
  return object;
}

/** The credential inside a value, as in output; null when it is none. Its password stays sealed. */
export function asCredential(value: PsValue): Credential | null {
  if (!(value instanceof PsObject) || !value.isOfType(CREDENTIAL_TYPE)) return null;
  const userName = value.getString('UserName');
  const password = value.get('Password');
  return userName !== null && password instanceof PsSecureString ? { userName, password } : null;
}

/** A credential or null, which means that the person cancelled. [MS-PSRP] 2.2.3.25 PSCredential. */
export const credentialOrNull: HostCodec<Credential | null> = {
  encode: (value) => (value === null ? null : encodeCredential(value)),
  decode: (value) => {
    if (value === null) return null;
    const object = asBag(value, 'a credential');
    return {
      userName: must(object.getString('UserName'), 'user name'),
      password: secureString.decode(object.get('Password') ?? null),
    };
  },
};

/** A key that was pressed or released. [MS-PSRP] 2.2.3.26 KeyInfo. */
export interface KeyInfo {
  readonly virtualKeyCode: number;
  /** One UTF-16 unit; empty for keys without character. */
  readonly character: string;
  /** Flags: RightAlt 1, LeftAlt 2, RightCtrl 4, LeftCtrl 8, Shift 16 ... */
  readonly controlKeyState: number;
  readonly keyDown: boolean;
}
export const keyInfo: HostCodec<KeyInfo> = {
  encode: (key) =>
    bag({
      virtualKeyCode: key.virtualKeyCode,
      character: new PsChar(key.character.charCodeAt(0) || 0),
      controlKeyState: key.controlKeyState,
      keyDown: key.keyDown,
    }),
  decode: (value) => {
    const object = asBag(value, 'a key');
    const letter = character(object, 'character');
    return {
      virtualKeyCode: needNumber(object, 'virtualKeyCode'),
      character: letter === '\0' ? '' : letter,
      controlKeyState: needNumber(object, 'controlKeyState'),
      keyDown: needBoolean(object, 'keyDown'),
    };
  },
};
