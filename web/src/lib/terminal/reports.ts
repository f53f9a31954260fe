/**
 * What may leave the page as PTY input: keys, pastes, mouse and focus events, and the few answers that programs need
 * and that say nothing about this browser. Everything else that the terminal would answer by itself is dropped.
 * security.md T4 "replies from an allow-list".
 */
const REPORTS: readonly RegExp[] = [
  /^\x1b\[\?1;2c$/, // primary device attributes: a VT100 with advanced video
  /^\x1b\[0n$/, // device status: ready
  /^\x1b\[\??\d{1,4};\d{1,4}R$/, // cursor position
  /^\x1b\[\??\d{1,4};[0-4]\$y$/, // state of a mode
];
/** Forms that only a terminal's answer has; a key never does. */
const REPORT_FORMS: readonly RegExp[] = [/^\x1b\[[?>=]?[\d;]*\$?[cnRyt]$/, /^\x1b[\]P_^X]./];
/** F3 with modifiers has the form of a cursor report: ESC [ 1 ; m R. It is in the list, so nothing is lost. */

/** Whether data of `onData` may be sent to the target. */
export const isAllowedInput = (data: string): boolean =>
  REPORTS.some((form) => form.test(data)) || !REPORT_FORMS.some((form) => form.test(data));
