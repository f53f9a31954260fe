/**
 * Paths of Windows as the files of a session show them, and back: `/C:/Users/ann` is `C:\Users\ann`, `//server/share/x`
 * is `\\server\share\x`, `/` is the list of drives. So a path has one form on every system and for every transport.
 */
import { SallyportError } from '../../errors.ts';

/** Stand for devices in every directory, with any ending. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])(?:\..*)?$/i;
const DRIVE = /^[A-Za-z]:$/;

/** No stream (`a:b`), no pattern, no device; no blank or dot at the end, which Windows would take away. */
function checkName(name: string): void {
  if (
    name === '' ||
    /[<>:"|?*\\/\p{Cc}]/u.test(name) ||
    /[ .]$/.test(name) ||
    DEVICE.test(name.replace(/ +(?=\.|$)/, ''))
  )
    throw new SallyportError('bad_name', 'no file or directory of Windows has such a name');
}

/** @returns as Windows has it; '' for the list of drives. @throws SallyportError bad_name */
export function windowsPath(shown: string): string {
  if (shown === '/') return '';
  const isShare = shown.startsWith('//');
  const [root = '', ...names] = shown
    .slice(isShare ? 2 : 1)
    .replace(/\/$/, '')
    .split('/');
  if (!shown.startsWith('/')) throw new SallyportError('bad_name', 'no absolute path');
  if (isShare) {
    // `\\?\` and `\\.\` lead past all rules about names.
    if (names.length === 0) throw new SallyportError('bad_name', 'a server without a share');
    for (const name of [root, ...names]) checkName(name);
    return `\\\\${[root, ...names].join('\\')}`;
  }
  if (!DRIVE.test(root)) throw new SallyportError('bad_name', 'a path of Windows begins with a drive');
  for (const name of names) checkName(name);
  return `${root}\\${names.join('\\')}`;
}

/** The form that is shown, of a full path that Windows gave. */
export function shownPath(windows: string): string {
  const path = windows.replaceAll('\\', '/').replace(/(?<=[^/])\/+$/, '');
  return path.startsWith('/') ? path : `/${path}`;
}

/** What a person typed or a page sent, as Windows' own functions take it: they know where the user's files are. */
export function typedWindowsPath(typed: string): string {
  if (/^\/(?!\/)/.test(typed)) return windowsPath(typed);
  return typed.replaceAll('/', '\\');
}
