/**
 * New running statistics for a trained model, as evaluation meets them: with dropout off.
 * @module
 */

import type { Layer } from "../layer.ts";
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
 * @param model Any layer; the `BatchNorm` layers are found through `children()`.
 * @param batches Inputs of the model, at least one. Batches count the same, however many samples they hold.
 * @throws {RangeError} if there is no batch, or no `BatchNorm` that keeps running statistics.
 *   If anything is thrown, the running statistics stay as they were.
 */
export function reestimateStatistics(model: Layer, batches: Iterable<Tensor>): void {
  const layers = withDescendants(model);
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
  const before = norms.map(saveStatistics);
  let seen = 0;
  let finished = false;
  try {
    layers.forEach((layer) => layer.eval());
    for (const norm of norms) {
      norm.train().momentum = null;
      norm.resetRunningStats();
    }
    for (const batch of batches) {
      model.forward(batch);
      seen++;
    }
    if (seen === 0) throw new RangeError("reestimateStatistics needs at least one batch, got none");
    finished = true;
  } finally {
    norms.forEach((norm, i) => norm.momentum = momenta[i]);
    // Parents first, since a parent's mode may be passed on to its children.
    layers.forEach((layer, i) => layer.train(modes[i]));
    if (!finished) before.forEach((restore) => restore());
  }
}

/** The layer, and all layers in it, parents before children. */
function withDescendants(layer: Layer): Layer[] {
  return [layer, ...layer.children().flatMap(withDescendants)];
}

/** Returns what puts the running statistics back. */
function saveStatistics(norm: BatchNorm): () => void {
  const [mean, variance, batches] = [
    norm.runningMean!.clone(),
    norm.runningVar!.clone(),
    norm.numBatchesTracked,
  ];
  return () => {
    norm.runningMean!.data.set(mean.data);
    norm.runningVar!.data.set(variance.data);
    norm.numBatchesTracked = batches;
  };
}
