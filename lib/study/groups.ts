/**
 * Rows of a study in groups, and what several of its tables need.
 * @module
 */

import { monteCarlo } from "../mod.ts";
import type { Values } from "./experiment.ts";
import { pairedDifference } from "./summary.ts";

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

/** The mean of a function of each row, with its standard error. @throws {RangeError} if there are fewer than 2 rows. */
export function estimate<T>(rows: readonly T[], of: (row: T) => number): Estimate {
  const { mean, standardError } = monteCarlo((i) => of(rows[i]), rows.length);
  return { mean, standardError };
}

/**
 * The mean of the differences of a function of rows, paired by seed.
 *
 * @param a Rows of one setting, one for each seed.
 * @param b Rows of another, with the same seeds.
 * @throws {RangeError} if the seeds differ, one comes twice, or there are fewer than 2.
 */
export function estimateDifference<T extends Values & { seed: number }>(
  a: readonly T[],
  b: readonly T[],
  of: (row: T) => number,
): Estimate {
  const values = (rows: readonly T[]) => rows.map((row) => ({ seed: row.seed, value: of(row) }));
  const { mean, standardError } = pairedDifference(values(a), values(b), "value");
  return { mean, standardError };
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
