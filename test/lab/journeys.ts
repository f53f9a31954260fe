/** Steps that many tests take in a gateway: a target for a lab's sshd, the host key, the recorded bytes. */
import type { ReplayEvent } from '@sallyport/shared/api/sessions';
import type { Credential, Target } from '@sallyport/shared/api/targets';
import type { ConsolePage } from './console-page.ts';
import type { Person } from './gateway.ts';
import type { LabSshd } from './sshd.ts';

/** A vault entry for the lab's key and a target that uses it. */
export async function addLabTarget(
  admin: Person,
  sshd: Pick<LabSshd, 'port' | 'user'> & {
    readonly host: string;
    readonly keys: { readonly ed25519: { readonly privateKey: string } };
  },
  name = 'lab',
): Promise<Target> {
  const credential = await admin.post<Credential>('/api/credentials', {
    label: `${name} key`,
    kind: 'privateKey',
    user: sshd.user,
    secret: sshd.keys.ed25519.privateKey,
    passphrase: null,
  });
  return admin.post<Target>('/api/targets', {
    name,
    transport: 'ssh',
    host: sshd.host,
    port: sshd.port,
    subsystem: 'powershell',
    offers: ['powershell', 'pty'],
    credentialId: credential.id,
    user: sshd.user,
    connectTimeoutMs: 30_000,
    notes: '',
  });
}

/** Accepts the host key that is asked about. @returns its fingerprint */
export async function acceptHostKey(page: ConsolePage): Promise<string> {
  const message = await page.untilMessage('question');
  if (message.question.kind !== 'hostKey') throw new Error(`asked ${message.question.kind}`);
  page.answer(message, { kind: 'accept' });
  return message.question.fingerprint;
}

/** Every output byte of a recording, in order. */
export async function recordedOutput(person: Person, sessionId: string): Promise<Buffer> {
  const lines = await person.must<string>('GET', `/api/recordings/${sessionId}/events`);
  const events = lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ReplayEvent);
  return Buffer.concat(events.flatMap(({ data }) => (data === undefined ? [] : [Buffer.from(data, 'base64')])));
}
