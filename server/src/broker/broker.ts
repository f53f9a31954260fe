/** The registry of sessions: who may open, join, see and end which. */
import { errorText } from '@sallyport/shared/error-codes';
import { SessionId } from '@sallyport/shared/ids';
import type { SessionRow } from '@sallyport/shared/api/sessions';
import type { CommandMark } from '@sallyport/shared/wire/control';
import { type AuditDetail, type AuditType, GATEWAY_ACTOR } from '../audit/contract.ts';
import { SallyportError, codeOf } from '../errors.ts';
import { decide, seesOnlyOwn, type Action } from '../policy.ts';
import { randomId } from '../random.ts';
import type { RecordingWriter } from '../recording/contract.ts';
import type { LeftTerminal } from '../terminals/contract.ts';
import type {
  AttachRequest,
  Broker,
  OpenRequest,
  OpenTerminal,
  Page,
  PlannedPickUp,
  Requester,
  ResumeRequest,
  SessionSocket,
} from './contract.ts';
import type { BrokerDeps } from './deps.ts';
import { pastCommands, recoverSessions, toSessionRow } from './history.ts';
import { type Before, type LeftSession, RESUME_MS } from './left.ts';
import { hasLine, isLeft, leftTerminalOf, readBefore } from './left.ts';
import { LeftEnds } from './left-ends.ts';
import { LeftLimits } from './left-limits.ts';
import { Making, firstFacts } from './making.ts';
import { Openings } from './openings.ts';
import { ResumeTokens } from './resume-tokens.ts';
import { Session } from './session.ts';
import { ShellOwners } from './shell-owners.ts';

class SessionBroker implements Broker {
  readonly #deps: BrokerDeps;
  /** Live ones, and for a while those that ended, so that a page learns why. */
  readonly #sessions = new Map<string, Session>();
  readonly #tokens: ResumeTokens;
  readonly #shells: ShellOwners;
  readonly #leftEnds: LeftEnds;
  readonly #leftLimits: LeftLimits;
  readonly #openings: Openings;
  /** Sessions that are picked up now: whoever else comes waits for that. */
  readonly #pickUps = new Map<string, Promise<void>>();
  #isClosing = false;

  constructor(deps: BrokerDeps) {
    this.#deps = deps;
    this.#tokens = new ResumeTokens(deps.clock);
    this.#openings = new Openings(deps, (userId) => this.#live().filter(({ ownerId }) => ownerId === userId).length);
    this.#shells = new ShellOwners(deps);
    const isLive = (id: string): boolean => this.#sessions.has(id) || this.#pickUps.has(id);
    this.#leftEnds = new LeftEnds(deps, isLive);
    this.#leftLimits = new LeftLimits(deps, isLive);
  }

  async open(
    who: Requester,
    request: OpenRequest,
    openTerminal: OpenTerminal,
  ): Promise<{ readonly sessionId: string }> {
    this.#requireMayOpen(who, request);
    const waiting = async (): Promise<number> => (await this.#leftLimits.waitingOf(who.subject.userId)).length;
    return this.#openings.counted(who, waiting, async (isRevoked) => {
      const session = await this.#shells.taking(who, request, () => this.#make(who, request));
      this.#begin(session, openTerminal, isRevoked());
      return { sessionId: session.sessionId };
    });
  }

  /** @throws SallyportError draining, forbidden, not_found */
  #requireMayOpen({ subject }: Requester, { targetId, administratorOnly }: OpenRequest): void {
    this.#requireRunning();
    const action: Action = targetId === null ? 'session.openAdHoc' : 'session.open';
    const decision = decide(subject, action, { ownerId: null, administratorOnly });
    if (!decision.allowed) throw new SallyportError(decision.code, `open refused: ${decision.why}`);
  }

  #begin(session: Session, openTerminal: OpenTerminal, isRevoked: boolean): void {
    if (isRevoked) {
      session.end('revoked');
      throw new SallyportError('revoked', 'the login ended while the session was made');
    }
    void session.start(openTerminal);
  }

  async leave(who: Requester, sessionId: string): Promise<void> {
    const session = this.#sessionFor(who, 'session.control', sessionId);
    await this.#leftLimits.leaving(session, () => session.leave());
  }

  async pickUp(who: Requester, sessionId: string, plan: (reopen: string) => Promise<PlannedPickUp>): Promise<void> {
    const row = await this.#leftRow(sessionId);
    if (row === null) return;
    const decision = decide(who.subject, 'session.attach', { ownerId: row.userId });
    if (!decision.allowed) throw new SallyportError(decision.code, `pick-up refused: ${decision.why}`);
    const underWay = this.#pickUps.get(sessionId);
    const pickingUp = underWay ?? this.#pickUp(who, row, plan).finally(() => this.#pickUps.delete(sessionId));
    this.#pickUps.set(sessionId, pickingUp);
    await pickingUp;
  }

  /** The row of a session that nobody carries. */
  async #leftRow(sessionId: string): Promise<LeftSession | null> {
    const row = this.#sessions.has(sessionId) ? null : await this.#deps.sessions.byId(sessionId);
    return row !== null && isLeft(row) && !this.#sessions.has(sessionId) ? row : null;
  }

  async #pickUp(who: Requester, row: LeftSession, plan: (reopen: string) => Promise<PlannedPickUp>): Promise<void> {
    await this.#leftEnds.settled(row.id);
    // It may have been ended meanwhile; from now on nobody ends it beside us.
    if ((await this.#leftRow(row.id)) === null) return;
    const left = leftTerminalOf(row);
    if (left === null) {
      await this.#leftEnds.end(row, 'target_shell_gone');
      throw new SallyportError('target_shell_gone', 'its place at the target cannot be read');
    }
    // Policy first: who may not is told nothing, and nothing is touched.
    const { request, openTerminal } = await plan(row.reopen);
    this.#requireMayOpen(who, request);
    // It counted while it waited, too.
    const none = (): Promise<number> => Promise.resolve(0);
    await this.#openings.counted(who, none, async (isRevoked) => {
      const sessionId = SessionId.parse(row.id);
      const making = new Making(this.#deps, sessionId);
      await this.#deps.audit.append({
        ...{ type: 'session.pickedUp', actor: who.actor, subject: `session:${sessionId}`, outcome: 'ok' },
        detail: { targetId: request.targetId, target: request.address, line: await hasLine(this.#deps, row, left) },
      });
      const recording = await this.#reopened(row, making);
      const before = await this.#before(row, left, recording);
      const session = this.#newSession(who, request, sessionId, before.facts, recording, before);
      making.tell(session);
      this.#sessions.set(sessionId, session);
      making.requireWhole(session);
      this.#begin(session, openTerminal(before.left), isRevoked());
    });
  }

  /** A recording that cannot be gone on with ends its session: nothing runs unrecorded. */
  async #reopened(row: LeftSession, making: Making): Promise<RecordingWriter> {
    try {
      return await this.#deps.recordings.reopen(SessionId.parse(row.id), making.events);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'recording_corrupt' || code === 'bad_state') await this.#leftEnds.end(row, code);
      throw error;
    }
  }

  /** What cannot be read, or comes when the gateway stops, waits on. */
  async #before(row: LeftSession, left: LeftTerminal, recording: RecordingWriter): Promise<Before> {
    try {
      const before = await readBefore(this.#deps, row, left, recording);
      this.#requireRunning();
      return before;
    } catch (error) {
      await recording.rest();
      throw error;
    }
  }

  ofShell(shellId: string): ReturnType<Broker['ofShell']> {
    return this.#shells.of(shellId);
  }

  endOverdue(): Promise<void> {
    return this.#leftEnds.overdue();
  }

  async attach(who: Requester, sessionId: string, request: AttachRequest, socket: SessionSocket): Promise<Page> {
    const session = this.#sessionFor(who, 'session.attach', sessionId);
    const { takeOver } = request;
    session.requireOffset(request.offset);
    await this.#audit(who, takeOver ? 'session.takeOver' : 'session.attach', session);
    this.#requireKept(session);
    if (takeOver) session.controller?.stream.close('taken_over');
    const role = session.controller === null ? 'controller' : 'viewer';
    session.recording.append({ type: 'note', text: `${takeOver ? 'taken over' : 'attached'} as ${role}` });
    return session.join(who, request, role, socket);
  }

  async resume(who: Requester, request: ResumeRequest, socket: SessionSocket): Promise<Page> {
    const { session, page: old } = this.#tokens.redeem(request.token, who);
    this.#sessionFor(who, 'session.attach', session.sessionId);
    await this.#audit(who, 'session.attach', session, { resumed: true });
    this.#requireKept(session);
    session.requireOffset(request.offset);
    old.stream.close('taken_over'); // Its line is dead, only nobody has noticed yet.
    const role = old.role === 'controller' && session.controller === null ? 'controller' : 'viewer';
    return session.join(who, request, role, socket);
  }

  async list(
    who: Requester,
    filter: { readonly before: number | null; readonly beforeId?: string | null; readonly limit: number },
  ): Promise<readonly SessionRow[]> {
    const decision = decide(who.subject, 'session.list', null);
    if (!decision.allowed) throw new SallyportError(decision.code, `list refused: ${decision.why}`);
    const userId = seesOnlyOwn(who.subject, 'session.list') ? who.subject.userId : null;
    const { before, beforeId = null, limit } = filter;
    const rows = await this.#deps.sessions.list({ userId, before, beforeId, limit });
    return Promise.all(rows.map((row) => toSessionRow(this.#deps, row, this.#sessions.get(row.id) ?? null)));
  }

  async find(sessionId: string): Promise<SessionRow | null> {
    const live = this.#sessions.get(sessionId) ?? null;
    const row = live?.row() ?? (await this.#deps.sessions.byId(sessionId));
    return row === null ? null : toSessionRow(this.#deps, row, live);
  }

  async get(who: Requester, sessionId: string): Promise<SessionRow> {
    const row = await this.find(sessionId);
    if (row === null || !decide(who.subject, 'session.list', { ownerId: row.userId }).allowed)
      throw new SallyportError('not_found', 'no such session, or not for this user');
    return row;
  }

  async commands(sessionId: string): Promise<readonly CommandMark[]> {
    return this.#sessions.get(sessionId)?.commands.marks ?? pastCommands(this.#deps, sessionId);
  }

  async terminate(who: Requester, sessionId: string): Promise<void> {
    const waiting = await this.#leftRow(sessionId);
    if (waiting !== null) {
      await this.#terminateLeft(who, waiting);
      return;
    }
    const session = this.#sessionFor(who, 'session.terminate', sessionId);
    if (session.phase === 'ended') throw new SallyportError('not_found', 'the session has ended');
    await this.#terminate(who, session);
    await this.#gone(sessionId, who.subject.userId === session.ownerId ? 'closed_by_user' : 'terminated');
  }

  async #terminateLeft(who: Requester, row: LeftSession): Promise<void> {
    const { id, userId } = row;
    const decision = decide(who.subject, 'session.terminate', { ownerId: userId });
    if (!decision.allowed) throw new SallyportError(decision.code, `session.terminate refused: ${decision.why}`);
    const subject = `session:${id}`;
    await this.#deps.audit.append({ type: 'session.terminate', actor: who.actor, subject, outcome: 'ok' });
    await this.#gone(id, who.subject.userId === userId ? 'closed_by_user' : 'terminated');
  }

  /** Ends it, whoever carries it at this moment: it may be being picked up, and go back to waiting when that is given up. */
  async #gone(id: string, reason: 'closed_by_user' | 'terminated'): Promise<void> {
    for (let pickUp = this.#pickUps.get(id); pickUp !== undefined; pickUp = this.#pickUps.get(id))
      await pickUp.catch(() => undefined);
    const session = this.#sessions.get(id);
    session?.end(reason);
    await session?.finished;
    const waiting = await this.#leftRow(id);
    if (waiting !== null) await this.#leftEnds.end(waiting, reason);
  }

  loginsEnded({ loginHashes, userId, why }: Parameters<Broker['loginsEnded']>[0]): void {
    const ended = new Set(loginHashes);
    this.#tokens.dropLogins(ended);
    const mayEnd = why === 'revoked' || why === 'changed';
    if (mayEnd) this.#openings.loginsEnded(ended);
    for (const session of [...this.#sessions.values()]) {
      const { controller } = session;
      const isTheirs = ended.has(session.who.loginHash) || (controller !== null && ended.has(controller.who.loginHash));
      for (const page of [...session.pages]) if (ended.has(page.who.loginHash)) page.stream.close('revoked');
      if (mayEnd && session.ownerId === userId && isTheirs) session.end('revoked');
    }
    if (!mayEnd) return;
    this.#leftEnds.loginsEnded(ended, userId).catch((error: unknown) => {
      this.#deps.log.error({ err: error, userId }, 'Left sessions of revoked logins not ended');
    });
  }

  async recheck(userId: string | null): Promise<void> {
    const live = this.#live().filter(({ ownerId }) => userId === null || ownerId === userId);
    const owners = new Set(live.map(({ ownerId }) => ownerId));
    for (const ownerId of owners) {
      const subject = await this.#deps.subjectOf(ownerId);
      for (const session of live.filter((other) => other.ownerId === ownerId)) {
        const resource = { ownerId, administratorOnly: session.request.administratorOnly };
        const mayStay = await session.request.mayStay();
        if (subject === null || !mayStay || !decide(subject, 'session.control', resource).allowed)
          session.end('grant_removed');
      }
    }
    await this.#leftEnds.recheck(userId);
  }

  recover(): Promise<number> {
    return recoverSessions(this.#deps);
  }

  async closeAll(reason: 'draining' | 'terminated', deadlineMs: number): Promise<void> {
    this.#isClosing = true;
    const live = this.#live();
    const stepMs = Math.min(deadlineMs / 2, 2000);
    for (const session of live)
      if (reason === 'draining') session.drain(stepMs);
      else session.end(reason, stepMs);
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => (cancel = this.#deps.clock.after(deadlineMs, resolve)));
    await Promise.race([Promise.all([this.#leftEnds.close(), ...live.map(({ finished }) => finished)]), late]);
    cancel();
  }

  counts(): { readonly sessions: number; readonly pages: number } {
    const pages = [...this.#sessions.values()].reduce((sum, session) => sum + session.pages.size, 0);
    return { sessions: this.#live().length, pages };
  }

  #live(): Session[] {
    return [...this.#sessions.values()].filter(({ phase }) => phase !== 'ended');
  }

  #requireRunning(): void {
    if (this.#isClosing) throw new SallyportError('draining', 'the gateway is shutting down');
  }
  #requireKept(session: Session): void {
    if (!this.#sessions.has(session.sessionId)) throw new SallyportError('not_found', 'the session is over');
  }

  /** @throws SallyportError not_found, forbidden */
  #sessionFor(who: Requester, action: Action, sessionId: string): Session {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) throw new SallyportError('not_found', 'no such live session');
    const decision = decide(who.subject, action, {
      ownerId: session.ownerId,
      administratorOnly: session.request.administratorOnly,
    });
    if (!decision.allowed) throw new SallyportError(decision.code, `${action} refused: ${decision.why}`);
    return session;
  }

  async #make(who: Requester, request: OpenRequest): Promise<Session> {
    const deps = this.#deps;
    const sessionId = SessionId.parse(randomId());
    const facts = firstFacts(request, deps.clock.now());
    await deps.audit.append({
      type: 'session.open',
      actor: who.actor,
      subject: `session:${sessionId}`,
      outcome: 'ok',
      detail: {
        ...{ targetId: request.targetId, target: request.address, kind: request.kind },
        ...(request.via.length === 0 ? {} : { via: request.via.join(', ') }),
        ...(request.shell === undefined ? {} : { shell: request.shell }),
      },
    });
    const making = new Making(deps, sessionId);
    const { cols, rows, kind, targetName: target, identity } = request;
    const record = deps.recordings.create(
      { ...{ sessionId, startedAt: facts.startedAt, cols, rows, kind }, user: who.userName, target, identity },
      making.events,
    );
    const recording = await record.catch(async (error: unknown) => {
      await deps.audit.append({
        type: 'session.end',
        actor: GATEWAY_ACTOR,
        subject: `session:${sessionId}`,
        outcome: 'ok',
        detail: { reason: codeOf(error), exitCode: null, userId: who.subject.userId, target: request.address },
      });
      throw error;
    });
    const session = this.#newSession(who, request, sessionId, facts, recording);
    making.tell(session);
    await this.#register(session);
    making.requireWhole(session);
    return session;
  }

  #newSession(
    who: Requester,
    request: OpenRequest,
    sessionId: SessionId,
    facts: Before['facts'],
    recording: RecordingWriter,
    before?: Before,
  ): Session {
    const deps = this.#deps;
    const session: Session = new Session({
      sessionId,
      who,
      request,
      facts,
      recording,
      deps,
      ...(before && { before }),
      events: {
        issueToken: (page) => this.#tokens.issue(session, page),
        pageLeft: (page, resumable) => {
          this.#tokens.pageLeft(page, resumable);
          if (session.isEnding) return; // Its end is audited.
          this.#audit(page.who, 'session.detach', session).catch((error: unknown) => {
            deps.log.error({ err: error, sessionId }, 'Detach not audited');
          });
        },
        ended: (isLeft) => {
          if (isLeft) this.#sessions.delete(sessionId);
          else deps.clock.after(RESUME_MS, () => this.#sessions.delete(sessionId));
          const { leftBehind } = session;
          if (leftBehind !== null) this.#leftEnds.endShell(leftBehind.row, leftBehind.left, leftBehind.reason);
        },
        closeAsked: (page) => {
          this.#terminate(page.who, session).catch((error: unknown) => {
            deps.log.error({ err: error, sessionId }, 'Closing a session refused');
            const code = codeOf(error);
            page.stream.control({ type: 'notice', level: 'warning', code, text: errorText(code) });
          });
        },
      },
    });
    return session;
  }

  /** In the table, then in the registry. What cannot be entered ends at once. */
  async #register(session: Session): Promise<void> {
    try {
      this.#requireRunning();
      await this.#deps.sessions.insert(session.row());
      this.#requireRunning();
    } catch (error) {
      session.end(this.#isClosing ? 'draining' : 'terminated');
      throw error;
    }
    this.#sessions.set(session.sessionId, session);
  }

  /** Written down first. */
  async #terminate(who: Requester, session: Session): Promise<void> {
    await this.#audit(who, 'session.terminate', session);
    session.end(who.subject.userId === session.ownerId ? 'closed_by_user' : 'terminated');
  }

  async #audit(who: Requester, type: AuditType, session: Session, detail: AuditDetail = {}): Promise<void> {
    const subject = `session:${session.sessionId}`;
    await this.#deps.audit.append({ type, actor: who.actor, subject, outcome: 'ok', detail });
  }
}

/** The one broker of a gateway. */
export const createBroker = (deps: BrokerDeps): Broker => new SessionBroker(deps);
