import { WsManProtocolError } from './errors.ts';
import { fragmentBytes } from './fragment-size.ts';
import { isSameId, toWireId } from './ids.ts';
import type { WsManLimits } from './limits.ts';
import { SHELL_SELECTOR } from './shell/create.ts';
import type { AnswerCodec, Operation } from './shell/operation.ts';
import { send } from './shell/send.ts';
import { decodeEnvelope, encodeEnvelope } from './soap/envelope.ts';
import { decodeFault, WsManFaultError } from './soap/fault.ts';
import { decodeResponseHeader, encodeRequestHeader } from './soap/header.ts';
import type { Selector } from './soap/header.ts';
import { NS } from './soap/namespaces.ts';

/** What all requests of one client to one endpoint share. */
export interface RequestsOptions {
  /** The address, see `endpointUrl`. */
  readonly url: string;
  /** The endpoint, see `resourceUri`. */
  readonly resourceUri: string;
  /** A GUID, one for the life of the client. */
  readonly sessionId: string;
  /** Makes GUIDs for messages. */
  readonly newId: () => string;
  /** Largest answer, in bytes; must not be more than the server's own. */
  readonly maxEnvelopeBytes: number;
  readonly operationTimeoutMs: number;
  /** Language of messages, for example `en-US`. */
  readonly locale: string;
  /** Language of numbers and dates. */
  readonly dataLocale: string;
  readonly limits?: Partial<WsManLimits>;
}

/** What a request differs in from the others. */
export interface RequestTarget {
  /** Default: the endpoint. */
  readonly resourceUri?: string;
  /** Default: none. */
  readonly selectors?: readonly Selector[];
  /** Default: that of the client. */
  readonly operationTimeoutMs?: number;
  /** Largest answer to this request; default: that of the client. */
  readonly maxEnvelopeBytes?: number;
}

/** A request that can be sent, and what its answer is read with. */
export interface Prepared<Response> {
  readonly operation: AnswerCodec<Response>;
  readonly messageId: string;
  /** For the body of a POST. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const NO_GUID = '00000000-0000-0000-0000-000000000000';

/** Makes the requests of one client and reads their answers. No I/O. [MS-WSMV] 2.2.4.1 Common Message Headers. */
export class Requests {
  readonly #options: RequestsOptions;

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** The selectors of a shell by its id. */
  static shell(shellId: string): readonly Selector[] {
    return [{ name: SHELL_SELECTOR, value: toWireId(shellId) }];
  }

  /** @throws WsManEncodeError */
  prepare<Request, Response>(
    operation: Operation<Request, Response>,
    request: Request,
    target: RequestTarget = {},
  ): Prepared<Response> {
    const messageId = `uuid:${toWireId(this.#options.newId())}`;
    return { operation, messageId, bytes: this.#encode(operation, request, target, messageId) };
  }

  #encode<Request, Response>(
    operation: Operation<Request, Response>,
    request: Request,
    target: RequestTarget,
    messageId: string,
  ): Uint8Array<ArrayBuffer> {
    const options = this.#options;
    const content = operation.encodeRequest(request);
    const header = encodeRequestHeader({
      to: options.url,
      resourceUri: target.resourceUri ?? options.resourceUri,
      action: operation.action,
      messageId,
      maxEnvelopeBytes: target.maxEnvelopeBytes ?? options.maxEnvelopeBytes,
      operationTimeoutMs: target.operationTimeoutMs ?? options.operationTimeoutMs,
      locale: options.locale,
      dataLocale: options.dataLocale,
      sessionId: `uuid:${toWireId(options.sessionId)}`,
      options: content.options ?? [],
      selectors: target.selectors ?? [],
    });
    return new TextEncoder().encode(encodeEnvelope(header, content.body, operation.prefixes));
  }

  /**
   * Reads the answer to a request.
   * @throws WsManFaultError when the server refused; `isTimeout` is normal for Receive
   * @throws WsManProtocolError for anything that is not the answer
   */
  read<Response>(prepared: Prepared<Response>, bytes: Uint8Array): Response {
    const { operation, messageId } = prepared;
    const { header, body } = decodeEnvelope(bytes, this.#options.limits);
    const { action, relatesTo, activityId } = decodeResponseHeader(header);
    const fault = body.first(NS.s, 'Fault');
    // A server that could not read the request cannot say what it answers; that only ever refuses.
    const isOurs = relatesTo === null ? fault !== null : isSameId(relatesTo, messageId);
    if (!isOurs) refuse('an answer to another request', operation.section);
    if (fault !== null) throw new WsManFaultError(decodeFault(fault), activityId);
    if (action !== operation.responseAction) refuse(`the action of the answer to ${operation.name}`, operation.section);
    return operation.decodeResponse(body);
  }

  /** Bytes of a fragment that fits in a Send, for servers that take envelopes of this size. */
  fragmentBytes(maxEnvelopeBytes = this.#options.maxEnvelopeBytes): number {
    const request = { stream: 'stdin', commandId: NO_GUID, bytes: new Uint8Array() } as const;
    const empty = this.#encode(send, request, { selectors: Requests.shell(NO_GUID) }, `uuid:${NO_GUID}`);
    return fragmentBytes(maxEnvelopeBytes, empty.length);
  }
}

function refuse(what: string, section: string): never {
  throw new WsManProtocolError('wsman_malformed', what, { section });
}
