import { encodeBody } from '../body.ts';
import { fragmentsOf } from '../fragments/fragmenter.ts';
import { encodeMessage } from '../fragments/header.ts';
import { joined } from '../fragments/reassembler.ts';
import { MESSAGES } from '../messages/index.ts';
import type { MessageContent, MessageName } from '../messages/index.ts';
import type { MessageCodec } from '../messages/codec.ts';

/** Two queues per pipeline and pool: answers to host calls overtake everything else. */
export type Priority = 'default' | 'promptResponse';

/** What a pool hands to its transport. */
export type Outgoing =
  | {
      readonly kind: 'data';
      readonly pipelineId: string | null;
      readonly priority: Priority;
      /** One fragment; the two messages that open a pool come together. */
      readonly fragment: Uint8Array;
    }
  /** Make room for a pipeline; its data follow. */
  | { readonly kind: 'command'; readonly pipelineId: string }
  | { readonly kind: 'signal'; readonly pipelineId: string }
  /** null = the pool. */
  | { readonly kind: 'close'; readonly pipelineId: string | null };

/** Makes fragments out of messages, numbers them and keeps them until the transport takes them. */
export class OutgoingQueue {
  #items: Outgoing[] = [];
  #objectId = 0n;
  readonly #destination: number;
  readonly #poolId: string;
  fragmentBytes: number;

  constructor(destination: number, poolId: string, fragmentBytes: number) {
    this.#destination = destination;
    this.#poolId = poolId;
    this.fragmentBytes = fragmentBytes;
  }
  /** @throws PsrpEncodeError, and then nothing was queued */
  send<N extends MessageName>(
    name: N,
    content: MessageContent<N>,
    pipelineId: string | null = null,
    options: { readonly priority?: Priority; readonly poolId?: string } = {},
  ): void {
    // The table pairs name and content.
    const codec = MESSAGES[name] as unknown as MessageCodec<N, MessageContent<N>>;
    const header = {
      destination: this.#destination,
      messageType: codec.type,
      poolId: options.poolId ?? this.#poolId,
      pipelineId,
    };
    const message = encodeMessage(header, encodeBody(codec.encode(content)));
    this.#objectId++;
    for (const fragment of fragmentsOf(this.#objectId, message, this.fragmentBytes)) {
      this.#items.push({ kind: 'data', pipelineId, priority: options.priority ?? 'default', fragment });
    }
  }
  /** Puts back what another queue of the same pool had. */
  resume(items: readonly Outgoing[]): void {
    this.#items.push(...items);
  }
  /** Joins what is queued for the pool into one packet where it is small: the opening travels at once. */
  coalesce(): void {
    const fragments = this.#items.flatMap((item) => (item.kind === 'data' ? [item.fragment] : []));
    const size = fragments.reduce((sum, each) => sum + each.length, 0);
    if (size > this.fragmentBytes || fragments.length !== this.#items.length) return;
    this.#items = [{ kind: 'data', pipelineId: null, priority: 'default', fragment: joined(fragments) }];
  }
  push(item: Exclude<Outgoing, { kind: 'data' }>): void {
    this.#items.push(item);
  }
  /** Everything queued so far, in order. */
  take(): Outgoing[] {
    const items = this.#items;
    this.#items = [];
    return items;
  }
}
