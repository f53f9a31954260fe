import type { Material } from './mutate.ts';
import type { Random } from './random.ts';

/** One parser under test. */
export interface FuzzParser {
  readonly name: string;
  /** Good inputs and pieces of the grammar. */
  material(): Material;
  /** Makes an input where changing good ones is not the way. */
  generate?(random: Random): Uint8Array;
  /**
   * Gives one input to the parser.
   * @returns `ok`, or the code of the named refusal
   * @throws anything else: a finding
   */
  run(input: Uint8Array, random: Random): string | Promise<string>;
}

/** Something that must hold does not: a finding of its own. */
export class Broken extends Error {}

/** @throws Broken when the condition does not hold */
export function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Broken(what);
}
