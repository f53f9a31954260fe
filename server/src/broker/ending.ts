/** Writing down that a session ends: each step has its time, and none keeps the others from theirs. */
import type { ErrorCode } from '@sallyport/shared/error-codes';
import { errorText } from '@sallyport/shared/error-codes';
import type { ServerMessage } from '@sallyport/shared/wire/control';
import { type AuditDetail, type AuditType, GATEWAY_ACTOR } from '../audit/contract.ts';
import type { TerminalEnd } from '../terminals/contract.ts';
import type { BrokerDeps } from './deps.ts';

/** For each step: what hangs must not keep the end from the others. */
const END_STEP_MS = 10_000;

/** Ends after which nothing more is shown, not even what waits for a page. */
export const AT_ONCE: ReadonlySet<ErrorCode> = new Set([
  'grant_removed',
  'revoked',
  'draining',
  'recording_unavailable',
]);

/** What is wrong at our side or on the way says nothing of a session that waits at its target: only these end it. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'target_shell_gone',
  'session_not_leavable',
  'recording_unavailable',
  'grant_removed',
  'revoked',
  'terminated',
  'detached_too_long',
]);
/** Whether a session that could not be picked up goes on waiting. */
export const staysLeft = (reason: ErrorCode): boolean => !FINAL.has(reason);

/** What a page is told. */
export const endMessage = (
  { reason, detail, exitCode, hop = '', explanation = '' }: TerminalEnd,
  sessionId: string,
  isLeft: boolean,
): Extract<ServerMessage, { type: 'ended' }> => ({
  type: 'ended',
  reason,
  message: hop === '' ? errorText(reason) : `At the ${hop}: ${errorText(reason)}`,
  detail,
  at: hop,
  exitCode,
  requestId: sessionId,
  ...(explanation === '' ? {} : { explanation }),
  ...(isLeft ? { isLeft } : {}),
});

/** The steps of one session's end. */
export class EndSteps {
  readonly #deps: Pick<BrokerDeps, 'audit' | 'clock' | 'log'>;
  readonly #sessionId: string;

  constructor(deps: Pick<BrokerDeps, 'audit' | 'clock' | 'log'>, sessionId: string) {
    this.#deps = deps;
    this.#sessionId = sessionId;
  }

  /** Waits for `work`; logs `failure` when it fails or hangs, and has null then. Never rejects. */
  async attempt<T>(failure: string, work: Promise<T>): Promise<T | null> {
    let cancel: () => void = () => undefined;
    const late = new Promise<never>((_, reject) => {
      cancel = this.#deps.clock.after(END_STEP_MS, () => {
        reject(new Error(`not done in ${END_STEP_MS} ms`));
      });
    });
    try {
      return await Promise.race([work, late]);
    } catch (error) {
      this.#deps.log.error({ err: error, sessionId: this.#sessionId }, failure);
      return null;
    } finally {
      cancel();
    }
  }

  async audit(type: AuditType, detail: AuditDetail): Promise<void> {
    const subject = `session:${this.#sessionId}`;
    const event = { type, actor: GATEWAY_ACTOR, subject, outcome: 'ok', detail } as const;
    await this.attempt(`${type} not audited`, this.#deps.audit.append(event));
  }
}
