/** What must come of an input: the document written back, or a named error. */
export interface CliXmlCase {
  readonly id: string;
  readonly probes: string;
  /** With `¦` where the error belongs. */
  readonly xml: string;
  readonly code: string | null;
  /** What is written for the value; the input itself when null. */
  readonly canonical: string | null;
}

/** Accepted; written back as it came, or as `canonical`. */
export const good = (id: string, probes: string, xml: string, canonical: string | null = null): CliXmlCase => ({
  id,
  probes,
  xml,
  code: null,
  canonical,
});
/** Refused with a code. */
export const bad = (id: string, probes: string, xml: string, code: string): CliXmlCase => ({
  id,
  probes,
  xml,
  code,
  canonical: null,
});
