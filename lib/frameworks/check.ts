/**
 * The one check that all frameworks make, each with an interval of its own.
 * @module
 */

import { describe } from "../tensor/tensor.ts";

/** The intervals that frameworks allow. */
export type Interval = "[0, 1]" | "[0, 1)" | "(0, 1]";

/**
 * Refuses what is not a number in the interval.
 *
 * @param name What the framework calls it, such as "F.dropout's p".
 * @throws {TypeError} if `value` is not a number.
 * @throws {RangeError} if it is NaN or outside.
 */
export function checkFraction(name: string, value: unknown, interval: Interval): asserts value is number {
  const message = `${name} must be in ${interval}, got ${describe(value)}`;
  if (typeof value !== "number") throw new TypeError(message);
  const aboveLow = interval.startsWith("[") ? value >= 0 : value > 0;
  const belowHigh = interval.endsWith("]") ? value <= 1 : value < 1;
  if (!(aboveLow && belowHigh)) throw new RangeError(message);
}

/**
 * Refuses what is not `true` or `false`: a mode that was forgotten, or misspelt, must not count as one of them.
 *
 * @throws {TypeError} if it is anything else.
 */
export function checkFlag(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== "boolean") {
    throw new TypeError(`${name} must be true or false, got ${describe(value)}`);
  }
}
