import {
  COMMAND_RESOURCE,
  OPERATIONS as O,
  POWERSHELL_RESOURCE,
  readRequest,
  Requests,
  writeAnswer,
} from '@sallyport/wsman';
import type { ShellInfo } from '@sallyport/wsman';
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { EnvelopeSize } from './envelope-size.ts';
import { TargetShells } from './target-shells.ts';

const shell = (shellId: string, owner: string): ShellInfo => ({
  ...{ shellId, name: null, resourceUri: `${POWERSHELL_RESOURCE}Microsoft.PowerShell`, owner, clientIp: null },
  ...{ processId: null, idleTimeoutMs: null, maxIdleTimeoutMs: null, inputStreams: null, outputStreams: null },
  ...{ locale: null, dataLocale: null, compressionMode: null, profileLoaded: null, encoding: null },
  ...{ bufferMode: null, state: 'Disconnected', runTimeMs: null, inactivityMs: null, memoryUsed: null },
  childProcesses: null,
});
const GUID = '00112233-4455-6677-8899-AABBCCDDEEF';

/** A server whose list comes in parts: the first with Enumerate, the others with Pull. */
function listing(parts: readonly (readonly ShellInfo[])[]): { shells: TargetShells; asked: string[] } {
  const asked: string[] = [];
  const requests = new Requests({
    ...{ url: 'https://lab:5986/wsman', resourceUri: `${POWERSHELL_RESOURCE}Microsoft.PowerShell` },
    ...{ sessionId: randomUUID(), newId: () => randomUUID(), maxEnvelopeBytes: 153_600, operationTimeoutMs: 1000 },
    ...{ locale: 'en-US', dataLocale: 'en-US' },
  });
  const post = (envelope: Uint8Array): Promise<Uint8Array> => {
    const { header, body } = readRequest(envelope);
    const name = header.action.slice(header.action.lastIndexOf('/') + 1);
    const ids = { relatesTo: header.messageId, messageId: randomUUID() };
    const isCommands = header.resourceUri === COMMAND_RESOURCE;
    const at = name === 'Pull' ? Number(O.pull.decodeRequest(body, []).context) : 0;
    asked.push(isCommands ? 'commands' : name);
    const context = isCommands || at + 1 >= parts.length ? null : String(at + 1);
    const list = { shells: isCommands ? [] : [...(parts[at] ?? [])], commands: [], context };
    return Promise.resolve(new TextEncoder().encode(writeAnswer(name === 'Pull' ? O.pull : O.enumerate, ids, list)));
  };
  return { shells: new TargetShells(requests, new EnvelopeSize(null), post), asked };
}

describe('the shells of a target', () => {
  it('are asked for until the list is at its end, part by part', async () => {
    const parts = [
      [shell(`${GUID}1`, 'LAB\\ann')],
      [],
      [shell(`${GUID}2`, 'ann@lab.test'), shell(`${GUID}3`, 'LAB\\bob')],
    ];
    const { shells, asked } = listing(parts);
    const found = await shells.list('LAB\\ann');
    expect(found.map(({ shellId }) => shellId)).toEqual([`${GUID}1`, `${GUID}2`]);
    expect(asked).toEqual(['Enumerate', 'Pull', 'Pull', 'commands', 'commands']);
  });
  it('are each there once, in words that hide nothing', async () => {
    const odd = { ...shell(`${GUID}1`, 'ann'), name: 'a\u202eb\nc', clientIp: '\u200b1' };
    const { shells } = listing([[odd], [odd, shell(`${GUID}2`, 'ann')]]);
    const found = await shells.list('');
    expect(found.map(({ shellId, name, clientIp }) => [shellId, name, clientIp])).toEqual([
      [`${GUID}1`, 'a<202E>b^Jc', '<200B>1'],
      [`${GUID}2`, null, null],
    ]);
  });
  it('are not asked for without end', async () => {
    const { shells, asked } = listing(Array.from({ length: 100 }, () => []));
    expect(await shells.list('')).toEqual([]);
    expect(asked).toHaveLength(21);
  });
  it('are not asked about one by one when there are thousands', async () => {
    const many = Array.from({ length: 2000 }, (_, i) => shell(`${GUID}${String(i)}`, 'ann'));
    const { shells, asked } = listing([many]);
    await expect(shells.list('ann')).rejects.toMatchObject({ code: 'wsman_too_large' });
    expect(asked).toEqual(['Enumerate']);
  });
});
