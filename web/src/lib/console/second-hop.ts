import type { Terminal } from '@xterm/xterm';

/** Lines of a command's output that are looked at, from its end. */
const MAX_LINES = 200;
const REMOTE_PATH = /\\\\[\p{L}\p{N}_.-]+\\/u;
const DENIED = /access (?:to the path .* )?is denied|PermissionDenied|UnauthorizedAccess|0x80070005/i;
/** What Kerberos says when it has nothing to pass on. */
const NO_LOGON = /0x8009030e|a specified logon session does not exist|cannot delegate|double.?hop/i;

/**
 * Whether output looks like the failure of a second hop: a remote path and a refusal near each other, or the words of
 * Kerberos for it. It only leads to a hint; the words are the target's and prove nothing.
 */
export function isSecondHopFailure(text: string): boolean {
  if (NO_LOGON.test(text)) return true;
  return text.split(/\n(?=\S)/).some((part, index, parts) => {
    const near = `${part}\n${parts[index + 1] ?? ''}`;
    return REMOTE_PATH.test(near) && DENIED.test(near);
  });
}

/** What stands on the screen from a line on, wrapped lines joined. */
export function textFrom(terminal: Pick<Terminal, 'buffer'>, from: number): string {
  const { active } = terminal.buffer;
  const last = active.baseY + active.cursorY;
  let text = '';
  for (let at = Math.max(from, last - MAX_LINES, 0); at <= last; at++) {
    const line = active.getLine(at);
    text += `${line?.isWrapped === true ? '' : '\n'}${line?.translateToString(true) ?? ''}`;
  }
  return text;
}
