import { describe, expect, it } from 'vitest';
import {
  bag,
  CliXmlError,
  decodeHostCall,
  decodeHostResult,
  encodeHostCall,
  encodeHostResult,
  HOST_METHODS,
  hostMethodName,
  list,
  MESSAGES,
  PsSecureString,
  PsVersion,
  readCliXml,
  VOID_CALL_ID,
  writeCliXml,
} from './index.ts';
import type { HostMethodName, HostParameters, HostResult } from './index.ts';

const cell = { character: 'x', foreground: 7, background: 0, bufferCellType: 0 };
const rectangle = { left: 0, top: 1, right: 2, bottom: 3 };
const prompt = { caption: 'c', message: 'm' };
const credential = { ...prompt, userName: null, targetName: 't' };
const point = { x: 3, y: 4 };
const size = { width: 80, height: 25 };
const record = {
  activity: 'a',
  activityId: 1,
  statusDescription: 's',
  currentOperation: null,
  parentActivityId: -1,
  percentComplete: 40,
  secondsRemaining: -1,
  isCompleted: false,
};
const field = {
  name: 'N',
  label: '&N',
  parameterTypeName: 'String[]',
  parameterTypeFullName: 'System.String[]',
  parameterAssemblyFullName: 'mscorlib',
  helpMessage: 'h',
  isMandatory: true,
  defaultValue: 'd',
};

/** Parameters and a result for every method; the compiler asks for a missing row. */
const SAMPLES: { readonly [M in HostMethodName]: readonly [HostParameters<M>, HostResult<M>] } = {
  GetName: [{}, 'name'],
  GetVersion: [{}, new PsVersion(1, 2, 3)],
  GetInstanceId: [{}, '00112233-4455-6677-8899-aabbccddeeff'],
  GetCurrentCulture: [{}, 'en-US'],
  GetCurrentUICulture: [{}, 'de-DE'],
  SetShouldExit: [{ exitCode: 5 }, null],
  EnterNestedPrompt: [{}, null],
  ExitNestedPrompt: [{}, null],
  NotifyBeginApplication: [{}, null],
  NotifyEndApplication: [{}, null],
  ReadLine: [{}, 'typed'],
  ReadLineAsSecureString: [{}, new PsSecureString('AAAA')],
  Write1: [{ text: 'a\n\u001b[0m' }, null],
  Write2: [{ foreground: 1, background: 2, text: 't' }, null],
  WriteLine1: [{}, null],
  WriteLine2: [{ text: '' }, null],
  WriteLine3: [{ foreground: 1, background: 2, text: 't' }, null],
  WriteErrorLine: [{ text: 't' }, null],
  WriteDebugLine: [{ text: 't' }, null],
  WriteProgress: [{ sourceId: 9007199254740993n, record }, null],
  WriteVerboseLine: [{ text: 't' }, null],
  WriteWarningLine: [{ text: 't' }, null],
  Prompt: [
    { ...prompt, fields: [field, { ...field, name: 'M', defaultValue: null }] },
    new Map([
      ['N', list(['a', 'b'])],
      ['__proto__', list([])],
    ]),
  ],
  PromptForCredential1: [credential, null],
  PromptForCredential2: [
    { ...credential, userName: 'u', allowedTypes: 3, options: 1 },
    { userName: 'bob', password: new PsSecureString('AAAA') },
  ],
  PromptForChoice: [{ ...prompt, choices: [{ label: '&Yes', helpMessage: '' }], defaultChoice: -1 }, 0],
  GetForegroundColor: [{}, 7],
  SetForegroundColor: [{ color: 3 }, null],
  GetBackgroundColor: [{}, 0],
  SetBackgroundColor: [{ color: 0 }, null],
  GetCursorPosition: [{}, point],
  SetCursorPosition: [{ position: point }, null],
  GetWindowPosition: [{}, point],
  SetWindowPosition: [{ position: point }, null],
  GetCursorSize: [{}, 25],
  SetCursorSize: [{ cursorSize: 25 }, null],
  GetBufferSize: [{}, size],
  SetBufferSize: [{ size }, null],
  GetWindowSize: [{}, size],
  SetWindowSize: [{ size }, null],
  GetWindowTitle: [{}, 'title'],
  SetWindowTitle: [{ title: 'title' }, null],
  GetMaxWindowSize: [{}, size],
  GetMaxPhysicalWindowSize: [{}, size],
  GetKeyAvailable: [{}, false],
  ReadKey: [{ options: 10 }, { virtualKeyCode: 37, character: '', controlKeyState: 8, keyDown: true }],
  FlushInputBuffer: [{}, null],
  SetBufferContents1: [{ rectangle, fill: cell }, null],
  SetBufferContents2: [
    {
      origin: point,
      cells: [
        [cell, cell, cell],
        [cell, cell, { ...cell, character: '\u00e9' }],
      ],
    },
    null,
  ],
  GetBufferContents: [{ rectangle }, [[cell]]],
  ScrollBufferContents: [{ source: rectangle, destination: point, clip: rectangle, fill: cell }, null],
  PushRunspace: [{ runspace: null }, null],
  PopRunspace: [{}, null],
  GetIsRunspacePushed: [{}, true],
  GetRunspace: [{}, null],
  PromptForChoiceMultipleSelection: [
    { ...prompt, choices: [{ label: 'a', helpMessage: 'b' }], defaultChoices: [0, 2] },
    [1, 2],
  ],
};

const methods = Object.keys(HOST_METHODS).map((name) => name as HostMethodName);

function roundTrip<M extends HostMethodName>(method: M, parameters: HostParameters<M>, callId: bigint): unknown {
  const body = MESSAGES.PIPELINE_HOST_CALL.encode(encodeHostCall(method, parameters, callId));
  const wire = writeCliXml(body ?? null);
  return decodeHostCall(MESSAGES.PIPELINE_HOST_CALL.decode(readCliXml(wire)), null);
}

describe('host methods', () => {
  it('are 56, numbered without a gap', () => {
    expect(methods.map((method) => HOST_METHODS[method].id)).toEqual(Array.from({ length: 56 }, (_, i) => i + 1));
    expect(hostMethodName(57)).toBeNull();
  });

  it.each(methods)('%s goes over the wire and comes back', (method) => {
    const [parameters, result] = SAMPLES[method];
    const isVoid = HOST_METHODS[method].result === null;
    expect(roundTrip(method, parameters, isVoid ? VOID_CALL_ID : 3n)).toEqual({
      method,
      id: HOST_METHODS[method].id,
      callId: isVoid ? VOID_CALL_ID : 3n,
      pipelineId: null,
      expectsAnswer: !isVoid,
      parameters,
    });
    const wire = writeCliXml(encodeHostResult(method, result));
    expect(decodeHostResult(method, readCliXml(wire))).toEqual(result);
  });

  it('take Nil where a text may be missing, and enums in full form', () => {
    const call = decodeHostCall({ callId: -100n, methodId: 16, methodName: '', parameters: [null] }, null);
    expect(call.parameters).toEqual({ text: '' });
  });

  it('refuse unknown methods, wrong counts and wrong types', () => {
    const bad = (methodId: number, parameters: Parameters<typeof list>[0]): void => {
      decodeHostCall({ callId: 1n, methodId, methodName: '', parameters: [...parameters] }, null);
    };
    for (const [id, parameters] of [
      [0, []],
      [57, []],
      [16, []],
      [16, ['a', 'b']],
      [14, ['x', 1, 't']],
      [23, ['c', 'm', 'no list']],
      [48, [bag({ left: 1 }), bag({})]],
      [49, [bag({ x: 1, y: 1 }), bag({ mae: list([]), mal: list([1, 1]) })]],
    ] as const) {
      expect(() => {
        bad(id, parameters);
      }).toThrow(CliXmlError);
    }
  });

  it('refuse a result of a void method', () => {
    expect(() => encodeHostResult('WriteLine1', 'x' as never)).toThrow(/gives nothing back/);
  });
});
