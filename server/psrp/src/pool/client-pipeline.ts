import type { ReceivedMessage } from './events.ts';
import type { PipelineStateName } from './states.ts';

/** What a client pool keeps of one pipeline. */
export interface ClientPipeline {
  state: PipelineStateName;
  hasInput: boolean;
  isInputEnded: boolean;
  isClosing: boolean;
  /** Calls the server waits for. */
  readonly openCalls: Set<bigint>;
}

/** @param state where it begins */
export const newPipeline = (state: PipelineStateName, noInput: boolean): ClientPipeline => ({
  state,
  hasInput: !noInput,
  isInputEnded: noInput,
  isClosing: false,
  openCalls: new Set(),
});

/** What waits to be told, in stream order. */
export type Incoming =
  | { readonly kind: 'message'; readonly message: ReceivedMessage }
  | { readonly kind: 'signalled' | 'closed'; readonly pipelineId: string | null };
