/** What opens a session again that was left at its target: kept with its row, without any secret. */
import { OpenSession } from '@sallyport/shared/api/sessions';
import { SallyportError } from '../errors.ts';

const Kept = OpenSession.pick({ to: true, kind: true, credential: true, language: true });
type KeptOpening = ReturnType<typeof keptOpening>;

/** A credential of the vault by its id; of what a person typed only the name: the rest is asked for again. */
function credentialOf({ credential }: OpenSession): OpenSession['credential'] {
  if (credential.by !== 'typed') return credential;
  const { user } = credential.typed;
  const nothing = { secret: '', passphrase: null, certificate: null, saveAs: null };
  return { by: 'typed', typed: { user, kind: 'ask', ...nothing } };
}

/** As it is kept; `keptOpening` reads it. */
export function reopenOf(body: OpenSession): string {
  const { to, kind, language } = body;
  return JSON.stringify({ to, kind, language, credential: credentialOf(body) } satisfies KeptOpening);
}

/** @throws SallyportError bad_state */
export function keptOpening(reopen: string): Pick<OpenSession, 'to' | 'kind' | 'credential' | 'language'> {
  const kept = Kept.safeParse(JSON.parse(reopen));
  if (!kept.success) throw new SallyportError('bad_state', 'what opens the session again cannot be read');
  return kept.data;
}
