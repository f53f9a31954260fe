/** Realms of Kerberos as the configuration writes them. */

/** What is known of one. */
export interface ConfiguredRealm {
  readonly name: string;
  readonly netbiosName: string | null;
  /** None = looked up in DNS. */
  readonly kdcs: readonly string[];
  readonly domains: readonly string[];
}

const NAME = '[A-Za-z0-9][A-Za-z0-9._-]{0,253}';
const KDC = `(?:${NAME}|\\[[0-9A-Fa-f:.]{2,45}\\])(?::\\d{1,5})?`;
const REALM = new RegExp(`^(${NAME})(?:/(${NAME}))?(?:=(${KDC}(?: ${KDC}){0,15}))?$`);

/**
 * `CORP.EXAMPLE/CORP=dc1.corp.example dc2.corp.example:88`: realm, short name of the domain, KDCs. The last two may be left
 * out. @returns null when it is none
 */
export function parseRealm(text: string): ConfiguredRealm | null {
  const match = REALM.exec(text);
  const name = match?.[1];
  if (match === null || name === undefined) return null;
  return { name, netbiosName: match[2] ?? null, kdcs: match[3]?.split(' ') ?? [], domains: [] };
}
