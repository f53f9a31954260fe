/**
 * The token of the set-up link. It stands only in the fragment, is taken out of the address bar before anything else
 * of the page runs, lives in this variable and is sent once, in a POST body. security.md section 3 "Browser and WebSocket".
 */
let token = '';

/** Takes the fragment of a set-up link. @param take removes the fragment from the address bar and returns it */
export function keepSetupToken(take: () => string): void {
  const fragment = take();
  if (fragment !== '') token = fragment;
}

/** @returns the token; empty when the page was opened without one */
export const setupToken = (): string => token;
