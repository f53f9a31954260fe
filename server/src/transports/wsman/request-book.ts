/** Requests of a shell: those to be made, and those that wait for their answer. */
import { OPERATIONS, type Operation, type RequestTarget, type Requests, type WsManFaultError } from '@sallyport/wsman';
import type { Lane, Pending, ShellEvent, ShellRequest } from './shell-types.ts';

export class RequestBook {
  readonly #requests: Requests;
  readonly #pending = new Map<number, Pending>();
  #ready: ShellRequest[] = [];
  #nextId = 1;

  constructor(requests: Requests) {
    this.#requests = requests;
  }

  /** Nothing is under way and nothing is to be made. */
  get isEmpty(): boolean {
    return this.#pending.size === 0 && this.#ready.length === 0;
  }
  get(id: number): Pending | undefined {
    return this.#pending.get(id);
  }

  /** A new request. */
  put<Request, Response>(
    lane: Lane,
    operation: Operation<Request, Response>,
    request: Request,
    target: RequestTarget,
    on: {
      readonly answered: (answer: Response) => ShellEvent[];
      readonly refused: (error: WsManFaultError, isRepeated: boolean) => ShellEvent[];
      readonly isRepeatable: boolean;
    },
  ): void {
    const prepared = this.#requests.prepare(operation, request, target);
    const id = this.#nextId++;
    // What is read by the operation is what its handler takes.
    const answered = on.answered as (answer: unknown) => ShellEvent[];
    const { refused, isRepeatable } = on;
    this.#pending.set(id, { prepared, lane, answered, refused, isRepeatable, isRepeated: false });
    this.#ready.push({ id, lane, bytes: prepared.bytes });
  }
  /** The same request once more. */
  repeat(id: number, { lane, prepared }: Pending): void {
    this.#ready.push({ id, lane, bytes: prepared.bytes });
  }
  /** What is to be made now. */
  take(): ShellRequest[] {
    return this.#ready.splice(0);
  }
  /** It has its answer, or will have none. */
  done(id: number): void {
    this.#pending.delete(id);
  }
  /** What was not made yet is not made. */
  dropReady(): void {
    this.#ready = [];
  }
  clear(): void {
    this.#pending.clear();
  }

  isBusy(lane: Lane): boolean {
    for (const pending of this.#pending.values()) if (pending.lane === lane) return true;
    return false;
  }
  /** A pipeline is being started: what is left of the one before can wait, the person does not. */
  isStarting(): boolean {
    for (const { prepared } of this.#pending.values()) if (prepared.operation === OPERATIONS.command) return true;
    return false;
  }
}
