/** Replay, export and deletion of recordings. Every look at one is an audit event. security.md T8, T14. */
import { Readable } from 'node:stream';
import type { RecordingInfo, ReplayEvent } from '@sallyport/shared/api/sessions';
import { SessionId } from '@sallyport/shared/ids';
import { z } from 'zod';
import type { AuditType } from '../../audit/contract.ts';
import { SallyportError, codeOf } from '../../errors.ts';
import type { TimedEvent } from '../../recording/contract.ts';
import type { RoutesJoin } from '../ports.ts';
import { userRoute, type Caller, type Route } from '../route.ts';
import { sessionById } from './account.ts';

const params = z.strictObject({ id: SessionId });

function toReplayEvent({ index, timeMs, offset, event }: TimedEvent): ReplayEvent {
  if (event.type !== 'output') return { index, timeMs, offset, ...event };
  return { index, timeMs, offset, type: 'output', data: Buffer.from(event.bytes).toString('base64') };
}

/** JSON lines; a damaged recording ends with a `corrupt` line after the part that is proven. */
async function* replayLines(join: RoutesJoin, id: SessionId): AsyncGenerator<string> {
  let last = { index: -1, timeMs: 0, offset: 0 };
  const end = (type: 'end' | 'corrupt'): string =>
    `${JSON.stringify({ ...last, index: last.index + 1, type } satisfies ReplayEvent)}\n`;
  try {
    for await (const event of join.recordings.readEvents(id)) {
      last = { index: event.index, timeMs: event.timeMs, offset: event.offset };
      yield `${JSON.stringify(toReplayEvent(event))}\n`;
    }
    yield end('end');
  } catch (error) {
    if (codeOf(error) !== 'recording_corrupt') throw error;
    yield end('corrupt');
  }
}

async function recordingInfo(join: RoutesJoin, id: SessionId): Promise<RecordingInfo> {
  const session = await sessionById(join.broker, id);
  const header = await join.recordings.header(id);
  const { chain, summary } = await join.recordings.check(id);
  return {
    sessionId: id,
    startedAt: header.startedAt,
    durationMs: summary.durationMs,
    outputBytes: summary.outputBytes,
    cols: header.cols,
    rows: header.rows,
    live: chain === 'open',
    chain,
    head: summary.head,
    session,
    commands: [...(await join.broker.commands(id))],
  };
}

/** `/api/recordings/:id`, its `/events` and `/cast`. */
export function recordingRoutes(join: RoutesJoin): readonly Route[] {
  const ofRecording = async ({ params: { id } }: { params: { id: SessionId } }) => {
    const { userId } = await sessionById(join.broker, id);
    if (!(await join.recordingAdmin.exists(id))) throw new SallyportError('not_found', 'no such recording');
    return { ownerId: userId };
  };
  const audited = (type: AuditType, { actor }: Caller, id: string) =>
    join.audit.append({ type, actor, subject: `session:${id}`, outcome: 'ok' });
  return [
    userRoute({
      method: 'GET',
      path: '/api/recordings/:id',
      action: 'recording.replay',
      params,
      resource: ofRecording,
      handle: async ({ params: { id } }) => recordingInfo(join, id),
    }),
    userRoute({
      method: 'GET',
      path: '/api/recordings/:id/events',
      action: 'recording.replay',
      params,
      resource: ofRecording,
      handle: async ({ params: { id }, reply }, caller) => {
        await audited('recording.replay', caller, id);
        return reply.type('application/x-ndjson; charset=utf-8').send(Readable.from(replayLines(join, id)));
      },
    }),
    userRoute({
      method: 'GET',
      path: '/api/recordings/:id/cast',
      action: 'recording.export',
      params,
      resource: ofRecording,
      handle: async ({ params: { id }, reply }, caller) => {
        await audited('recording.export', caller, id);
        return reply
          .type('application/x-asciicast')
          .header('content-disposition', `attachment; filename="${id}.cast"`)
          .send(Readable.from(join.recordingAdmin.asciicast(id)));
      },
    }),
    userRoute({
      method: 'DELETE',
      path: '/api/recordings/:id',
      action: 'recording.delete',
      stepUp: true,
      params,
      resource: ofRecording,
      handle: async ({ params: { id } }, caller) => {
        const { phase } = await sessionById(join.broker, id);
        if (phase !== 'ended') throw new SallyportError('bad_state', 'the session is live');
        await audited('recording.deleted', caller, id);
        if (!(await join.recordingAdmin.delete(id))) throw new SallyportError('not_found', 'no such recording');
      },
    }),
  ];
}
