/**
 * A WinRM service of the lab: the server role of the codec in front of real `pwsh -s` processes, or of the stand-in. It
 * keeps quotas and time-outs, leaves and takes up shells, and fails on demand.
 */
import { randomUUID } from 'node:crypto';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import {
  decodeSealedBody,
  encodeIdentity,
  encodeSealedBody,
  isIdentify,
  isSealedType,
  joinPlain,
  OPERATIONS as O,
  POWERSHELL_RESOURCE,
  readRequest,
  signalEffect,
  SOAP_CONTENT_TYPE,
  writeAnswer,
  writeFault,
} from '@sallyport/wsman';
import type { BodyPart, ReceivedRequest } from '@sallyport/wsman';
import { type Clock, systemClock } from '../../../server/src/clock.ts';
import type { LabAcceptor, LabSignIn } from './acceptors.ts';
import { answerOfLeft } from './left-shells.ts';
import { LabShell, ShellGone, ShellLeft } from './shell.ts';

const MAX_ENVELOPE = 512_000;
/** Of who names none. */
const MIN_ENVELOPE = 153_600;
/** An answer to Receive without its streams. */
const ENVELOPE_ITSELF = 2000;
const WSMAN_VERSION = 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd';
export const FAULTS = {
  redirect: 2150859161,
  timedOut: 2150858793,
  shellNotFound: 2150858843,
  shellQuota: 2150859173,
  configurationNotFound: 2150858811,
  inUse: 2150859213,
  badState: 2150859216,
  notSupported: 2150858868,
  aborted: 995,
  invalidId: 2150859202,
  envelopeSize: 2150858823,
  envelopeTooLarge: 2150858790,
} as const;

export interface LabWsManOptions {
  /** What a shell is, for example `pwsh -s -NoLogo`. */
  readonly command: readonly [string, ...string[]];
  readonly acceptor: LabAcceptor;
  /** PEM; null = plain HTTP. */
  readonly tls: {
    readonly key: string;
    readonly cert: string;
    readonly ca?: string;
    readonly asksForCertificate?: boolean;
  } | null;
  /** 127.0.0.1 without. */
  readonly listen?: '127.0.0.1' | '::1';
  /** Any free one without. */
  readonly port?: number;
  readonly path?: string;
  readonly configurationName?: string;
  /** Upper limit of what clients ask for. */
  readonly operationTimeoutMs?: number;
  readonly idleTimeoutMs?: number;
  readonly maxShells?: number;
  /** Of operation and idle time-outs; the system's without. */
  readonly clock?: Clock;
  /** Largest envelope in both directions; who sends or announces more is refused. */
  readonly maxEnvelopeBytes?: number;
  /** As Windows 7 and Server 2008 R2: it keeps no shell without a client. */
  readonly isOld?: boolean;
  /** As OMI on Linux: it closes the connection on a tab before the headers of a sealed part, and writes none itself. */
  readonly refusesTab?: boolean;
}

/** Every request that was understood. */
export interface LabRequest {
  readonly name: string;
  readonly header: ReceivedRequest['header'];
}

class Refusal extends Error {
  readonly number: number;
  constructor(number: number, words = `lab says ${String(number)}`) {
    super(words);
    this.number = number;
  }
}

type Sealing = LabSignIn['sealing'];
interface Peer {
  readonly signIn: LabSignIn;
  user: string | null;
}

export class LabWsMan {
  readonly requests: LabRequest[] = [];
  readonly shells = new Map<string, LabShell>();
  /** Connections made so far, and those open now. */
  connections = 0;
  openConnections = 0;
  /** Requests without an answer, polls not counted. */
  busy = 0;
  /** Polls that are held. */
  polls = 0;
  /** Of an envelope that came, and of one that went. */
  largest = { request: 0, answer: 0 };
  /** Refuses the next request of an operation with this number. */
  readonly refusals = new Map<string, number>();
  /** Sends whoever makes a shell there, with a fault of Create. */
  createsAt: string | null = null;
  /** Told before an answer goes out; true cuts the connection instead. `sent` bytes of the answer go out first. */
  cut: (name: string) => 'before' | 'within' | null = () => null;
  /** As Server 2008 R2: the shell gets another id than the one that the client asked for, and the answer does not describe it. */
  givesOwnShellIds = false;
  /** In place of an answer. */
  intercept: (request: IncomingMessage, response: ServerResponse, body: Uint8Array) => boolean = () => false;
  readonly #options: LabWsManOptions;
  readonly #server: ReturnType<typeof createHttp> | ReturnType<typeof createHttps>;
  readonly #peers = new WeakMap<Socket, Peer>();
  readonly #sockets = new Set<Socket>();
  /** The last answers to polls, for who asks the same again. */
  readonly #lastAnswers = new Map<string, string>();
  readonly #told: (() => void)[] = [];

  constructor(options: LabWsManOptions) {
    this.#options = options;
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      this.#handle(request, response).catch((error: unknown) => {
        response.destroy(error instanceof Error ? error : undefined);
      });
    };
    const { tls } = options;
    this.#server =
      tls === null
        ? createHttp(handle)
        : createHttps(
            {
              ...{
                key: tls.key,
                cert: tls.cert,
                requestCert: tls.asksForCertificate ?? false,
                rejectUnauthorized: false,
              },
              ...(tls.ca === undefined ? {} : { ca: tls.ca }),
            },
            handle,
          );
    this.#server.keepAliveTimeout = 120_000;
    this.#server.on('connection', (socket: Socket) => {
      this.connections += 1;
      this.openConnections += 1;
      this.#sockets.add(socket);
      socket.once('close', () => {
        this.openConnections -= 1;
        this.#sockets.delete(socket);
      });
    });
  }

  static async start(options: LabWsManOptions): Promise<LabWsMan> {
    const lab = new LabWsMan(options);
    await new Promise<void>((resolve) => lab.#server.listen(options.port ?? 0, options.listen ?? '127.0.0.1', resolve));
    return lab;
  }
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }
  #tell(): void {
    for (const told of this.#told.splice(0)) told();
  }
  /** Resolves when `check` holds; asked after every request, and when a shell has written or ended. */
  async until(check: () => boolean): Promise<void> {
    while (!check()) await new Promise<void>((resolve) => this.#told.push(resolve));
  }
  /** Resolves when no connection is open. */
  async untilQuiet(): Promise<void> {
    while (this.#sockets.size > 0) await new Promise((resolve) => [...this.#sockets][0]?.once('close', resolve));
  }
  names(): string[] {
    return this.requests.map(({ name }) => name);
  }
  /** Cuts every connection; the shells live on. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
  async stop(): Promise<void> {
    this.cutAll();
    for (const shell of this.shells.values()) shell.kill();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #peerOf(socket: Socket): Peer {
    const known = this.#peers.get(socket);
    if (known !== undefined) return known;
    const peer = { signIn: this.#options.acceptor(), user: null };
    this.#peers.set(socket, peer);
    return peer;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readAll(request);
    if (this.intercept(request, response, body)) return;
    const path = request.url ?? '';
    if (path.replace(/\?PSVersion=[^?]*$/, '') !== `/${this.#options.path ?? 'wsman'}`) {
      response.writeHead(404).end();
      return;
    }
    const peer = this.#peerOf(request.socket);
    const isBound = peer.user !== null && peer.signIn.isBound;
    if (!isBound) {
      const accepted = await peer.signIn.take(
        ...[request.headers.authorization ?? null, request.method ?? '', path],
        certificateOf(request.socket),
      );
      if (accepted.kind === 'refused') {
        response.writeHead(401, { 'WWW-Authenticate': [...accepted.challenges] }).end();
        return;
      }
      peer.user = accepted.user;
      if (body.length === 0) {
        response.writeHead(200, accepted.token === undefined ? {} : { 'WWW-Authenticate': accepted.token }).end();
        return;
      }
    }
    const contentType = request.headers['content-type'] ?? '';
    if (this.#options.refusesTab === true && isSealedType(contentType) && HAS_TAB.test(headOf(body))) {
      request.socket.destroy();
      return;
    }
    const sealing = isSealedType(contentType) || this.#options.tls === null ? peer.signIn.sealing : null;
    const envelope = await open(sealing, contentType, body);
    const gone = new AbortController();
    // With a reason: to make the usual one costs as much as the whole request.
    response.once('close', () => gone.abort('closed'));
    const { text, isFault, name } = await this.#answer(envelope, peer.user ?? '', gone.signal);
    await this.#reply(response, sealing, text, isFault, name);
  }

  async #reply(
    response: ServerResponse,
    sealing: Sealing,
    text: string,
    isFault: boolean,
    name: string,
  ): Promise<void> {
    const cut = this.cut(name);
    if (name !== 'Receive' && name !== 'Identify') this.busy -= 1;
    if (cut === 'before') {
      response.destroy();
      return;
    }
    this.largest.answer = Math.max(this.largest.answer, text.length);
    const hasTab = this.#options.refusesTab !== true;
    const { contentType, bytes } = await close(sealing, new TextEncoder().encode(text), hasTab);
    response.writeHead(isFault ? 500 : 200, { 'Content-Type': contentType, 'Content-Length': bytes.length });
    if (cut === 'within') response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
    else response.end(bytes);
    this.#tell();
  }

  async #answer(
    envelope: Uint8Array,
    user: string,
    gone: AbortSignal,
  ): Promise<{ text: string; isFault: boolean; name: string }> {
    if (isIdentify(envelope)) {
      const identity = { protocolVersion: WSMAN_VERSION, productVendor: 'Lab', productVersion: '1' };
      return { text: encodeIdentity(identity), isFault: false, name: 'Identify' };
    }
    const received = readRequest(envelope);
    const { header } = received;
    const name = header.action.slice(header.action.lastIndexOf('/') + 1);
    this.requests.push({ name, header });
    if (name !== 'Receive') this.busy += 1;
    this.#tell();
    const ids = { relatesTo: header.messageId, messageId: randomUUID() };
    try {
      const refusal = this.refusals.get(name);
      this.refusals.delete(name);
      if (refusal !== undefined) throw new Refusal(refusal);
      const { maxEnvelopeBytes = MAX_ENVELOPE } = this.#options;
      if ((header.maxEnvelopeBytes ?? 0) > maxEnvelopeBytes) throw new Refusal(FAULTS.envelopeSize);
      if (envelope.length > maxEnvelopeBytes) throw new Refusal(FAULTS.envelopeTooLarge);
      this.largest.request = Math.max(this.largest.request, envelope.length);
      if (name === 'Create' && this.createsAt !== null) throw new Refusal(FAULTS.redirect, this.createsAt);
      const known = this.#lastAnswers.get(header.messageId);
      const text = known ?? (await this.#operate(name, received, ids, user, gone));
      if (name === 'Receive') {
        this.#lastAnswers.set(header.messageId, text);
        if (this.#lastAnswers.size > 100) this.#lastAnswers.delete([...this.#lastAnswers.keys()][0] ?? '');
      }
      return { text, isFault: false, name };
    } catch (error) {
      const number = numberOf(error);
      if (number === null) throw error;
      const subcode = number === FAULTS.timedOut ? 'wsman:TimedOut' : 'wsman:InternalError';
      const fault = {
        value: 'Receiver',
        subcode,
        wsmanCode: number,
        message: error instanceof Refusal ? error.message : `lab says ${String(number)}`,
        machine: 'LAB',
      } as const;
      return { text: writeFault(ids, fault), isFault: true, name };
    }
  }

  #shellOf({ header }: ReceivedRequest): LabShell {
    const id = header.selectors.find((each) => each.name === 'ShellId')?.value.toUpperCase() ?? '';
    const shell = this.shells.get(id);
    if (shell === undefined || shell.isGone) throw new Refusal(FAULTS.shellNotFound);
    shell.touch();
    return shell;
  }
  /** For what only the client may do that holds it. */
  #heldShellOf(received: ReceivedRequest): LabShell {
    const shell = this.#shellOf(received);
    if (shell.sessionId !== (received.header.sessionId ?? '')) throw new Refusal(FAULTS.inUse);
    if (shell.state === 'Disconnected') throw new Refusal(FAULTS.badState);
    return shell;
  }

  async #operate(
    name: string,
    received: ReceivedRequest,
    ids: { relatesTo: string; messageId: string },
    user: string,
    gone: AbortSignal,
  ): Promise<string> {
    const { body, header } = received;
    const left = answerOfLeft(name, received, ids, user, {
      shells: this.shells,
      resourceUri: `${POWERSHELL_RESOURCE}${this.#options.configurationName ?? 'Microsoft.PowerShell'}`,
      canDisconnect: this.#options.isOld !== true,
      shellOf: (of) => this.#shellOf(of),
      refuse: (why) => {
        throw new Refusal(FAULTS[why]);
      },
    });
    if (left !== null) return left;
    switch (name) {
      case 'Create':
        return this.#create(received, ids, user);
      case 'Command': {
        const request = O.command.decodeRequest(body, header.options);
        const commandId = (request.commandId ?? randomUUID()).toUpperCase();
        const shell = this.#heldShellOf(received);
        // One after the other: pwsh takes each line in a thread of its own, and loses Data that comes before its Command.
        await shell.command(commandId, '');
        // That is not waited for, as over SSH: what comes later for the command waits its turn, and a process that ends is told.
        shell.data(commandId, 'default', request.arguments).catch(() => undefined);
        return writeAnswer(O.command, ids, { commandId });
      }
      case 'Send': {
        const { commandId, stream, bytes } = O.send.decodeRequest(body, header.options);
        const shell = this.#heldShellOf(received);
        if (commandId !== null && !shell.has(commandId)) throw new Refusal(FAULTS.shellNotFound);
        await shell.data(commandId, stream === 'pr' ? 'promptResponse' : 'default', bytes);
        return writeAnswer(O.send, ids, null);
      }
      case 'Receive': {
        const { commandId } = O.receive.decodeRequest(body, header.options);
        const asked = header.operationTimeoutMs ?? 60_000;
        const timeoutMs = Math.min(asked, this.#options.operationTimeoutMs ?? asked);
        const maxBytes = rawBytes(header.maxEnvelopeBytes ?? MIN_ENVELOPE);
        const asking = this.#heldShellOf(received).receive(commandId, timeoutMs, gone, maxBytes);
        this.polls += 1;
        const answer = await asking.finally(() => (this.polls -= 1));
        if (answer === null) throw new Refusal(FAULTS.timedOut);
        return writeAnswer(O.receive, ids, answer);
      }
      case 'Signal': {
        const { commandId, signalCode } = O.signal.decodeRequest(body, header.options);
        const shell = this.#heldShellOf(received);
        if (commandId === null || !shell.has(commandId)) throw new Refusal(FAULTS.shellNotFound);
        if (signalEffect(signalCode) === 'stop') await shell.stop(commandId);
        else shell.terminate(commandId);
        return writeAnswer(O.signal, ids, null);
      }
      case 'Delete':
        await this.#shellOf(received).delete();
        return writeAnswer(O.deleteShell, ids, null);
      default:
        throw new Refusal(2150858752);
    }
  }

  async #create(
    { body, header }: ReceivedRequest,
    ids: { relatesTo: string; messageId: string },
    owner: string,
  ): Promise<string> {
    const {
      configurationName = 'Microsoft.PowerShell',
      maxShells = 30,
      idleTimeoutMs = 7_200_000,
      command,
    } = this.#options;
    if (!header.resourceUri.endsWith(`/${configurationName}`)) throw new Refusal(FAULTS.configurationNotFound);
    if (this.shells.size >= maxShells) throw new Refusal(FAULTS.shellQuota);
    const asked = O.create.decodeRequest(body, header.options);
    const shellId = (this.givesOwnShellIds ? randomUUID() : asked.shellId).toUpperCase();
    if (this.shells.has(shellId)) throw new Refusal(FAULTS.invalidId);
    const idle = Math.min(asked.idleTimeoutMs ?? idleTimeoutMs, idleTimeoutMs);
    const shell = new LabShell({
      shellId,
      command,
      idleTimeoutMs: idle,
      owner,
      bufferMode: asked.bufferMode ?? 'Block',
      clock: this.#options.clock ?? systemClock,
      wrote: () => this.#tell(),
      ended: () => {
        this.shells.delete(shellId);
        this.#tell();
      },
    });
    shell.sessionId = header.sessionId ?? '';
    this.shells.set(shellId, shell);
    await shell.data(null, 'default', asked.creationXml);
    const selectors = [{ name: 'ShellId', value: shellId }];
    const { resourceUri } = header;
    return writeAnswer(O.create, ids, {
      shellId,
      selectors,
      resourceUri,
      address: null,
      shell: this.givesOwnShellIds || this.#options.isOld === true ? null : shell.info(resourceUri),
    });
  }
}

/** What fits into an answer of that size, before base64. */
const rawBytes = (maxEnvelopeBytes: number): number => Math.floor(((maxEnvelopeBytes - ENVELOPE_ITSELF) / 4) * 3);

/** Of a sealed body, as far as its first part's head goes. */
const headOf = (body: Uint8Array): string => Buffer.from(body.subarray(0, 120)).toString('latin1');
const HAS_TAB = /^--[^\r]*\r\n\t/;

/** What the client showed, where its chain is good. */
const certificateOf = (socket: Socket) =>
  socket instanceof TLSSocket && socket.authorized ? (socket.getPeerX509Certificate() ?? null) : null;

function numberOf(error: unknown): number | null {
  if (error instanceof Refusal) return error.number;
  if (error instanceof ShellLeft) return FAULTS.aborted;
  return error instanceof ShellGone ? FAULTS.shellNotFound : null;
}

async function readAll(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ENVELOPE * 2) throw new Error('a request that is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Unseals a request. */
async function open(sealing: Sealing, contentType: string, body: Uint8Array): Promise<Uint8Array> {
  if (sealing === null) return body;
  if (!isSealedType(contentType)) throw new Error('a request in clear where it must be sealed');
  const { parts } = decodeSealedBody(contentType, body, MAX_ENVELOPE);
  const plains: Uint8Array[] = [];
  for (const part of parts) plains.push(await sealing.unseal(part));
  return joinPlain(parts, plains);
}

/** Seals an answer. */
async function close(
  sealing: Sealing,
  envelope: Uint8Array,
  hasTab: boolean,
): Promise<{ contentType: string; bytes: Uint8Array }> {
  if (sealing === null) return { contentType: SOAP_CONTENT_TYPE, bytes: envelope };
  const parts: BodyPart[] = [];
  for (let at = 0; at < envelope.length; at += sealing.maxPart) {
    const plain = envelope.subarray(at, at + sealing.maxPart);
    const sealed = await sealing.seal(plain);
    parts.push({ ...sealed, plainLength: /credssp/i.test(sealing.protocol) ? plain.length : sealed.sealed.length });
  }
  return encodeSealedBody(parts, { protocol: sealing.protocol, hasTab });
}
