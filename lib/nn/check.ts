/**
 * What the layers and the losses check about what they are given.
 * @module
 */

import { type Shape, Tensor } from "../tensor/mod.ts";
import { describe, formatShape, sameShape } from "../tensor/tensor.ts";

/** @throws {TypeError} if `x` is not a tensor. */
export function checkTensor(name: string, x: unknown): asserts x is Tensor {
  if (!(x instanceof Tensor)) {
    throw new TypeError(`${name} needs a Tensor, as tensor([…]) makes one, got ${describe(x)}`);
  }
}

/**
 * What the forward pass kept.
 *
 * @throws {Error} if there was no forward pass.
 */
export function recall<Kept>(kept: Kept | undefined): Kept {
  if (kept !== undefined) return kept;
  throw new Error("backward needs a forward pass before it: call forward(x) first");
}

/** @throws {TypeError} if the gradient is not a tensor of the last output's shape. */
export function checkGradient(name: string, gradOutput: unknown, shape: Shape): asserts gradOutput is Tensor {
  checkTensor(`${name}.backward`, gradOutput);
  if (!sameShape(gradOutput.shape, shape)) {
    throw new TypeError(
      `The gradient must have the shape of the last output of ${name}, ${formatShape(shape)}, ` +
        `got ${formatShape(gradOutput.shape)}`,
    );
  }
}

/** @throws {RangeError} if the value is not a positive integer. */
export function checkCount(name: string, value: unknown): void {
  if (!(Number.isInteger(value) && Number(value) > 0)) {
    throw new RangeError(`${name} must be a positive integer, got ${describe(value)}`);
  }
}

/** @throws {RangeError} if the value is not in [0, `end`). */
export function checkRange(name: string, value: unknown, end = Infinity): void {
  if (!(typeof value === "number" && value >= 0 && value < end)) {
    throw new RangeError(
      `${name} must be a number in [0, ${end === Infinity ? "∞" : end}), got ${describe(value)}`,
    );
  }
}
