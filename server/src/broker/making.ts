/** What a session's recording says before there is a session to tell it to. */
import type { SessionFacts } from '@sallyport/shared/wire/control';
import { SallyportError } from '../errors.ts';
import type { WriterEvents } from '../recording/contract.ts';
import type { OpenRequest } from './contract.ts';
import type { BrokerDeps } from './deps.ts';
import type { Session } from './session.ts';

/** Holds what the writer said until there is a session. */
export class Making {
  #session: Session | null = null;
  #isFailed = false;
  #isSlow = false;
  readonly events: WriterEvents;

  constructor({ log }: Pick<BrokerDeps, 'log'>, sessionId: string) {
    this.events = {
      slow: () => {
        this.#isSlow = true;
        this.#session?.pause('recording');
      },
      recovered: () => {
        this.#isSlow = false;
        this.#session?.resume('recording');
      },
      failed: (error) => {
        log.error({ err: error, sessionId }, 'Recording failed');
        this.#isFailed = true;
        this.#session?.end('recording_unavailable');
      },
    };
  }

  tell(session: Session): void {
    this.#session = session;
    if (this.#isSlow) session.pause('recording');
  }
  /** @throws SallyportError recording_unavailable */
  requireWhole(session: Session): void {
    if (!this.#isFailed) return;
    session.end('recording_unavailable');
    throw new SallyportError('recording_unavailable', 'the recording failed while the session was made');
  }
}

/** What is known of a session before it is opened. */
export const firstFacts = (request: OpenRequest, startedAt: number): SessionFacts => ({
  targetName: request.targetName,
  address: request.address,
  isDemoTarget: request.isDemoTarget,
  identity: request.identity,
  kind: request.kind,
  via: [...request.via],
  weakened: [],
  protection: '',
  remote: '',
  recording: 'strict',
  startedAt,
});
