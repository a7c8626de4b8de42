/**
 * Batch normalization, as a pair of functions and as a layer, and the re-estimation of its running statistics.
 *
 * All frameworks normalize the batch with its variance divided by n. They part in what the running statistics are made
 * of; with the options in the last column, a `BatchNorm` does as they do:
 *
 * | framework | channels | default momentum | is the weight of | running variance divides by | here |
 * |---|---|---|---|---|---|
 * | PyTorch 2.13.0 | axis 1 | 0.1; `None`: all batches alike | the new | n − 1 | `{}` |
 * | Keras 3.15.1, on JAX | last | 0.99 | the old | n | `{ "momentum": 0.01, "eps": 0.001, "axis": -1, "unbiased": false }` |
 * | Flax 0.12.8 | last | 0.99 | the old | n | `{ "momentum": 0.01, "axis": -1, "unbiased": false }` |
 * | TF.js 4.22.0 | last | 0.99 | the old | n | `{ "momentum": 0.01, "eps": 0.001, "axis": -1, "unbiased": false }` |
 * | ONNX 1.23.2 reference, opset 15 | axis 1 | 0.9 | the old | n | `{ "momentum": 0.1, "unbiased": false }` |
 *
 * One value per channel has no variance: PyTorch and this library refuse it while training, the others give β.
 *
 * @example
 * ```ts
 * import { BatchNorm } from "./mod.ts";
 * import { tensor } from "../tensor/mod.ts";
 *
 * const batchNorm = new BatchNorm(2);
 * console.log(batchNorm(tensor([[1, 10], [3, 30]])).toArray()); // close to [[-1, -1], [1, 1]]
 * console.log(batchNorm.runningMean!.toArray()); // [0.2, 2]: a tenth of the way from 0 to the batch's mean
 * ```
 * @module
 */

export { BatchNorm, type BatchNormLayerOptions } from "./layer.ts";
export {
  batchNorm,
  batchNormBackward,
  type BatchNormGradients,
  type BatchNormOptions,
  type BatchNormPass,
  type BatchNormResult,
  type ChannelStatistics,
} from "./normalize.ts";
export { reestimateStatistics } from "./reestimate.ts";
