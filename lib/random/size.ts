/**
 * What `size` asks for in the methods of streams, as in NumPy: nothing is one number, a number an array, a shape a
 * tensor.
 * @module
 */

import { checkInteger, describe } from "../check.ts";
import { allocate, type DType, type FloatArray, type Shape, sizeOf, Tensor } from "../tensor/tensor.ts";

/** How many numbers to draw: so many, or a tensor of this shape. */
export type Size = number | Shape;

/**
 * Room of the size asked for, filled.
 *
 * @param where The method, as its user writes it.
 * @throws {RangeError} if a length is negative or fractional.
 * @throws {TypeError} if the size is neither a number nor a shape.
 */
export function drawSized<Numbers extends FloatArray>(
  where: string,
  size: Size,
  dtype: DType,
  fill: (out: Numbers) => void,
): Numbers | Tensor {
  const out = allocate(countOf(where, size), dtype) as Numbers;
  fill(out);
  return typeof size === "number" ? out : new Tensor(out, size);
}

/** How many numbers a size asks for. Throws as `drawSized` does. */
export function countOf(where: string, size: Size): number {
  if (Array.isArray(size)) return sizeOf(size);
  if (typeof size !== "number") {
    throw new TypeError(
      `${where}: size must be a number such as 6, or a shape such as [2, 3], got ${describe(size)}`,
    );
  }
  checkInteger(`${where}: size`, size);
  return size;
}

/** Refuses lengths one by one, as in `random(2, 3)`: the second would pass silently. @throws {TypeError} if there are. */
export function checkOneSize(where: string, more: readonly unknown[]): void {
  if (more.length > 0) {
    throw new TypeError(`${where} takes one size: a number such as 6, or a shape such as [2, 3]`);
  }
}
