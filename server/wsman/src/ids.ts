const GUID = /^[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}$/;

/** Ids of shells, commands and messages are written in upper case and compared without case. */
export const toWireId = (id: string): string => id.toUpperCase();

/** True for a GUID in the form that is written. */
export const isWireGuid = (text: string): boolean => GUID.test(text);

/** True when two ids mean the same; `uuid:` before one or both does not count. */
export function isSameId(a: string, b: string): boolean {
  const bare = (id: string): string => id.toUpperCase().replace(/^UUID:/, '');
  return bare(a) === bare(b);
}
