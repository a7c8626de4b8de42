/**
 * New running statistics for a trained model, as evaluation meets them: with dropout off.
 * @module
 */

import { checkInstance, describe } from "../check.ts";
import { Layer } from "../layer.ts";
import type { Tensor } from "../tensor/mod.ts";
import { BatchNorm } from "./layer.ts";

/**
 * Replaces the running statistics of each `BatchNorm` in a model by the averages over `batches`, while all other layers
 * are in evaluation mode. What was learned stays as it is; so do modes and momenta.
 *
 * Dropout in front of a `BatchNorm` raises the variance that it sees in training, so that its running variance is too
 * large for evaluation. This is a remedy that needs no new training. (PyTorch's `update_bn` averages in the same way,
 * but with dropout on.)
 *
 * @example
 * ```ts
 * import { BatchNorm, defaultRng, InvertedDropout, normal, reestimateStatistics, Sequential } from "../mod.ts";
 *
 * const model = new Sequential(new InvertedDropout(0.5, { seed: 1 }), new BatchNorm(3));
 * const batches = [normal([64, 3], { rng: defaultRng(42) })];
 * for (let step = 0; step < 100; step++) model(batches[0]);
 * const norm = model.children()[1] as BatchNorm;
 * console.log(norm.runningVar); // about 2: that of the training, with dropout on
 * reestimateStatistics(model, batches);
 * console.log(norm.runningVar); // about 1: that of evaluation
 * ```
 *
 * @param model Any layer; the `BatchNorm` layers are found among `namedLayers()`.
 * @param batches Inputs of the model, at least one. Batches count the same, however many samples they hold.
 * @throws {TypeError} if the model is not a layer, or the batches are none.
 * @throws {RangeError} if there is no batch, or no `BatchNorm` that keeps running statistics.
 *   If anything is thrown, the running statistics stay as they were.
 */
export function reestimateStatistics(model: Layer, batches: Iterable<Tensor>): void {
  checkInstance("reestimateStatistics", model, Layer, "a layer");
  if (typeof batches?.[Symbol.iterator] !== "function") {
    throw new TypeError(
      `reestimateStatistics needs batches, such as an array of tensors, got ${describe(batches)}`,
    );
  }
  const layers = Array.from(model.namedLayers().values());
  const norms = layers.filter((layer) => layer instanceof BatchNorm).filter((norm) =>
    norm.runningMean !== null
  );
  if (norms.length === 0) {
    throw new RangeError(
      "reestimateStatistics needs a model with at least one BatchNorm that keeps running statistics",
    );
  }
  const modes = layers.map((layer) => layer.training);
  const momenta = norms.map((norm) => norm.momentum);
  const restore = model.snapshot();
  let seen = 0;
  try {
    model.eval();
    for (const norm of norms) {
      norm.train().momentum = null;
      norm.resetRunningStats();
    }
    for (const batch of batches) {
      model.forward(batch);
      seen++;
    }
    if (seen === 0) throw new RangeError("reestimateStatistics needs at least one batch, got none");
  } catch (error) {
    restore();
    throw error;
  } finally {
    norms.forEach((norm, i) => norm.momentum = momenta[i]);
    layers.forEach((layer, i) => layer.train(modes[i])); // parents first, since a mode is passed on to children
  }
}
