import { malformed, WsManError } from '../errors.ts';
import type { XmlElement } from '../xml/element.ts';
import { element, textElement } from '../xml/writer.ts';
import { explainFault, FAULT_CODE, faultCode } from './fault-codes.ts';
import type { FaultExplanation } from './fault-codes.ts';
import { NS } from './namespaces.ts';

const SECTION = 'SOAP 1.2 Part 1, 5.4 SOAP Fault';
/** Of a text of the peer, the part that is kept. */
const MAX_TEXT = 4096;
/** Faults within faults that are read. */
const MAX_INNER = 8;

/** A fault as a server told it; texts are the server's, in its language, and must be escaped where they are shown. */
export interface WsManFault {
  /** Who is to blame: `Sender` or `Receiver`. */
  readonly value: string;
  /** Local name of the subcode, for example `TimedOut`; null when absent. */
  readonly subcode: string | null;
  /** The Code attribute, unsigned; null when absent. */
  readonly wsmanCode: number | null;
  readonly reason: string;
  /** The innermost text, mostly the one that says most. */
  readonly message: string;
  readonly machine: string | null;
  /** Plugin that raised it. */
  readonly provider: string | null;
  /** Last part of the fault detail's URI, for example `UnexpectedSelectors`. */
  readonly faultDetail: string | null;
  /** Code of a fault inside, as plugins give it. */
  readonly innerCode: number | null;
  /** An address found in the detail of a redirection. */
  readonly redirectTo: string | null;
}

/** The server refused a request. `code` is that of the security page; `explanation` is for a person. */
export class WsManFaultError extends WsManError {
  readonly fault: WsManFault;
  /** The number that counts: of the fault itself, or what stands for its subcode; 0 when there is neither. */
  readonly number: number;
  readonly explanation: FaultExplanation;
  constructor(fault: WsManFault, activityId: string | null = null) {
    const number = faultCode(fault.wsmanCode, fault.subcode);
    const explanation = explainFault(number);
    super(explanation.code, `fault ${number === 0 ? (fault.subcode ?? fault.value) : number}: ${fault.message}`, {
      section: 'MS-WSMV 2.2.4.43 WSManFault',
    });
    this.fault = fault;
    this.number = number;
    this.explanation = explanation;
    this.activityId = activityId;
  }
  /** Id under which Windows logs it. */
  readonly activityId: string | null;

  /** The long poll ended without output: ask again. */
  get isTimeout(): boolean {
    return this.number === FAULT_CODE.timedOut;
  }
}

const localName = (qName: string): string => qName.slice(qName.indexOf(':') + 1).trim();
const kept = (text: string): string => text.trim().slice(0, MAX_TEXT);

function numberOf(element_: XmlElement): number | null {
  const text = element_.attribute('Code')?.trim() ?? '';
  return /^[0-9]{1,10}$/.test(text) ? Number(text) : null;
}

interface Detail {
  message: string;
  machine: string | null;
  provider: string | null;
  code: number | null;
  innerCode: number | null;
}

/** Message, perhaps a ProviderFault in it, perhaps a WSManFault in that. */
function readDetail(top: XmlElement | null): Detail {
  const out: Detail = { message: '', machine: null, provider: null, code: null, innerCode: null };
  let fault = top;
  for (let depth = 0; fault !== null && depth < MAX_INNER; depth++) {
    if (depth === 0) {
      out.code = numberOf(fault);
      out.machine = fault.attribute('Machine');
    } else out.innerCode = numberOf(fault) ?? out.innerCode;
    const message = fault.first(NS.f, 'Message');
    const provider = message?.first(NS.f, 'ProviderFault') ?? null;
    out.message = kept(provider?.text ?? '') || kept(message?.text ?? '') || out.message;
    out.provider = provider?.attribute('provider') ?? out.provider;
    fault = provider?.first(NS.f, 'WSManFault') ?? message?.first(NS.f, 'WSManFault') ?? null;
  }
  return out;
}

/** Where a redirection leads: the place in the detail is not the same everywhere, so the first address in it counts. */
function findAddress(detail: XmlElement | null): string | null {
  const todo = detail === null ? [] : [detail];
  for (let each = todo.pop(); each !== undefined; each = todo.pop()) {
    const found = /https?:\/\/[^\s<>"']{1,2048}/i.exec(each.text);
    if (found !== null && !each.is(NS.wsman, 'FaultDetail')) return found[0];
    todo.push(...each.children.toReversed());
  }
  return null;
}

/** Reads `s:Fault`. SOAP 1.2 Part 1, 5.4 SOAP Fault; [MS-WSMV] 2.2.4.43 WSManFault. @throws WsManProtocolError */
export function decodeFault(fault: XmlElement): WsManFault {
  const code = fault.first(NS.s, 'Code');
  const value = code?.textOf(NS.s, 'Value') ?? malformed('a fault without code', SECTION);
  const subcode = code?.first(NS.s, 'Subcode')?.textOf(NS.s, 'Value') ?? null;
  const reason = kept(fault.first(NS.s, 'Reason')?.textOf(NS.s, 'Text') ?? '');
  const detail = fault.first(NS.s, 'Detail');
  const inner = readDetail(detail?.first(NS.f, 'WSManFault') ?? null);
  const faultDetail = detail?.textOf(NS.wsman, 'FaultDetail') ?? null;
  return {
    value: localName(value),
    subcode: subcode === null ? null : localName(subcode),
    wsmanCode: inner.code,
    reason,
    message: inner.message === '' ? reason : inner.message,
    machine: inner.machine,
    provider: inner.provider,
    faultDetail: faultDetail?.slice(faultDetail.lastIndexOf('/') + 1) ?? null,
    innerCode: inner.innerCode,
    redirectTo: inner.code === FAULT_CODE.redirect ? findAddress(detail) : null,
  };
}

/** What a server says when it refuses. */
export interface FaultToSend {
  readonly value: 'Sender' | 'Receiver';
  /** With its prefix, for example `wsman:TimedOut`. */
  readonly subcode: string;
  readonly wsmanCode: number;
  readonly message: string;
  readonly machine: string;
  readonly faultDetail?: string;
}

/** Server role: the body of a fault; its envelope declares `f`. */
export function encodeFault(fault: FaultToSend): string {
  const detail =
    fault.faultDetail === undefined
      ? ''
      : textElement('wsman:FaultDetail', `http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/${fault.faultDetail}`);
  const own = element('f:WSManFault', textElement('f:Message', fault.message), [
    ['Code', String(fault.wsmanCode)],
    ['Machine', fault.machine],
  ]);
  const code = textElement('s:Value', `s:${fault.value}`) + element('s:Subcode', textElement('s:Value', fault.subcode));
  return element(
    's:Fault',
    element('s:Code', code) +
      element('s:Reason', textElement('s:Text', fault.message, [['xml:lang', 'en-US']])) +
      element('s:Detail', detail + own),
  );
}
