/** One crafted message for a pool of either role. */
import { encodeMessage, fragmentsAs, MESSAGES } from '@sallyport/psrp';
import type { MessageName } from '@sallyport/psrp';

export const POOL_ID = '00112233-4455-6677-8899-aabbccddeeff';
export const PIPELINE_ID = '10213243-5465-7687-98a9-bacbdcedfe0f';
export const OTHER_ID = 'ffffffff-0000-0000-0000-000000000001';

/** One message for a pool that is in a state. */
export interface MessageCase {
  readonly kind: 'message';
  readonly id: string;
  readonly probes: string;
  readonly role: 'client' | 'server';
  /** `new`: nothing was negotiated. `opened`: Opened, with one running pipeline. */
  readonly state: 'new' | 'opened';
  readonly bytes: Uint8Array;
  /** The first event's type that is no failure; null when there is none. */
  readonly event: string | null;
  readonly code: string | null;
}

export const message = (
  name: MessageName | number,
  body: Uint8Array,
  change: Partial<{ destination: number; poolId: string; pipelineId: string | null; hasBom: boolean }> = {},
): Uint8Array => {
  const codec = typeof name === 'number' ? null : MESSAGES[name];
  const isPipeline = codec?.target === 'pipeline';
  const bytes = encodeMessage(
    {
      destination: change.destination ?? (codec?.direction === 's2c' ? 1 : 2),
      messageType: codec?.type ?? Number(name),
      poolId: change.poolId ?? POOL_ID,
      pipelineId: change.pipelineId === undefined ? (isPipeline ? PIPELINE_ID : null) : change.pipelineId,
    },
    body,
    change.hasBom ?? false,
  );
  return [...fragmentsAs(50n, bytes, [bytes.length])][0] ?? new Uint8Array();
};
