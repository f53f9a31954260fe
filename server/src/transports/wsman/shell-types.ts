/** What the state machine of a shell takes, tells and keeps. */
import type { PoolEvent } from '@sallyport/psrp';
import { canDisconnect } from '@sallyport/wsman';
import type {
  BufferMode,
  CreateResponse,
  Prepared,
  RequestTarget,
  WsManError,
  WsManFaultError,
} from '@sallyport/wsman';

/**
 * What a request is for; each kind has a connection of its own, so that a poll that is held, or a Send that the server
 * delays, never holds up a stop. Within a lane one request is under way at a time, for polls one of each command.
 */
export type Lane = 'send' | 'control' | 'poll';

/** One POST to be made; its answer goes to `answered`. */
export interface ShellRequest {
  readonly id: number;
  readonly lane: Lane;
  readonly bytes: Uint8Array;
}

/** What a shell tells its owner: the events of its pool, and its own. */
export type ShellEvent =
  | PoolEvent
  | { readonly type: 'shellCreated'; readonly created: CreateResponse }
  /** The server has made no shell, and may make one later: `again`, or `failed` of the shell. */
  | { readonly type: 'createRefused'; readonly error: WsManFaultError; readonly again: () => void }
  /** The server did not start this pipeline; it is closed. */
  | { readonly type: 'pipelineRefused'; readonly pipelineId: string; readonly error: WsManError }
  /** More came for this pipeline than may come: it is being ended, and its last state follows. */
  | { readonly type: 'pipelineCutOff'; readonly pipelineId: string; readonly limit: number }
  /** The shell goes on at the target without us; nothing comes any more. */
  | { readonly type: 'left' }
  /** The target does not let it be left; it goes on. */
  | { readonly type: 'leaveRefused'; readonly error: Error }
  /** The shell cannot go on; Broken follows. */
  | { readonly type: 'shellFailed'; readonly error: Error };

/** How the shell is opened, besides the pool. */
export interface ShellOpening {
  readonly name: string | null;
  readonly idleTimeoutMs: number | null;
  readonly bufferMode: BufferMode | null;
  readonly isNoProfile: boolean;
}

/** One pipeline at the target. */
export interface Command {
  /** The id that the server chose; null until Command was answered. */
  wireId: string | null;
  /** CREATE_PIPELINE was taken in whole: its output may be asked for. */
  isReady: boolean;
  isPolled: boolean;
  /** Another client's, being taken up: nothing may be done with it before. */
  isJoining: boolean;
  /** Nothing more will come. */
  isDone: boolean;
  isClosing: boolean;
  /** The server took a stop; told when all output is there. */
  isStopTaken: boolean;
  /** Of its output, before it is read. */
  receivedBytes: number;
}

/** A request under way. */
export interface Pending {
  readonly prepared: Prepared<unknown>;
  readonly lane: Lane;
  readonly answered: (answer: unknown) => ShellEvent[];
  /** @param isRepeated it was sent again after its connection broke */
  readonly refused: (error: WsManFaultError, isRepeated: boolean) => ShellEvent[];
  /** May be sent again when its connection broke: it changes nothing on the server. */
  readonly isRepeatable: boolean;
  isRepeated: boolean;
}

/** A shell at the target, and what selects it. */
export interface ShellPlace extends Pick<CreateResponse, 'resourceUri' | 'selectors'> {
  /** The server keeps it when nobody is connected. Windows 7 and Server 2008 R2 do not. */
  readonly isLeavable: boolean;
  /** Longest time that it keeps it; null = not known. */
  readonly maxIdleTimeoutMs: number | null;
}

/** @param wireId of a command that is there already and is taken up; null = made anew */
export const newCommand = (wireId: string | null): Command => ({
  ...{ wireId, isReady: false, isPolled: false, isJoining: wireId !== null, isDone: false, isClosing: false },
  ...{ isStopTaken: false, receivedBytes: 0 },
});

/** How far a shell is in being left. */
export interface Leaving {
  readonly idleTimeoutMs: number | null;
  /** What becomes of output that nobody fetches; null = as it was agreed. */
  readonly bufferMode: BufferMode | null;
  /** `sending`: what is on its way goes first. `gone`: answers to polls may still come. */
  phase: 'sending' | 'disconnecting' | 'gone' | 'told';
}

/** A copy: what V8 cuts from a text holds on to all of that text, which is an envelope. */
export const ownText = (text: string): string => Buffer.from(text).toString();

/** Of a shell that was just made. */
export const placeOf = ({ shell, resourceUri, selectors }: CreateResponse): ShellPlace => ({
  resourceUri: resourceUri === null ? null : ownText(resourceUri),
  selectors: selectors.map(({ name, value }) => ({ name: ownText(name), value: ownText(value) })),
  isLeavable: canDisconnect(shell),
  maxIdleTimeoutMs: shell?.maxIdleTimeoutMs ?? null,
});

/** Where a request goes. @param place null while the shell is being made */
export const targetOf = (place: ShellPlace | null, maxEnvelopeBytes: number): RequestTarget => {
  if (place === null) return { maxEnvelopeBytes };
  const { resourceUri, selectors } = place;
  return { selectors, maxEnvelopeBytes, ...(resourceUri === null ? {} : { resourceUri }) };
};

/** Of a shell that is left. */
const MIN_IDLE_MS = 60_000;
/** What the server takes; null = as it was agreed. */
export const idleTimeoutOf = (wanted: number | null, max: number | null): number | null =>
  wanted === null ? null : Math.max(MIN_IDLE_MS, Math.min(wanted, max ?? wanted));
