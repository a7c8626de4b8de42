/**
 * Means of a study's rows with their standard errors, and paired differences.
 * @module
 */

import { monteCarlo, type MonteCarloResult } from "../mod.ts";
import type { Values } from "./experiment.ts";

/** The names of a row's numbers. */
export type NumberIn<T> = { [K in keyof T]: T[K] extends number | null ? K : never }[keyof T];

/**
 * The mean of one number over rows, with its standard error.
 *
 * @throws {RangeError} if there are fewer than 2 rows.
 * @throws {TypeError} if a row has no such number.
 */
export function meanOver<T extends Values>(
  rows: readonly T[],
  name: NumberIn<T> & string,
): MonteCarloResult<number> {
  return monteCarlo((i) => numberOf(rows[i], name), rows.length);
}

/**
 * The mean of `a` − `b`, seed by seed, with its standard error: what both share cancels.
 *
 * @param a Rows of one setting, one for each seed.
 * @param b Rows of another, with the same seeds.
 * @throws {RangeError} if the seeds differ, one comes twice, or there are fewer than 2.
 */
export function pairedDifference<T extends Values>(
  a: readonly T[],
  b: readonly T[],
  name: NumberIn<T> & string,
): MonteCarloResult<number> {
  const [left, right] = [bySeed(a), bySeed(b)];
  const seeds = [...left.keys()];
  if (left.size !== right.size || !seeds.every((seed) => right.has(seed))) {
    throw new RangeError(
      `Paired rows need the same seeds, got ${seeds.join(" ")} and ${[...right.keys()].join(" ")}`,
    );
  }
  return monteCarlo(
    (i) => numberOf(left.get(seeds[i])!, name) - numberOf(right.get(seeds[i])!, name),
    seeds.length,
  );
}

function bySeed<T extends Values>(rows: readonly T[]): Map<number, T> {
  const result = new Map(rows.map((row) => [numberOf(row, "seed"), row]));
  if (result.size === rows.length) return result;
  throw new RangeError(`Paired rows need each seed once, got ${rows.length} rows of ${result.size} seeds`);
}

function numberOf(row: Values, name: string): number {
  const value = row[name];
  if (typeof value === "number") return value;
  throw new TypeError(`Each row needs a number "${name}", got ${JSON.stringify(row).slice(0, 200)}`);
}
