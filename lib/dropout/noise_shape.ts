/**
 * Which elements share a decision.
 * @module
 */

import { describe, formatShape } from "../check.ts";
import type { Shape } from "../tensor/mod.ts";

/**
 * The shape in which decisions are drawn, broadcast against the input: 1 where elements share one, `null` (or the
 * input's own length) where each has its own. Axes are aligned at the end; those that are not named share.
 */
export type NoiseShape = readonly (number | null)[];

/**
 * Refuses what cannot be a noise shape of any input.
 *
 * @param where The function or class, as its user writes it.
 * @throws {TypeError} if it is not an array of non-negative integers and `null`.
 */
export function checkNoiseShape(where: string, noiseShape: unknown): asserts noiseShape is NoiseShape {
  const isLength = (length: unknown) => length === null || (Number.isInteger(length) && Number(length) >= 0);
  if (Array.isArray(noiseShape) && Array.from(noiseShape).every(isLength)) return; // holes are no lengths
  const came = Array.isArray(noiseShape) ? formatNoiseShape(noiseShape) : describe(noiseShape);
  throw new TypeError(`${where}: noiseShape must be an array of lengths such as [null, 1], got ${came}`);
}

/**
 * The shape that is drawn for an input.
 *
 * @param where The function, as its user writes it.
 * @param noiseShape Missing: each element has a decision of its own.
 * @throws {TypeError} if it does not broadcast to the input.
 */
export function drawnShape(where: string, noiseShape: NoiseShape | undefined, shape: Shape): Shape {
  if (noiseShape === undefined) return shape;
  checkNoiseShape(where, noiseShape);
  const own = shape.slice(Math.max(0, shape.length - noiseShape.length));
  const drawn = noiseShape.map((length, axis) => length ?? own[axis]);
  if (
    noiseShape.length <= shape.length && drawn.every((length, axis) => length === 1 || length === own[axis])
  ) {
    return drawn;
  }
  throw new TypeError(
    `${where}: each length in noiseShape must be 1, null or the input's, which is ${formatShape(shape)}, ` +
      `got ${formatNoiseShape(noiseShape)}`,
  );
}

/** A noise shape for people: `[null, 1]`. */
export function formatNoiseShape(noiseShape: NoiseShape): string {
  const lengths = Array.from(noiseShape, (length) => typeof length === "number" ? length : describe(length));
  return `[${lengths.join(", ")}]`;
}
