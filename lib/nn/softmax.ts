/**
 * Probabilities from logits.
 * @module
 */

import { formatShape } from "../check.ts";
import { Tensor } from "../tensor/mod.ts";
import { allocate, checkTensor } from "../tensor/tensor.ts";

/**
 * exp(x) over the sum of exp along the last axis: for logits of shape [N, C], the probabilities of each sample.
 *
 * @param x At least one axis.
 * @returns A new tensor of the same shape and type, whose rows add up to 1.
 * @throws {TypeError} if `x` is not a tensor, or is a scalar.
 */
export function softmax(x: Tensor): Tensor {
  checkTensor("softmax", x);
  const length = x.shape.at(-1);
  if (length === undefined) {
    throw new TypeError(`softmax needs at least one axis, got shape ${formatShape(x.shape)}`);
  }
  const result = allocate(x.size, x.dtype);
  for (let start = 0; start < x.size; start += length) {
    result.set(logSoftmax(x.data.subarray(start, start + length)).map(Math.exp), start);
  }
  return new Tensor(result, x.shape);
}

/** x − log Σ exp(x) of one row, in float64; with the largest taken out, so that nothing overflows. */
export function logSoftmax(row: ArrayLike<number>): Float64Array {
  const x = Float64Array.from(row);
  const largest = x.reduce((a, b) => Math.max(a, b));
  const logSum = Math.log(x.reduce((total, value) => total + Math.exp(value - largest), 0));
  return x.map((value) => value - largest - logSum);
}
