/** What axe finds on a page that is shown. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Tab } from '../lab/browser.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Finding {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}
/** What axe finds against WCAG 2.0 to 2.2, A and AA, and its best practices. */
async function violations(tab: Tab): Promise<string[]> {
  await tab.page.evaluate(AXE);
  const found = await tab.page.evaluate(async () => {
    const axe = (globalThis as unknown as { axe: { run(): Promise<{ violations: Finding[] }> } }).axe;
    return (await axe.run()).violations;
  });
  return found.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
}

/** What axe finds in both themes; the page follows the system's. */
export async function violationsInBothThemes(tab: Tab, where: string): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of ['dark', 'light'] as const) {
    // Without motion the colours are there at once.
    await tab.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    found.push(...(await violations(tab)).map((one) => `${where}, ${colorScheme}: ${one}`));
  }
  return found;
}
