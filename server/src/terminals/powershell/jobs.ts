/** Pipelines of ours under way in one pool: who hears their events, and that their questions end with them. */
import type { ClientEvent, HostInfo, PipelineCommand } from '@sallyport/psrp';
import type { PoolLink } from './pool-link.ts';

/** An event of one pipeline. */
export type PipelineEvent = ClientEvent & { readonly pipelineId: string };
type Listener = (event: PipelineEvent) => void;

interface Job {
  /** Fires when the pipeline is over or is being stopped; made when somebody asks, as most never do. */
  abort: AbortController | null;
  readonly event: Listener;
}
/** Beside the commands. */
export interface JobOptions {
  readonly pipelineId?: string;
  readonly addToHistory?: boolean;
  readonly history?: string;
  readonly moreStatements?: readonly (readonly PipelineCommand[])[];
  readonly isNested?: boolean;
}

const abortOf = (job: Job): AbortController => (job.abort ??= new AbortController());

export class Jobs {
  readonly #link: PoolLink;
  readonly #hostInfo: () => HostInfo;
  readonly #jobs = new Map<string, Job>();

  /** @param hostInfo for the next pipeline: carries the size that counts now */
  constructor(link: PoolLink, hostInfo: () => HostInfo) {
    this.#link = link;
    this.#hostInfo = hostInfo;
  }

  /** Creates a pipeline; it goes out with the link's next `send`. @returns its id */
  start(commands: readonly PipelineCommand[], options: JobOptions, event: Listener): string {
    return this.#add(this.#link.createPipeline({ commands, hostInfo: this.#hostInfo(), ...options }), event);
  }
  /** Asks which commands there are. @param names null = all */
  commandMetadata(names: readonly string[] | null, event: Listener): string {
    return this.#add(this.#link.getCommandMetadata({ names }), event);
  }
  /** Hears a pipeline that was there already. */
  adopt(pipelineId: string, event: Listener): void {
    this.#add(pipelineId, event);
  }
  stop(pipelineId: string): void {
    const job = this.#jobs.get(pipelineId);
    if (job !== undefined) abortOf(job).abort();
    this.#link.stop(pipelineId);
  }
  /** Fires when the pipeline is over; undefined when it is over already. */
  signalOf(pipelineId: string): AbortSignal | undefined {
    const job = this.#jobs.get(pipelineId);
    return job === undefined ? undefined : abortOf(job).signal;
  }
  abortAll(): void {
    for (const job of this.#jobs.values()) abortOf(job).abort();
  }
  clear(): void {
    this.abortAll();
    this.#jobs.clear();
  }

  /** Passes an event on to its pipeline; a final state ends the job and closes the pipeline at the target. */
  tell(event: PipelineEvent): void {
    const { pipelineId } = event;
    const job = this.#jobs.get(pipelineId);
    if (job === undefined) return;
    if (event.type === 'pipelineState') {
      if (!['Completed', 'Failed', 'Stopped'].includes(event.state)) return;
      this.#jobs.delete(pipelineId);
      job.abort?.abort();
      this.#link.closePipeline(pipelineId);
    }
    job.event(event);
  }

  #add(pipelineId: string, event: Listener): string {
    this.#jobs.set(pipelineId, { abort: null, event });
    return pipelineId;
  }
}
