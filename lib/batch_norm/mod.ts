/**
 * Batch normalization, as a pair of functions and as a layer, and the re-estimation of its running statistics.
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
