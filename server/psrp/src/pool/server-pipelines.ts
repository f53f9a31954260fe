import { PsrpProtocolError } from '../errors.ts';
import type { HostMethodName } from '../host/methods.ts';
import type { PsrpLimits } from '../limits.ts';
import type { ServerEvent } from './server-events.ts';
import { isFinal, move, SERVER_PIPELINE } from './states.ts';
import type { ServerPipelineState } from './states.ts';

const SECTION = 'MS-PSRP 3.2.5.4 Message Processing';

/** What a server pool keeps of one pipeline. */
export interface ServerPipeline {
  state: ServerPipelineState;
  readonly isNested: boolean;
  /** What to tell when it starts. */
  readonly start: ServerEvent;
  takesInput: boolean;
  receivedBytes: number;
  nextCallId: bigint;
  readonly calls: Map<bigint, HostMethodName>;
}

/** The pipelines of a server pool. They take turns: as many as there are runspaces; a nested one runs in between. */
export class ServerPipelines {
  readonly #limits: PsrpLimits;
  readonly #pipelines = new Map<string, ServerPipeline>();

  constructor(limits: PsrpLimits) {
    this.#limits = limits;
  }

  get(pipelineId: string): ServerPipeline | undefined {
    return this.#pipelines.get(pipelineId);
  }
  forget(pipelineId: string): void {
    this.#pipelines.delete(pipelineId);
  }
  /** Started, and its end was not told yet. */
  isLive(pipelineId: string): boolean {
    const state = this.#pipelines.get(pipelineId)?.state;
    return state === 'Running' || state === 'Stopping';
  }
  /** Its end was told, or it was never there. */
  hasEnded(pipelineId: string): boolean {
    const pipeline = this.#pipelines.get(pipelineId);
    return pipeline === undefined || isFinal(SERVER_PIPELINE, pipeline.state);
  }

  /** @throws PsrpProtocolError psrp_bad_state when there are too many */
  mustHaveRoom(): void {
    if (this.#pipelines.size < this.#limits.maxPipelines) return;
    throw new PsrpProtocolError('psrp_bad_state', 'too many pipelines', { section: SECTION });
  }

  /** A new one; it waits until `startWaiting` finds room. */
  add(start: Extract<ServerEvent, { type: 'createPipeline' | 'commandMetadata' }>): void {
    const isScript = start.type === 'createPipeline';
    this.#pipelines.set(start.pipelineId, {
      state: 'NotStarted',
      isNested: isScript && start.request.isNested,
      start,
      takesInput: isScript && !start.request.noInput,
      receivedBytes: 0,
      nextCallId: 1n,
      calls: new Map(),
    });
  }

  /** Counts what was received for a pipeline. @throws PsrpProtocolError psrp_object_too_large beyond its share */
  count(pipelineId: string, byteCount: number): void {
    const pipeline = this.#pipelines.get(pipelineId);
    if (pipeline === undefined) return;
    pipeline.receivedBytes += byteCount;
    if (pipeline.receivedBytes <= this.#limits.maxCommandBytes) return;
    const what = 'a pipeline received more than it may';
    throw new PsrpProtocolError('psrp_object_too_large', what, { section: SECTION });
  }

  /** How many runspaces are taken. */
  busy(): number {
    return [...this.#pipelines].filter(([id, each]) => !each.isNested && this.isLive(id)).length;
  }

  /** Starts what has room now, in order of arrival. */
  startWaiting(runspaces: number): ServerEvent[] {
    const events: ServerEvent[] = [];
    let busy = this.busy();
    for (const pipeline of this.#pipelines.values()) {
      if (pipeline.state !== 'NotStarted' || (!pipeline.isNested && busy >= runspaces)) continue;
      pipeline.state = move(SERVER_PIPELINE, pipeline.state, 'start');
      if (!pipeline.isNested) busy++;
      events.push(pipeline.start);
    }
    return events;
  }

  /** Nobody sends input any more, as after a change of clients. */
  endInputs(): ServerEvent[] {
    const events: ServerEvent[] = [];
    for (const [pipelineId, pipeline] of this.#pipelines) {
      if (!pipeline.takesInput) continue;
      pipeline.takesInput = false;
      if (this.isLive(pipelineId)) events.push({ type: 'endOfInput', pipelineId });
    }
    return events;
  }
}
