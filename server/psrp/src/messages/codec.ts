import { CliXmlError } from '../errors.ts';
import { PsObject, toBigInt, toBoolean, toNumber, toText } from '../clixml/object.ts';
import type { PsValue } from '../clixml/object.ts';

/** What a message body is: a value, or undefined for a body of no bytes. */
export type Body = PsValue | undefined;

/** One row of the message table. */
export interface MessageCodec<Name extends string, T> {
  readonly name: Name;
  /** MessageType of the header. */
  readonly type: number;
  readonly direction: 'c2s' | 's2c' | 'both';
  /** Whose id stands in the header's PID. */
  readonly target: 'pool' | 'pipeline';
  /** The body of a message with this content. */
  encode(content: T): Body;
  /** @throws CliXmlError when a property is missing or of the wrong type */
  decode(body: Body): T;
}

const SECTION = 'MS-PSRP 2.2.2 PowerShell Remoting Protocol Message Types';

/** A message whose content is not what its type demands. */
export function badContent(what: string): never {
  throw new CliXmlError('clixml_bad_value', what, { section: SECTION });
}

/** The bag that a body must be. */
export function asBag(body: Body, what: string): PsObject {
  if (body instanceof PsObject) return body;
  return badContent(`${what} is no object`);
}

/** Reads a property with `convert`; missing or of the wrong type is an error. */
function need<T>(object: PsObject, name: string, convert: (value: PsValue) => T | null): T {
  const value = object.get(name);
  const converted = value === undefined ? null : convert(value);
  return converted ?? badContent(`property ${name} is missing or of the wrong type`);
}

export const needNumber = (object: PsObject, name: string): number => need(object, name, toNumber);
export const needBigInt = (object: PsObject, name: string): bigint => need(object, name, toBigInt);
export const needBoolean = (object: PsObject, name: string): boolean => need(object, name, toBoolean);
export const needText = (object: PsObject, name: string): string => need(object, name, toText);
export const needObject = (object: PsObject, name: string): PsObject =>
  need(object, name, (value) => (value instanceof PsObject ? value : null));

/** A number that may be absent or Nil. */
export const optionalNumber = (object: PsObject, name: string, absent: number): number =>
  object.getNumber(name) ?? absent;

/** A text that may be absent or Nil. */
export const optionalText = (object: PsObject, name: string): string | null => object.getString(name);
