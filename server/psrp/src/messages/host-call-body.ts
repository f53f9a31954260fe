import { bag, enumValue, list } from '../clixml/build.ts';
import { listItems, PsObject } from '../clixml/object.ts';
import type { PsValue } from '../clixml/object.ts';
import { asBag, badContent, needBigInt, needNumber } from './codec.ts';
import type { Body } from './codec.ts';

/** The call id that marks a call without answer. */
export const VOID_CALL_ID = -100n;
/** The type of `mi`. */
export const HOST_METHOD_TYPE = 'System.Management.Automation.Remoting.RemoteHostMethodId';

/** A host call before its parameters are understood. [MS-PSRP] 2.2.2.15 RUNSPACEPOOL_HOST_CALL Message. */
export interface HostCallBody {
  readonly callId: bigint;
  readonly methodId: number;
  /** The name on the wire; empty when the sender gave a plain number. */
  readonly methodName: string;
  readonly parameters: readonly PsValue[];
}

/** The answer. Neither result nor error = a result of null. */
export interface HostResponseBody {
  readonly callId: bigint;
  readonly methodId: number;
  readonly methodName: string;
  readonly result?: PsValue;
  /** An error record object. */
  readonly error?: PsObject;
}

const nameOf = (value: PsValue | undefined): string => (value instanceof PsObject ? (value.text ?? '') : '');

export function encodeHostCallBody(body: HostCallBody): PsObject {
  return bag({
    ci: body.callId,
    mi: enumValue(HOST_METHOD_TYPE, body.methodName, body.methodId),
    mp: list(body.parameters),
  });
}

export function decodeHostCallBody(body: Body): HostCallBody {
  const object = asBag(body, 'a host call');
  return {
    callId: needBigInt(object, 'ci'),
    methodId: needNumber(object, 'mi'),
    methodName: nameOf(object.get('mi')),
    parameters: listItems(object.get('mp')) ?? badContent('the parameters of a host call are no list'),
  };
}

export function encodeHostResponseBody(body: HostResponseBody): PsObject {
  return bag({
    mr: body.result ?? undefined,
    me: body.error,
    ci: body.callId,
    mi: enumValue(HOST_METHOD_TYPE, body.methodName, body.methodId),
  });
}

export function decodeHostResponseBody(body: Body): HostResponseBody {
  const object = asBag(body, 'a host response');
  const error = object.getObject('me');
  return {
    callId: needBigInt(object, 'ci'),
    methodId: needNumber(object, 'mi'),
    methodName: nameOf(object.get('mi')),
    result: object.get('mr') ?? null,
    ...(error === null ? {} : { error }),
  };
}
