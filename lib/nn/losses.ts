/**
 * Losses, averaged as PyTorch does by default, each with its gradient.
 * @module
 */

import { checkOptions, checkProbability, describe, formatShape, sameShape } from "../check.ts";
import { Tensor, zeros } from "../tensor/mod.ts";
import { checkTensor } from "../tensor/tensor.ts";
import { logSoftmax } from "./softmax.ts";

/** A loss and where it comes from. */
export interface LossResult {
  /** The loss, a mean. */
  loss: number;
  /** Its gradient with respect to the first argument, for the model's backward pass. */
  grad: Tensor;
}

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions {
  /** Fraction of the target that is spread evenly over all classes, in [0, 1]. Default 0. */
  labelSmoothing?: number;
}

/**
 * Mean over all elements of (output − target)².
 *
 * @param output Any shape, not empty.
 * @param target Of the same shape: nothing is broadcast, since that hides mistakes.
 * @throws {TypeError} if the shapes differ.
 * @throws {RangeError} if there are no elements.
 */
export function mseLoss(output: Tensor, target: Tensor): LossResult {
  checkTensor("mseLoss", output);
  checkTensor("mseLoss", target);
  if (!sameShape(output.shape, target.shape)) {
    throw new TypeError(
      `mseLoss needs an output and a target of one shape, ` +
        `got ${formatShape(output.shape)} and ${formatShape(target.shape)}`,
    );
  }
  if (output.size === 0) {
    throw new RangeError(`mseLoss needs elements, got shape ${formatShape(output.shape)}`);
  }
  const grad = zeros(output.shape, output.dtype);
  let total = 0;
  for (let i = 0; i < output.size; i++) {
    const error = output.data[i] - target.data[i];
    total += error * error;
    grad.data[i] = 2 * error / output.size;
  }
  return { loss: total / output.size, grad };
}

/**
 * Mean over the samples of −Σ target · log softmax(logits).
 *
 * @example
 * ```ts
 * import { crossEntropy, tensor } from "../mod.ts";
 *
 * const { loss, grad } = crossEntropy(tensor([[2, 0], [0, 2]]), [0, 1]);
 * console.log(loss, grad.shape); // 0.1269…, [2, 2]
 * ```
 *
 * @param logits Shape [N, C], not empty.
 * @param targets The class of each sample, N integers in [0, C), in a list or a tensor of shape [N].
 * @param options.labelSmoothing s: the target is 1 − s + s/C for the sample's class, s/C for each other one.
 * @throws {TypeError} if logits do not have two axes, or there is not one class for each sample.
 * @throws {RangeError} if a class or the smoothing is out of range, or there are no samples.
 */
export function crossEntropy(
  logits: Tensor,
  targets: ArrayLike<number> | Tensor,
  options: CrossEntropyOptions = {},
): LossResult {
  checkTensor("crossEntropy", logits);
  const classes = targets instanceof Tensor ? targets.data : targets;
  checkClasses(logits, classes);
  checkOptions("crossEntropy", options, ["labelSmoothing"]);
  const { labelSmoothing = 0 } = options;
  checkProbability("labelSmoothing", labelSmoothing);
  const [n, c] = logits.shape;
  const grad = zeros(logits.shape, logits.dtype);
  let total = 0;
  const logProbabilities = new Float64Array(c);
  for (let i = 0; i < n; i++) {
    logSoftmax(logits.data, i * c, logProbabilities);
    for (let j = 0; j < c; j++) {
      const target = labelSmoothing / c + (j === classes[i] ? 1 - labelSmoothing : 0);
      if (target > 0) total -= target * logProbabilities[j]; // 0 · −∞ is NaN, but should count 0
      grad.data[i * c + j] = (Math.exp(logProbabilities[j]) - target) / n;
    }
  }
  return { loss: total / n, grad };
}

function checkClasses(logits: Tensor, classes: ArrayLike<number>): void {
  const [n, c] = logits.shape;
  if (logits.ndim !== 2) {
    throw new TypeError(`crossEntropy needs logits of shape [N, C], got ${formatShape(logits.shape)}`);
  }
  if (logits.size === 0) {
    throw new RangeError(
      `crossEntropy needs samples and classes, got logits of shape ${formatShape(logits.shape)}`,
    );
  }
  if (classes?.length !== n) {
    const came = classes?.length === undefined ? describe(classes) : `${classes.length} of them`;
    throw new TypeError(`crossEntropy needs one class for each of the ${n} samples, got ${came}`);
  }
  for (let i = 0; i < n; i++) {
    if (!(Number.isInteger(classes[i]) && classes[i] >= 0 && classes[i] < c)) {
      throw new RangeError(
        `Classes must be integers in [0, ${c}), got ${describe(classes[i])} for sample ${i}`,
      );
    }
  }
}
