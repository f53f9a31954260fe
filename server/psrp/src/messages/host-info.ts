import { bag, dictionary } from '../clixml/build.ts';
import { PsObject, toDictionary, toNumber, toText } from '../clixml/object.ts';
import type { PsValue } from '../clixml/object.ts';
import { asBag, badContent, needBoolean, needNumber } from './codec.ts';

/** A place on the screen, from 0. */
export interface Coordinates {
  readonly x: number;
  readonly y: number;
}
/** A size in characters. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** What a server answers raw-UI getters from; it never asks for them again. [MS-PSRP] 2.2.3.14 HostInfo. */
export interface HostDefaultData {
  readonly foregroundColor: number;
  readonly backgroundColor: number;
  readonly cursorPosition: Coordinates;
  readonly windowPosition: Coordinates;
  readonly cursorSize: number;
  readonly bufferSize: Size;
  readonly windowSize: Size;
  readonly maxWindowSize: Size;
  readonly maxPhysicalWindowSize: Size;
  readonly windowTitle: string;
}

/** The host that a pool or a pipeline gets. [MS-PSRP] 2.2.3.14 HostInfo. */
export interface HostInfo {
  readonly isHostNull: boolean;
  readonly isHostUiNull: boolean;
  readonly isHostRawUiNull: boolean;
  readonly useRunspaceHost: boolean;
  /** Present when the raw UI is not null; a peer may leave keys out. */
  readonly defaultData: Partial<HostDefaultData> | null;
}

/** "As the pool has it": for pipelines. */
export const RUNSPACE_HOST: HostInfo = {
  isHostNull: true,
  isHostUiNull: true,
  isHostRawUiNull: true,
  useRunspaceHost: true,
  defaultData: null,
};

/** No host at all: host calls do not happen. */
export const NULL_HOST: HostInfo = { ...RUNSPACE_HOST, useRunspaceHost: false };

/** What a console of a given size says; colours are Gray on Black. */
export function consoleHostInfo(console: {
  readonly cols: number;
  readonly rows: number;
  readonly title?: string;
  readonly bufferRows?: number;
}): HostInfo {
  const size = { width: console.cols, height: console.rows };
  return {
    isHostNull: false,
    isHostUiNull: false,
    isHostRawUiNull: false,
    useRunspaceHost: false,
    defaultData: {
      foregroundColor: 7,
      backgroundColor: 0,
      cursorPosition: { x: 0, y: 0 },
      windowPosition: { x: 0, y: 0 },
      cursorSize: 25,
      bufferSize: { width: console.cols, height: console.bufferRows ?? console.rows },
      windowSize: size,
      maxWindowSize: size,
      maxPhysicalWindowSize: size,
      windowTitle: console.title ?? '',
    },
  };
}

/** Coordinates as a bag. [MS-PSRP] 2.2.3.1 Coordinates. */
export const encodeCoordinates = (value: Coordinates): PsObject => bag({ x: value.x, y: value.y });
export function decodeCoordinates(value: PsValue): Coordinates {
  const object = asBag(value, 'coordinates');
  return { x: needNumber(object, 'x'), y: needNumber(object, 'y') };
}
/** A size as a bag. [MS-PSRP] 2.2.3.2 Size. */
export const encodeSize = (value: Size): PsObject => bag({ width: value.width, height: value.height });
export function decodeSize(value: PsValue): Size {
  const object = asBag(value, 'a size');
  return { width: needNumber(object, 'width'), height: needNumber(object, 'height') };
}
const number = (value: PsValue): number => toNumber(value) ?? badContent('a number of the host is none');
const text = (value: PsValue): string => toText(value) ?? '';

interface Entry<K extends keyof HostDefaultData> {
  readonly key: K;
  readonly type: string;
  encode(value: HostDefaultData[K]): PsValue;
  decode(value: PsValue): HostDefaultData[K];
}
const entry = <K extends keyof HostDefaultData>(
  key: K,
  type: string,
  encode: (value: HostDefaultData[K]) => PsValue,
  decode: (value: PsValue) => HostDefaultData[K],
): Entry<K> => ({ key, type, encode, decode });
const same = <T>(value: T): T => value;
const HOST = 'System.Management.Automation.Host';

/** Index = key on the wire. */
const ENTRIES = [
  entry('foregroundColor', 'System.ConsoleColor', same, number),
  entry('backgroundColor', 'System.ConsoleColor', same, number),
  entry('cursorPosition', `${HOST}.Coordinates`, encodeCoordinates, decodeCoordinates),
  entry('windowPosition', `${HOST}.Coordinates`, encodeCoordinates, decodeCoordinates),
  entry('cursorSize', 'System.Int32', same, number),
  entry('bufferSize', `${HOST}.Size`, encodeSize, decodeSize),
  entry('windowSize', `${HOST}.Size`, encodeSize, decodeSize),
  entry('maxWindowSize', `${HOST}.Size`, encodeSize, decodeSize),
  entry('maxPhysicalWindowSize', `${HOST}.Size`, encodeSize, decodeSize),
  entry('windowTitle', 'System.String', same, text),
] as const;

function* encodedEntries(data: Partial<HostDefaultData>): Generator<readonly [number, PsValue]> {
  for (const [index, row] of ENTRIES.entries()) {
    const encoded = encodeEntry(row, data);
    if (encoded !== undefined) yield [index, bag({ T: row.type, V: encoded })];
  }
}

function encodeEntry<K extends keyof HostDefaultData>(
  row: Entry<K>,
  data: Partial<HostDefaultData>,
): PsValue | undefined {
  const value = data[row.key];
  return value === undefined ? undefined : row.encode(value);
}

/** HostInfo as a bag, with exactly the field names that a Microsoft server looks for. */
export function encodeHostInfo(info: HostInfo): PsObject {
  const data =
    info.defaultData === null || info.isHostRawUiNull
      ? undefined
      : bag({ data: dictionary(encodedEntries(info.defaultData)) });
  return bag({
    _isHostNull: info.isHostNull,
    _isHostUINull: info.isHostUiNull,
    _isHostRawUINull: info.isHostRawUiNull,
    _useRunspaceHost: info.useRunspaceHost,
    _hostDefaultData: data,
  });
}

function decodeDefaultData(object: PsObject): Partial<HostDefaultData> {
  const table = toDictionary(object.get('data')) ?? badContent('the host data are no dictionary');
  const data: Partial<Record<keyof HostDefaultData, HostDefaultData[keyof HostDefaultData]>> = {};
  for (const [key, value] of table.entries()) {
    const row = ENTRIES[toNumber(key) ?? -1];
    const inner = value instanceof PsObject ? value.get('V') : undefined;
    if (row !== undefined && inner !== undefined && inner !== null) data[row.key] = row.decode(inner);
  }
  return data as Partial<HostDefaultData>;
}

/** The other way. @throws CliXmlError */
export function decodeHostInfo(object: PsObject): HostInfo {
  const data = object.get('_hostDefaultData');
  return {
    isHostNull: needBoolean(object, '_isHostNull'),
    isHostUiNull: needBoolean(object, '_isHostUINull'),
    isHostRawUiNull: needBoolean(object, '_isHostRawUINull'),
    useRunspaceHost: needBoolean(object, '_useRunspaceHost'),
    defaultData: data instanceof PsObject ? decodeDefaultData(data) : null,
  };
}
