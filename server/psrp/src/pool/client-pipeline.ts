import type { ReceivedMessage } from './events.ts';
import type { PipelineStateName } from './states.ts';

/** What a client pool keeps of one pipeline. */
export interface ClientPipeline {
  state: PipelineStateName;
  hasInput: boolean;
  isInputEnded: boolean;
  isClosing: boolean;
  /** Calls the server waits for, with their bodies. */
  readonly openCalls: Map<bigint, Uint8Array>;
}

/** @param state where it begins */
export const newPipeline = (state: PipelineStateName, noInput: boolean): ClientPipeline => ({
  state,
  hasInput: !noInput,
  isInputEnded: noInput,
  isClosing: false,
  openCalls: new Map(),
});

/** A host call that was not answered. */
export interface OpenHostCall {
  /** null = of the pool. */
  readonly pipelineId: string | null;
  readonly callId: bigint;
  /** Body of the message, to be told again by a client that joins the pool. */
  readonly body: Uint8Array;
}

/** What waits to be told, in stream order. */
export type Incoming =
  | { readonly kind: 'message'; readonly message: ReceivedMessage }
  | { readonly kind: 'signalled' | 'closed'; readonly pipelineId: string | null };
