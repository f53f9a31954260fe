import path from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { bodyText } from '@sallyport/psrp';
import { readCapture, rowsOf } from '../lab/captures.ts';
import { findProgram } from '../lab/sshd.ts';

const root = path.join(import.meta.dirname, '../..');
const browserPath = findProgram('chromium') ?? findProgram('chromium-browser') ?? findProgram('google-chrome');

/** What the page runs: both roles joined in memory, and documents read and written back. */
const PAGE = `
import { CliXmlReader, OutOfProcClient, OutOfProcServer, RUNSPACE_HOST, displayText, writeCliXml } from '@sallyport/psrp';
const uuid = () => '10000000-1000-4000-8000-100000000000'.replace(/[018]/g, () => (crypto.getRandomValues(new Uint8Array(1))[0] & 15).toString(16));
window.roundTrip = (documents) => {
  const reader = new CliXmlReader();
  return documents.map((text) => writeCliXml(reader.read(text)));
};
window.roles = () => {
  const told = [];
  const client = new OutOfProcClient({ poolId: uuid(), newId: uuid });
  const server = new OutOfProcServer();
  client.open({ hostInfo: RUNSPACE_HOST });
  for (let turn = 0; turn < 20; turn++) {
    for (const event of server.receive(client.takeOutgoing())) {
      if (event.type === 'open') server.pool.opened(null);
      if (event.type === 'createPipeline') {
        server.pool.sendOutput(event.pipelineId, event.request.commands[0].command);
        server.finish(event.pipelineId, 'Completed');
      }
    }
    for (const line of server.takeOutgoing()) for (const event of client.receive(line)) {
      told.push(event.type + (event.state ?? '') + (event.type === 'output' ? displayText(event.value) : ''));
      if (event.type === 'poolState' && event.state === 'Opened') client.createPipeline({ commands: [{ command: 'echo' }] });
      if (event.type === 'pipelineState') client.close();
    }
  }
  return told;
};`;

interface PageGlobals {
  roundTrip(texts: string[]): string[];
  roles(): string[];
}

describe('the codec in a browser', () => {
  it('reads and writes recorded objects, and speaks both roles', async (context) => {
    if (browserPath === null) {
      context.skip('no Chromium');
      return;
    }
    // No Node module can be resolved for this platform: an import of one would fail the build.
    const bundle = await build({
      stdin: { contents: PAGE, resolveDir: root, loader: 'js' },
      bundle: true,
      write: false,
      format: 'iife',
      platform: 'browser',
      target: 'es2023',
    });
    const documents = ['types-primitives', 'types-collections', 'types-objects', 'errors'].flatMap((scenario) =>
      readCapture(rowsOf(scenario, '7.6.5'))
        .messages.filter(({ message }) => message.hasBom && message.body.length > 0)
        .map(({ message }) => bodyText(message.body)),
    );
    const browser = await chromium.launch({ executablePath: browserPath, args: ['--no-sandbox'] });
    try {
      const page = await browser.newPage();
      await page.addScriptTag({ content: bundle.outputFiles[0]?.text ?? '' });
      const written = await page.evaluate(
        (texts) => (globalThis as unknown as PageGlobals).roundTrip(texts),
        documents,
      );
      expect(documents.length).toBeGreaterThan(100);
      expect(written).toEqual(documents);
      const told = await page.evaluate(() => (globalThis as unknown as PageGlobals).roles());
      expect(told).toEqual([
        'negotiated',
        'applicationPrivateData',
        'poolStateOpened',
        'outputecho',
        'pipelineStateCompleted',
        'pipelineClosed',
        'poolStateClosed',
      ]);
    } finally {
      await browser.close();
    }
  });
});
