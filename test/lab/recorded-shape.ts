/** The shape of recorded requests, to be compared with ours: the same elements, attributes and texts; their order in a header is free. */
import { parseDuration, readXml } from '@sallyport/wsman';
import type { XmlElement } from '@sallyport/wsman';

/** Where requests differ, with the reason. @returns what is compared; null = nothing */
export interface Difference {
  readonly why: string;
  readonly path: RegExp;
  readonly change: (text: string) => string | null;
}

/** Of every request of ours. */
export const DIFFERENCES: readonly Difference[] = [
  { why: 'PT20S there, PT20.000S here: the same time', path: /\/OperationTimeout$/, change: (text) => String(parseDuration(text)) },
  { why: 'True there, TRUE here: the same value', path: /\/Option\[WSMAN_CMDSHELL_OPTION_KEEPALIVE\]$/, change: (text) => text.toLowerCase() },
  { why: 'TRUE there, 1 here: the same value; that it must be complied with is said here only', path: /\/Option\[WINRS_NOPROFILE\](@MustComply)?$/, change: () => '' },
  { why: 'an empty label there, a blank here as native clients write', path: /\/Command$/, change: (text) => text.trim() },
  { why: 'the shell does not end its idle time in another form', path: /\/IdleTimeOut$/, change: (text) => String(parseDuration(text)) },
]; // prettier-ignore

/** WINRS_SKIP_CMD_SHELL means nothing to PowerShell; a set of options with nothing else is not written by us. */
const isForTextShells = (each: XmlElement): boolean =>
  each.attribute('Name') === 'WINRS_SKIP_CMD_SHELL' ||
  (each.name === 'OptionSet' && each.children.every(isForTextShells));

/** Elements and attributes with their texts, one line each, sorted. */
export function shapeOf(xml: string, differences: readonly Difference[] = DIFFERENCES): string[] {
  const lines: string[] = [];
  const put = (path: string, text: string): void => {
    const rule = differences.find((each) => each.path.test(path));
    const changed = rule === undefined ? text : rule.change(text);
    if (changed !== null) lines.push(`${path} = ${changed}`);
  };
  const visit = (each: XmlElement, above: string): void => {
    const key = each.name === 'Option' || each.name === 'Selector' ? `[${each.attribute('Name') ?? ''}]` : '';
    const path = `${above}/${each.name}${key}`;
    if (isForTextShells(each)) return;
    put(path, each.children.length === 0 ? each.text : '');
    lines.push(`${path} is of ${each.namespace}`);
    for (const { name, value } of each.attributes) if (key === '' || name !== 'Name') put(`${path}@${name}`, value);
    for (const child of each.children) visit(child, path);
  };
  visit(readXml(xml), '');
  return lines.sort();
}
