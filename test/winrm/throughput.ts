/** How fast bodies are sealed and opened, one after the other, as the gateway does it: Kerberos through its process. */
import { NtlmSession } from '@sallyport/wsman';
import type { BodyPart } from '@sallyport/wsman';
import { Secret } from '../../server/src/secret.ts';
import { loadMechanism } from '../../server/src/transports/wsman/auth/kerberos/load-mechanism.ts';
import { toConfiguration } from '../../server/src/transports/wsman/auth/kerberos/realms.ts';
import { Kerberos } from '../../server/src/transports/wsman/auth/kerberos/sign-in.ts';
import { ntlmPrimitives } from '../../server/src/transports/wsman/auth/md5.ts';
import { missingForAcceptor, startAcceptor } from '../lab/kerberos/acceptor.ts';
import { LabConnection } from '../lab/kerberos/client.ts';
import { DOMAIN, HOSTS, LabKdc, PEOPLE, REALM, missingForKdc } from '../lab/kerberos/kdc.ts';

const BYTES = 512 * 1024;
const ROUNDS = 40;
const KINDS = [
  ['win', 'aes256-cts-hmac-sha1-96'],
  ['aes128', 'aes128-cts-hmac-sha1-96'],
  ['sha256', 'aes128-cts-hmac-sha256-128'],
  ['sha384', 'aes256-cts-hmac-sha384-192'],
] as const;

async function timed(rounds: number, work: (round: number) => Promise<unknown>): Promise<number> {
  const started = performance.now();
  for (let round = 0; round < rounds; round++) await work(round);
  return (BYTES * rounds) / (performance.now() - started) / 1000;
}

/** The same library in this process, without the way to the other and back: what the way costs is the ratio of the two. */
async function directSealing(kdc: LabKdc, host: string, port: number): Promise<{ seal(): void; close(): void }> {
  const mechanism = loadMechanism(toConfiguration(kdc.settings));
  const source = { kind: 'password', principal: `ada@${REALM}`, isForwardable: false } as const;
  const tickets = await mechanism.getTickets(source, new Uint8Array(Buffer.from(`${PEOPLE.ada}\0`)));
  const context = tickets.begin({ service: `HTTP@${host}`, delegation: 'never', bindings: new Uint8Array() });
  const connection = new LabConnection({ host, port });
  const { token } = await context.step(new Uint8Array());
  const headers = { Authorization: `Kerberos ${Buffer.from(token).toString('base64')}` };
  const { challenges } = await connection.post(headers, new Uint8Array());
  await context.step(new Uint8Array(Buffer.from(challenges[0]?.split(' ')[1] ?? '', 'base64')));
  const plain = new Uint8Array(BYTES).fill(65);
  return {
    // It is sealed in its place.
    seal: () => void context.seal(plain.slice()),
    close() {
      connection.close();
      context.close();
      tickets.forget();
    },
  };
}

/** @returns one line per kind of encryption; none where something is missing */
export async function kerberosThroughput(): Promise<string[]> {
  if ((missingForKdc() ?? missingForAcceptor()) !== null) return [];
  const kdc = await LabKdc.start();
  const kerberos = new Kerberos(kdc.settings);
  const identity = { kind: 'password', user: `ada@${DOMAIN}`, password: new Secret(PEOPLE.ada) } as const;
  const way = kerberos.signIn({ scheme: 'Kerberos', identity });
  const lines: string[] = [];
  for (const [host, encryption] of KINDS) {
    const acceptor = await startAcceptor({ keytab: kdc.keytab, encryption });
    const connection = new LabConnection({ host: HOSTS[host], port: acceptor.port });
    const { sealing } = await connection.signIn(way);
    if (sealing === null) throw new Error('no sealing');
    const plain = new Uint8Array(BYTES).fill(65);
    const parts: BodyPart[] = [];
    for (let round = 0; round < ROUNDS; round++) parts.push(...(await connection.exchangeSealed(plain)));
    const opened = await timed(ROUNDS, async (round) => {
      const part = parts[round];
      if (part === undefined || (await sealing.unseal(part)).length !== BYTES) throw new Error('another body');
    });
    const sealed = await timed(ROUNDS, () => sealing.seal(plain));
    const direct = await directSealing(kdc, HOSTS[host], acceptor.port);
    const ratio = sealed / (await timed(ROUNDS, async () => direct.seal()));
    direct.close();
    lines.push(`${encryption}: ${sealed.toFixed(0)} MB/s sealed (${ratio.toFixed(2)} of the library called directly), ${opened.toFixed(0)} MB/s opened`); // prettier-ignore
    connection.close();
    await acceptor.stop();
  }
  await way.close();
  kerberos.close();
  await kdc.stop();
  return lines;
}

/** NTLM seals in the thread of the gateway: what counts is its processor time, which others on the machine do not change. */
export function ntlmThroughput(): string[] {
  const primitives = ntlmPrimitives(() => 0);
  const key = new Uint8Array(16).fill(1);
  const [ours, theirs] = [new NtlmSession(primitives, key, 'client'), new NtlmSession(primitives, key, 'server')];
  const plain = new Uint8Array(BYTES).fill(65);
  const spent = { seal: 0, unseal: 0 };
  const timedCpu = <T>(kind: keyof typeof spent, work: () => T): T => {
    const before = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(before);
    spent[kind] += user + system;
    return result;
  };
  for (let round = 0; round < 2 * ROUNDS; round++) {
    if (round === ROUNDS) Object.assign(spent, { seal: 0, unseal: 0 });
    const part = timedCpu('seal', () => ours.seal(plain));
    timedCpu('unseal', () => theirs.unseal(part));
  }
  const speed = (kind: keyof typeof spent): string => ((BYTES * ROUNDS) / spent[kind]).toFixed(0);
  return [`NTLM (RC4, HMAC-MD5), per second of one thread: ${speed('seal')} MB sealed, ${speed('unseal')} MB opened`];
}
