/**
 * What the study's experiments have in common: a grid of runs, each a function of its settings alone.
 * @module
 */

/** What a setting or a measurement can be; JSON keeps all of it. */
export type Value = number | string | boolean | null | readonly (number | null)[];

/** Values under their names. A literal type, not an interface, says which. */
export type Values = { readonly [name: string]: Value };

/** One experiment of the study. */
export interface Experiment<Settings extends Values = Values, Measured extends Values = Values> {
  /** A word, by which the command line and `readStudy` know it. */
  readonly name: string;
  /** Goes up by one when the same settings give other numbers than before. */
  readonly version: number;
  /**
   * The settings of all runs, each only once; the seed is one of them.
   *
   * @param seeds How many seeds: 0 to `seeds` − 1.
   */
  grid(seeds: number): Settings[];
  /** One run. The same settings give the same numbers, on any machine and in any order. */
  run(settings: Settings): Measured | Promise<Measured>;
}
