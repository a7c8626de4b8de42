/**
 * Probabilities from logits.
 * @module
 */

import { checkOptions, formatShape } from "../check.ts";
import { type FloatArray, Tensor } from "../tensor/mod.ts";
import { allocate, checkTensor } from "../tensor/tensor.ts";

/**
 * exp(x) over the sum of exp along the last axis: for logits of shape [N, C], the probabilities of each sample.
 *
 * @param x At least one axis.
 * @returns A new tensor of the same shape and type, whose rows add up to 1.
 * @throws {TypeError} if `x` is not a tensor, or is a scalar.
 */
export function softmax(x: Tensor, options: Record<string, never> = {}): Tensor {
  checkTensor("softmax", x);
  checkOptions("softmax", options, []);
  const length = x.shape.at(-1);
  if (length === undefined) {
    throw new TypeError(`softmax needs at least one axis, got shape ${formatShape(x.shape)}`);
  }
  const result = allocate(x.size, x.dtype);
  const row = new Float64Array(length);
  for (let start = 0; start < x.size; start += length) {
    logSoftmax(x.data, start, row);
    for (let j = 0; j < length; j++) result[start + j] = Math.exp(row[j]);
  }
  return new Tensor(result, x.shape);
}

/** x − log Σ exp(x) of the row of `x` that begins at `start`, in float64; the largest is taken out: nothing overflows. */
export function logSoftmax(x: FloatArray, start: number, to: Float64Array): void {
  let largest = -Infinity;
  for (let j = 0; j < to.length; j++) largest = Math.max(largest, x[start + j]);
  let total = 0;
  for (let j = 0; j < to.length; j++) total += Math.exp(x[start + j] - largest);
  const logSum = Math.log(total);
  for (let j = 0; j < to.length; j++) to[j] = x[start + j] - largest - logSum;
}
