/** How far a connection over WinRM comes, without signing in: TLS, the listener, the ways to sign in that it offers. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import { errorText, type ErrorCode } from '@sallyport/shared/error-codes';
import type { ProbeResult } from '@sallyport/shared/api/targets';
import type { WsManMethod, WsManSettings } from '@sallyport/shared/api/wsman';
import { winRmRemedies } from '@sallyport/shared/winrm';
import { SallyportError, codeOf } from '../../errors.ts';
import type { Endpoint, Hop } from '../contract.ts';
import { findChallenge } from './auth/challenges.ts';
import { problemLeft, startTls, type TlsConnection } from './tls.ts';

type Station = ProbeResult['stations'][number];
type Step = Station['step'];
type Settings = Pick<WsManSettings, 'tls' | 'trust' | 'applicationName' | 'method'>;

export interface WinRmProbeRequest {
  readonly endpoint: Endpoint;
  readonly wsman: Settings;
  /** The last jump host on the way; closed by who opened it. */
  readonly through?: Pick<Hop, 'openTunnel'>;
  readonly timeouts: { readonly tcpMs: number; readonly handshakeMs: number };
  /** Wall clock, UTC milliseconds. */
  readonly now: number;
  /** Compares a certificate (base64 of its DER) with what is on record; null when nothing is. */
  onRecord(certificate: string): Promise<'pinned' | 'changed' | null>;
}

const SCHEMES = ['Negotiate', 'Kerberos', 'CredSSP', 'Basic', 'Digest'] as const;
/** The scheme that a method is offered under. */
const SCHEME_OF: Readonly<Record<WsManMethod, readonly string[]>> = {
  default: ['Negotiate', 'Kerberos'],
  negotiate: ['Negotiate'],
  kerberos: ['Kerberos', 'Negotiate'],
  basic: ['Basic'],
  digest: ['Digest'],
  credssp: ['CredSSP'],
  certificate: [],
  'negotiate-implicit': ['Negotiate'],
};
const MAX_HEAD_BYTES = 32 * 1024;

/** Where the probe ended, and why. */
class Stop extends Error {
  readonly step: Step;
  readonly code: ErrorCode;
  readonly detail: string;
  constructor(step: Step, code: ErrorCode, detail = '') {
    super(code);
    this.step = step;
    this.code = code;
    this.detail = detail;
  }
}

/** What was seen on the way. */
interface Seen {
  readonly detail: Map<Step, string>;
  hostKey: ProbeResult['hostKey'];
  schemes: readonly string[];
}

/** Waits for an event of a socket, no longer than that. */
async function opened(socket: Duplex, event: string, ms: number, signal: AbortSignal): Promise<void> {
  await once(socket, event, { signal: AbortSignal.any([signal, AbortSignal.timeout(ms)]) });
}
const isTimeout = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');

async function openTcp(ip: string, request: WinRmProbeRequest, signal: AbortSignal): Promise<Duplex> {
  const { through } = request;
  if (through !== undefined)
    return through.openTunnel(ip, request.endpoint.port).catch((error: unknown) => {
      throw new Stop('tcp', codeOf(error));
    });
  const socket = connectTcp({ host: ip, port: request.endpoint.port });
  try {
    await opened(socket, 'connect', request.timeouts.tcpMs, signal);
    return socket;
  } catch (error) {
    socket.destroy();
    throw new Stop('tcp', isTimeout(error) ? 'target_timeout' : 'target_unreachable');
  }
}

/** TLS without judging; what is wrong with the certificate is said apart, since it may be on record. */
async function openTls(raw: Duplex, request: WinRmProbeRequest, signal: AbortSignal): Promise<TlsConnection> {
  const { endpoint, wsman, timeouts, now } = request;
  const ends = AbortSignal.any([signal, AbortSignal.timeout(timeouts.handshakeMs)]);
  const abort = (): void => void raw.destroy();
  ends.addEventListener('abort', abort, { once: true });
  try {
    return await startTls(raw, { host: endpoint.host, trust: wsman.trust, now });
  } catch {
    throw new Stop('tls', ends.aborted ? 'target_timeout' : 'tls_failed');
  } finally {
    ends.removeEventListener('abort', abort);
  }
}

/** Who shows what, and whether that is the one on record, the pinned one, one to trust by itself, or unknown. */
async function judge({ socket, presented }: TlsConnection, request: WinRmProbeRequest, seen: Seen): Promise<void> {
  const { fingerprint, leaf, problems } = presented;
  const { trust } = request.wsman;
  const problem = problemLeft(problems, trust);
  const recorded = trust.pin === '' ? await request.onRecord(Buffer.from(leaf).toString('base64')) : null;
  const pinned = trust.pin === '' ? recorded : trust.pin === fingerprint ? 'pinned' : 'changed';
  const state = pinned ?? (problem === null ? 'pinned' : 'unknown');
  seen.detail.set('tls', `${socket.getProtocol() ?? 'TLS'}, ${socket.getCipher().name}`);
  const said = [`SHA-256 ${fingerprint}`, pinned === null ? problem : null];
  seen.detail.set('host-key', said.filter((each) => each !== null).join('; '));
  seen.hostKey = { type: 'x509', fingerprint, state };
  if (state === 'changed') throw new Stop('host-key', 'tls_certificate_changed');
}

/** An empty request without a name: the listener says which ways to sign in it has. */
async function ask(socket: Duplex, request: WinRmProbeRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const { host, port } = request.endpoint;
  const asked = httpRequest({
    method: 'POST',
    path: `/${request.wsman.applicationName}`,
    headers: {
      host: `${host.includes(':') ? `[${host}]` : host}:${port}`,
      'content-length': '0',
      'accept-encoding': 'identity',
      'user-agent': 'Sallyport',
      connection: 'close',
    },
    createConnection: () => socket, // A tunnel is as good: only the stream of it is used.
    maxHeaderSize: MAX_HEAD_BYTES,
    signal: AbortSignal.any([signal, AbortSignal.timeout(request.timeouts.handshakeMs)]),
  });
  asked.end();
  try {
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    return answer;
  } catch (error) {
    throw new Stop('winrm', isTimeout(error) ? 'target_timeout' : 'wsman_not_winrm');
  } finally {
    asked.on('error', () => undefined); // The socket is closed below, whatever the answer was.
  }
}

function readOffer(answer: IncomingMessage, { wsman }: WinRmProbeRequest, seen: Seen): void {
  const values = answer.headersDistinct['www-authenticate'] ?? [];
  seen.schemes = SCHEMES.filter((scheme) => findChallenge(values, scheme) !== null);
  const offer = seen.schemes.length === 0 ? 'no way to sign in' : seen.schemes.join(', ');
  seen.detail.set('winrm', `HTTP ${String(answer.statusCode)}; offers ${offer}`);
  if (answer.statusCode !== 401 || seen.schemes.length === 0) throw new Stop('winrm', 'wsman_not_winrm');
  const wanted = SCHEME_OF[wsman.method];
  if (wanted.length > 0 && !wanted.some((scheme) => seen.schemes.includes(scheme)))
    throw new Stop('sign-in', 'wsman_method_disabled', `The listener answers, but does not take ${wanted.join(' or ')}: it offers ${offer}.`); // prettier-ignore
}

async function walk(request: WinRmProbeRequest, seen: Seen, signal: AbortSignal): Promise<void> {
  const { endpoint, wsman } = request;
  const ip = await endpoint.resolve(signal);
  seen.detail.set('resolve', ip);
  let socket: Duplex = await openTcp(ip, request, signal);
  seen.detail.set('tcp', `port ${endpoint.port}`);
  try {
    if (wsman.tls) {
      const secure = await openTls(socket, request, signal);
      socket = secure.socket;
      await judge(secure, request, seen);
    }
    readOffer(await ask(socket, request, signal), request, seen);
  } finally {
    socket.on('error', () => undefined);
    socket.destroy();
  }
}

/** The station of a failure outside of our own steps. */
const stepOf = (code: ErrorCode): Step => (code === 'target_address_refused' ? 'policy' : 'resolve');

/** The stations of a target over WinRM. */
export const winRmSteps = (tls: boolean): readonly Step[] => {
  const secure: readonly Step[] = tls ? ['tls', 'host-key'] : [];
  return ['resolve', 'policy', 'tcp', ...secure, 'winrm', 'sign-in', 'powershell'];
};

/**
 * How far a connection to a listener of WinRM comes. No user name and no credential leave; the sign-in and what lies
 * behind it are shown as not tried.
 */
export async function probeWinRm(request: WinRmProbeRequest, signal: AbortSignal): Promise<ProbeResult> {
  const seen: Seen = { detail: new Map(), hostKey: null, schemes: [] };
  const failure = await walk(request, seen, signal).then(
    () => null,
    (error: unknown) => {
      if (error instanceof Stop) return error;
      if (error instanceof SallyportError) return new Stop(stepOf(error.code), error.code);
      return new Stop('resolve', codeOf(error));
    },
  );
  const { tls } = request.wsman;
  const steps = winRmSteps(tls);
  const end = steps.indexOf(failure?.step ?? 'sign-in');
  seen.detail.set('sign-in', 'not tried: a test sends no user name and no credential');
  seen.detail.set('powershell', 'seen only after signing in');
  return {
    stations: steps.map((step, at) => {
      if (step === failure?.step) {
        const said = failure.detail === '' ? errorText(failure.code) : failure.detail;
        return { step, state: 'failed', detail: `${said} (${failure.code})` };
      }
      return { step, state: at < end ? 'ok' : 'not-tried', detail: at < end || failure === null ? (seen.detail.get(step) ?? '') : '' }; // prettier-ignore
    }),
    at: '',
    hostKey: seen.hostKey,
    remedies:
      failure === null
        ? winRmRemedies('wsman_access_denied')
        : winRmRemedies(failure.code, seen.schemes, request.wsman.method),
  };
}
