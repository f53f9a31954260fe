import { PsrpEncodeError } from '../errors.ts';
import type { PsObject, PsValue } from '../clixml/object.ts';
import { badContent } from '../messages/codec.ts';
import { VOID_CALL_ID } from '../messages/host-call-body.ts';
import type { HostCallBody, HostResponseBody } from '../messages/host-call-body.ts';
import type { HostCodec } from './codecs.ts';
import { HOST_METHODS, hostMethodName, parameterRows } from './methods.ts';
import type { HostCall, HostCallOf, HostMethodName, HostParameters, HostResult } from './methods.ts';

/** Understands a call. @throws CliXmlError for an unknown method or parameters that do not fit */
export function decodeHostCall(body: HostCallBody, pipelineId: string | null): HostCall {
  const method = hostMethodName(body.methodId) ?? badContent(`host method ${body.methodId} is not known`);
  const rows = parameterRows(method);
  if (body.parameters.length !== rows.length) badContent(`${method} with ${body.parameters.length} parameters`);
  const parameters = Object.fromEntries(
    rows.map(([name, codec], index) => [name, codec.decode(body.parameters[index] ?? null)]),
  );
  // The table pairs each name with its codecs, so name and parameters belong together.
  return {
    method,
    id: body.methodId,
    callId: body.callId,
    pipelineId,
    expectsAnswer: body.callId !== VOID_CALL_ID,
    parameters,
  } as unknown as HostCall;
}

/** A call for the wire. `callId` -100 = void. */
export function encodeHostCall<M extends HostMethodName>(
  method: M,
  parameters: HostParameters<M>,
  callId: bigint,
): HostCallBody {
  const given: Readonly<Record<string, unknown>> = parameters;
  return {
    callId,
    methodId: HOST_METHODS[method].id,
    methodName: method,
    parameters: parameterRows(method).map(([name, codec]) => codec.encode(given[name])),
  };
}

/** The result of a method as a value. @throws PsrpEncodeError for a void method with a result */
export function encodeHostResult<M extends HostMethodName>(method: M, result: HostResult<M> | null): PsValue {
  const codec = HOST_METHODS[method].result as HostCodec<unknown> | null;
  if (codec === null) {
    if (result !== null) throw new PsrpEncodeError(`${method} gives nothing back`);
    return null;
  }
  return result === null ? null : codec.encode(result);
}

/** What came back for a call, on the server. @throws CliXmlError when it does not fit the method */
export function decodeHostResult<M extends HostMethodName>(method: M, value: PsValue): HostResult<M> | null {
  const codec = HOST_METHODS[method].result as HostCodec<HostResult<M>> | null;
  return codec === null || value === null ? null : codec.decode(value);
}

/** The response to `call`. */
export function hostResponse<M extends HostMethodName>(
  call: HostCallOf<M>,
  answer: { readonly result: HostResult<M> | null } | { readonly error: PsObject },
): HostResponseBody {
  const head = { callId: call.callId, methodId: call.id, methodName: call.method };
  return 'error' in answer
    ? { ...head, error: answer.error }
    : { ...head, result: encodeHostResult(call.method, answer.result) };
}
