import * as c from './codecs.ts';
import type { HostCodec } from './codecs.ts';

type Parameters = Readonly<Record<string, HostCodec<never> | HostCodec<unknown>>>;

/** One row: number, parameters in order, result; no result = a void call. */
export interface HostMethod<P, R> {
  readonly id: number;
  readonly parameters: P;
  readonly result: R;
}

const tell = <P>(id: number, parameters: P): HostMethod<P, null> => ({ id, parameters, result: null });
const ask = <P, T>(id: number, parameters: P, result: HostCodec<T>): HostMethod<P, HostCodec<T>> => ({
  id,
  parameters,
  result,
});

const nothing = {} as const;
const prompt = { caption: c.text, message: c.text } as const;
const credential = { ...prompt, userName: c.textOrNull, targetName: c.text } as const;

/**
 * Every host method: number, name, parameters, result. Names of parameters are ours, their order is the wire's.
 * [MS-PSRP] 2.2.3.17 Host Method Identifier.
 */
export const HOST_METHODS = {
  GetName: ask(1, nothing, c.text),
  GetVersion: ask(2, nothing, c.version),
  GetInstanceId: ask(3, nothing, c.guid),
  GetCurrentCulture: ask(4, nothing, c.text),
  GetCurrentUICulture: ask(5, nothing, c.text),
  SetShouldExit: tell(6, { exitCode: c.number }),
  EnterNestedPrompt: tell(7, nothing),
  ExitNestedPrompt: tell(8, nothing),
  NotifyBeginApplication: tell(9, nothing),
  NotifyEndApplication: tell(10, nothing),
  ReadLine: ask(11, nothing, c.text),
  ReadLineAsSecureString: ask(12, nothing, c.secureString),
  Write1: tell(13, { text: c.text }),
  Write2: tell(14, { foreground: c.number, background: c.number, text: c.text }),
  WriteLine1: tell(15, nothing),
  WriteLine2: tell(16, { text: c.text }),
  WriteLine3: tell(17, { foreground: c.number, background: c.number, text: c.text }),
  WriteErrorLine: tell(18, { text: c.text }),
  WriteDebugLine: tell(19, { text: c.text }),
  WriteProgress: tell(20, { sourceId: c.long, record: c.progress }),
  WriteVerboseLine: tell(21, { text: c.text }),
  WriteWarningLine: tell(22, { text: c.text }),
  Prompt: ask(23, { ...prompt, fields: c.listOf(c.field) }, c.answers),
  PromptForCredential1: ask(24, credential, c.credentialOrNull),
  PromptForCredential2: ask(25, { ...credential, allowedTypes: c.number, options: c.number }, c.credentialOrNull),
  PromptForChoice: ask(26, { ...prompt, choices: c.listOf(c.choice), defaultChoice: c.number }, c.number),
  GetForegroundColor: ask(27, nothing, c.number),
  SetForegroundColor: tell(28, { color: c.number }),
  GetBackgroundColor: ask(29, nothing, c.number),
  SetBackgroundColor: tell(30, { color: c.number }),
  GetCursorPosition: ask(31, nothing, c.coordinates),
  SetCursorPosition: tell(32, { position: c.coordinates }),
  GetWindowPosition: ask(33, nothing, c.coordinates),
  SetWindowPosition: tell(34, { position: c.coordinates }),
  GetCursorSize: ask(35, nothing, c.number),
  SetCursorSize: tell(36, { cursorSize: c.number }),
  GetBufferSize: ask(37, nothing, c.size),
  SetBufferSize: tell(38, { size: c.size }),
  GetWindowSize: ask(39, nothing, c.size),
  SetWindowSize: tell(40, { size: c.size }),
  GetWindowTitle: ask(41, nothing, c.text),
  SetWindowTitle: tell(42, { title: c.text }),
  GetMaxWindowSize: ask(43, nothing, c.size),
  GetMaxPhysicalWindowSize: ask(44, nothing, c.size),
  GetKeyAvailable: ask(45, nothing, c.flag),
  ReadKey: ask(46, { options: c.number }, c.keyInfo),
  FlushInputBuffer: tell(47, nothing),
  SetBufferContents1: tell(48, { rectangle: c.rectangle, fill: c.bufferCell }),
  SetBufferContents2: tell(49, { origin: c.coordinates, cells: c.cellGrid }),
  GetBufferContents: ask(50, { rectangle: c.rectangle }, c.cellGrid),
  ScrollBufferContents: tell(51, {
    source: c.rectangle,
    destination: c.coordinates,
    clip: c.rectangle,
    fill: c.bufferCell,
  }),
  PushRunspace: tell(52, { runspace: c.any }),
  PopRunspace: tell(53, nothing),
  GetIsRunspacePushed: ask(54, nothing, c.flag),
  GetRunspace: ask(55, nothing, c.any),
  PromptForChoiceMultipleSelection: ask(
    56,
    { ...prompt, choices: c.listOf(c.choice), defaultChoices: c.arrayOrNull(c.number) },
    c.listOf(c.number),
  ),
} as const;

/** A host method of the table. */
export type HostMethodName = keyof typeof HOST_METHODS;
/** What a codec makes of a value. */
export type ValueOf<C> = C extends HostCodec<infer T> ? T : never;
/** Parameters by name, decoded. */
export type ParametersOf<P> = { readonly [K in keyof P]: ValueOf<P[K]> };

/** Parameters of a method by name. */
export type HostParameters<M extends HostMethodName> = ParametersOf<(typeof HOST_METHODS)[M]['parameters']>;
/** What a method gives back; null for void calls. */
export type HostResult<M extends HostMethodName> = (typeof HOST_METHODS)[M]['result'] extends null
  ? null
  : ValueOf<(typeof HOST_METHODS)[M]['result']>;

/** A host call whose parameters were understood. */
export type HostCallOf<M extends HostMethodName> = {
  readonly [K in M]: {
    readonly method: K;
    readonly id: number;
    readonly callId: bigint;
    /** null for a call of the pool. */
    readonly pipelineId: string | null;
    /** False: the server goes on at once, an answer must not be sent. */
    readonly expectsAnswer: boolean;
    readonly parameters: HostParameters<K>;
  };
}[M];
/** Any host call, told apart by `method`. */
export type HostCall = HostCallOf<HostMethodName>;

const BY_ID: ReadonlyMap<number, HostMethodName> = new Map(
  (Object.keys(HOST_METHODS) as HostMethodName[]).map((name) => [HOST_METHODS[name].id, name]),
);

/** The method with a number; null when there is none. */
export const hostMethodName = (id: number): HostMethodName | null => BY_ID.get(id) ?? null;

/** Parameter names and codecs of a method, in order. */
export function parameterRows(method: HostMethodName): [string, HostCodec<unknown>][] {
  const parameters: Parameters = HOST_METHODS[method].parameters;
  return Object.entries(parameters);
}
