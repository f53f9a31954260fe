import { WsManFaultError } from '@sallyport/wsman';
import type { WsManFault } from '@sallyport/wsman';
import { describe, expect, it } from 'vitest';
import { placed } from '../../errors.ts';
import { faultWords, toWsManTransportError } from './errors.ts';

const faultOf = (number: number, more: Partial<WsManFault> = {}): WsManFaultError =>
  new WsManFaultError({
    ...{ value: 's:Receiver', subcode: null, wsmanCode: number, reason: 'a reason', message: 'words\u0007 of win01' },
    ...{ machine: null, provider: null, faultDetail: null, innerCode: null, redirectTo: null, ...more },
  });

describe('a fault of the target', () => {
  it.each([5, 2150858843, 2150859173, 4_000_000_000])('%i is told apart from what we say about it', (number) => {
    const fault = faultOf(number);
    const { peerText, explanation } = toWsManTransportError(fault);
    expect(explanation).toBe(fault.explanation.text);
    expect(peerText).toMatch(/^words.+ of win01 \(\d+, 0x[0-9A-F]{8}\)$/);
    expect(peerText).not.toContain('\u0007');
  });

  it('has its reason where it brings no message', () => {
    expect(toWsManTransportError(faultOf(5, { message: ' ' })).peerText).toBe('a reason (5, 0x00000005)');
  });

  it('keeps both when the place on the way is told', () => {
    const error = toWsManTransportError(faultOf(5));
    const { explanation, peerText, at } = placed(error, 'redirected');
    expect({ explanation, peerText, at }).toEqual({
      ...{ explanation: error.explanation, peerText: error.peerText, at: 'redirected' },
    });
  });

  it('is one text where it stands among the output of a line, ours first', () => {
    const fault = faultOf(5);
    expect(faultWords(fault).split('\n')).toEqual([fault.explanation.text, toWsManTransportError(fault).peerText]);
  });
});
