/**
 * Rows of a study: selected, in groups, and averaged with standard errors.
 * @module
 */

import { monteCarlo } from "../mod.ts";
import type { Values } from "./experiment.ts";

/** A mean with its standard error, as two columns of a table. */
export type Estimate = {
  /** The mean. */
  mean: number;
  /** Its standard error. */
  standardError: number;
};

/**
 * Rows that agree in all of these columns, together; groups and rows in the order in which they come.
 *
 * @throws {RangeError} if there are no rows.
 */
export function groupRows<T extends Values>(
  rows: readonly T[],
  ...columns: readonly (keyof T & string)[]
): T[][] {
  if (rows.length === 0) throw new RangeError("There are no rows to summarize");
  const groups = Map.groupBy(rows, (row) => JSON.stringify(columns.map((column) => row[column])));
  return [...groups.values()];
}

/** The rows whose columns have these values. @throws {RangeError} if there is none. */
export function selectRows<T extends Values>(rows: readonly T[], values: Partial<T>): T[] {
  const selected = rows.filter((row) =>
    Object.entries(values).every(([column, value]) => row[column] === value)
  );
  if (selected.length > 0) return selected;
  throw new RangeError(`There is no row with ${JSON.stringify(values)}`);
}

/**
 * The mean of a function of each row, with its standard error.
 *
 * @throws {RangeError} if there are fewer than 2 rows.
 * @throws {TypeError} if a row gives no number: `null` stands for one that was not finite.
 */
export function estimate<T>(rows: readonly T[], of: (row: T) => number): Estimate {
  const { mean, standardError } = monteCarlo((i) => numberOf(rows[i], of), rows.length);
  return { mean, standardError };
}

function numberOf<T>(row: T, of: (row: T) => number): number {
  const value: unknown = of(row);
  if (typeof value === "number") return value;
  throw new TypeError(`Each row must give a number, got ${value} from ${JSON.stringify(row).slice(0, 200)}`);
}

/** How many standard errors an estimate is from 0; negative below it. */
export function standardErrors({ mean, standardError }: Estimate): number {
  return mean / standardError;
}

/** A loss as something to compare: one that was not finite was kept as `null`, which would count as 0. */
export function orInfinity(loss: number | null): number {
  return loss ?? Infinity;
}

/**
 * The mean of the differences of a function of rows, `a` − `b`, seed by seed: what both share cancels.
 *
 * @param a Rows of one setting, one for each seed.
 * @param b Rows of another, with the same seeds.
 * @throws {RangeError} if the seeds differ, one comes twice, or there are fewer than 2.
 */
export function estimateDifference<T extends { seed: number }>(
  a: readonly T[],
  b: readonly T[],
  of: (row: T) => number,
): Estimate {
  const [left, right] = [bySeed(a), bySeed(b)];
  const seeds = [...left.keys()];
  if (left.size !== right.size || !seeds.every((seed) => right.has(seed))) {
    throw new RangeError(
      `Paired rows need the same seeds, got ${seeds.join(" ")} and ${[...right.keys()].join(" ")}`,
    );
  }
  return estimate(seeds, (seed) => numberOf(left.get(seed)!, of) - numberOf(right.get(seed)!, of));
}

function bySeed<T extends { seed: number }>(rows: readonly T[]): Map<number, T> {
  const result = new Map(rows.map((row) => [row.seed, row]));
  if (result.size === rows.length) return result;
  throw new RangeError(`Paired rows need each seed once, got ${rows.length} rows of ${result.size} seeds`);
}

/**
 * The ratio of two means over rows. Its standard error comes from how the rows scatter around it: that of the mean of
 * (a − ratio·b), over the mean of b.
 *
 * @throws {RangeError} if there are fewer than 2 rows.
 */
export function estimateRatio<T>(
  rows: readonly T[],
  above: (row: T) => number,
  below: (row: T) => number,
): Estimate {
  const under = estimate(rows, below).mean;
  const ratio = estimate(rows, above).mean / under;
  const { standardError } = estimate(rows, (row) => (above(row) - ratio * below(row)) / under);
  return { mean: ratio, standardError };
}

/** Each seed from 0 on, for a grid. */
export function seedsTo(seeds: number): number[] {
  return Array.from({ length: seeds }, (_, seed) => seed);
}
