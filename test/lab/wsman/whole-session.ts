/** One session over WinRM from its opening to its end, through the whole program, and what is kept of it. */
import type { AuditEventRow, AuditPage, LedgerPage, LedgerRow } from '@sallyport/shared/api/audit';
import type { SessionRow } from '@sallyport/shared/api/sessions';
import type { Target, TargetBody } from '@sallyport/shared/api/targets';
import { WsManSettings } from '@sallyport/shared/api/wsman';
import type { ServerMessage } from '@sallyport/shared/wire/control';
import { ConsolePage, openBody } from '../console-page.ts';
import type { Person } from '../gateway.ts';
import type { LabWsMan } from './server.ts';

type Question = Extract<ServerMessage, { type: 'question' }>['question'];

/** A target at the lab's service, named `localhost`. */
export const winRmBody = (lab: Pick<LabWsMan, 'port'>, more: Partial<TargetBody> = {}) => ({
  ...{ name: 'win01', transport: 'wsman', host: 'localhost', port: lab.port, subsystem: 'powershell' },
  ...{ offers: ['powershell'], credentialId: null, user: '', connectTimeoutMs: 30_000, notes: '' },
  ...{ wsman: WsManSettings.parse({}) },
  ...more,
});

export interface WholeSession {
  readonly page: ConsolePage;
  readonly row: SessionRow;
  readonly ledger: readonly LedgerRow[];
  /** Of the audit log: what was written since it began, oldest first. */
  readonly events: readonly AuditEventRow[];
  /** What was asked before the first prompt. */
  readonly asked: readonly Question[];
}

/**
 * Opens a console at a new target, runs a line, answers a question of the target, ends it; the shell there is deleted.
 * @param consent answers the question before the first prompt with this choice; null = none is expected
 * @throws Error when it was no whole session
 */
export async function wholeSession(
  person: Person,
  lab: LabWsMan,
  body: Partial<TargetBody>,
  consent: number | null = null,
): Promise<WholeSession> {
  const target = await person.post<Target>('/api/targets', winRmBody(lab, body));
  const deleted = (): number => lab.names().filter((name) => name === 'Delete').length;
  const deletedBefore = deleted();
  const before = (await person.get<AuditPage>('/api/audit?limit=1')).events[0]?.sequence ?? 0;
  const page = await ConsolePage.open(person, openBody(target.id, 'powershell'));
  if (consent !== null) page.answer(await page.untilMessage('question'), { kind: 'choice', indexes: [consent] });
  await page.untilMessage('prompt');
  const asked = page.all('question').map(({ question }) => question);
  const sum = await page.run('1+1');
  page.submit('Read-Host name');
  const question = await page.untilMessage('question', asked.length + 1);
  page.answer(question, { kind: 'text', text: 'anna karenina' });
  await page.untilMessage('prompt', 3);
  page.submit('exit');
  const ended = await page.untilMessage('ended');
  if (!sum.includes('2') || !page.text().includes('anna karenina') || ended.reason !== 'exited')
    throw new Error(`not a whole session: ${sum} ${page.text()} ${JSON.stringify(ended)}`);
  await lab.until(() => deleted() > deletedBefore);
  const { events } = await person.get<AuditPage>('/api/audit?limit=200');
  return {
    ...{ page, asked, events: events.filter(({ sequence }) => sequence > before).reverse() },
    row: await person.get<SessionRow>(`/api/sessions/${page.sessionId}`),
    ledger: (await person.get<LedgerPage>(`/api/ledger?session=${page.sessionId}`)).rows,
  };
}
