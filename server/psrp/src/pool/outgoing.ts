import { encodeBody } from '../body.ts';
import { fragmentsOf } from '../fragments/fragmenter.ts';
import { encodeMessage } from '../fragments/header.ts';
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
      /** One fragment. */
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
