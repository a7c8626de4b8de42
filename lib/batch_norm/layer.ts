/**
 * Batch normalization as a layer with running statistics.
 * @module
 */

import {
  checkFlag,
  checkInteger,
  checkOptions,
  checkProbability,
  formatShape,
  recall,
  sameShape,
} from "../check.ts";
import { Layer, type Parameter, parametersFrom } from "../layer.ts";
import { type DType, ones, type OutOptions, type Tensor, zeros } from "../tensor/mod.ts";
import { checkTensor } from "../tensor/tensor.ts";
import {
  batchNorm,
  batchNormBackward,
  type BatchNormPass,
  type ChannelStatistics,
  checkEps,
} from "./normalize.ts";

/** Options of the layer; the defaults are PyTorch's, except for the type. */
export interface BatchNormLayerOptions {
  /** Weight of the new batch in the running statistics, in [0, 1]; `null`: all batches weigh the same. Default 0.1. */
  momentum?: number | null;
  /** Added to the variance. Default 10⁻⁵. */
  eps?: number;
  /** Which axis the channels are on; negative ones count from the end. Default 1; −1 for channels last. */
  axis?: number;
  /** True (default): γ and β are parameters. False: there are none. */
  affine?: boolean;
  /** False: evaluation also normalizes with the statistics of the batch. Default true. */
  trackRunningStats?: boolean;
  /**
   * What the running variance averages: the sum of squares divided by n − 1 (true, the default, as PyTorch does) or by
   * n (false, as the article's `SimpleBatchNorm` and Keras do). The batch itself is always normalized with the latter.
   */
  unbiased?: boolean;
  /** Type of the parameters, the running statistics and the inputs. Default float64. */
  dtype?: DType;
}

/** A batch normalization can be called with the options of its forward pass. */
export interface BatchNorm {
  /** The forward pass. */
  (x: Tensor, options?: OutOptions): Tensor;
}

/** The names of `BatchNormLayerOptions`. */
const OPTIONS = ["momentum", "eps", "affine", "trackRunningStats", "unbiased", "dtype", "axis"];

/**
 * Batch normalization: in training mode with the statistics of the batch, in evaluation mode with running averages.
 *
 * PyTorch's `BatchNorm1d` for inputs of shape [N, C] and [N, C, L], its `BatchNorm2d` for [N, C, H, W]; with `axis: -1`
 * channels are last, as in Keras, TF.js and Flax. `mod.ts` has the conventions of each.
 *
 * Source: Ioffe and Szegedy 2015.
 *
 * @example
 * ```ts
 * import { BatchNorm, tensor } from "../mod.ts";
 *
 * const norm = new BatchNorm(2);
 * console.log(norm(tensor([[1, 10], [3, 30]])).toArray()); // close to [[-1, -1], [1, 1]]
 * console.log(norm.runningMean); // [0.2, 2]: a tenth of the way from 0 to the mean of the batch
 * ```
 */
export class BatchNorm extends Layer {
  /** Number of channels, C. */
  readonly numFeatures: number;
  /** Added to the variance. */
  readonly eps: number;
  /** Which axis the channels are on. */
  readonly axis: number;
  /** True if the running variance averages unbiased variances. */
  readonly unbiased: boolean;
  /** Type of the parameters, the running statistics and the inputs. */
  readonly dtype: DType;
  /** γ, of shape [C], initially 1; `null` without `affine`. */
  readonly weight: Tensor | null;
  /** β, of shape [C], initially 0; `null` without `affine`. */
  readonly bias: Tensor | null;
  /** Running mean, of shape [C], changed in place; `null` without `trackRunningStats`. */
  readonly runningMean: Tensor | null;
  /** Running variance, of shape [C], changed in place; `null` without `trackRunningStats`. */
  readonly runningVar: Tensor | null;
  /** What the last forward pass left for the backward pass. */
  protected pass: BatchNormPass | undefined = undefined;
  readonly #numBatchesTracked = zeros([]);
  #momentum: number | null = null;

  /**
   * A layer in training mode, with running mean 0 and running variance 1.
   *
   * @param numFeatures Number of channels, a positive integer.
   * @throws {RangeError} if `numFeatures`, `momentum`, `eps` or `axis` is out of range.
   * @throws {TypeError} if the momentum is neither a number nor `null`, the dtype is unknown, or an option is.
   */
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super();
    checkOptions("BatchNorm", options, OPTIONS);
    const { momentum = 0.1, eps = 1e-5, affine = true, trackRunningStats = true } = options;
    const { unbiased = true, dtype = "float64", axis = 1 } = options;
    checkInteger("numFeatures", numFeatures, 1);
    checkInteger("axis", axis, -Number.MAX_SAFE_INTEGER);
    checkEps(eps);
    for (const [name, flag] of Object.entries({ affine, trackRunningStats, unbiased })) checkFlag(name, flag);
    this.numFeatures = numFeatures;
    this.eps = eps;
    this.axis = axis;
    this.unbiased = unbiased;
    this.dtype = dtype;
    this.momentum = momentum;
    const shape = [numFeatures];
    this.weight = affine ? ones(shape, dtype) : null;
    this.bias = affine ? zeros(shape, dtype) : null;
    this.runningMean = trackRunningStats ? zeros(shape, dtype) : null;
    this.runningVar = trackRunningStats ? ones(shape, dtype) : null;
  }

  /** How many batches the running statistics have seen; set it along with them. */
  get numBatchesTracked(): number {
    return this.#numBatchesTracked.data[0];
  }

  /** @throws {RangeError | TypeError} if it is not a non-negative integer. */
  set numBatchesTracked(count: number) {
    checkInteger("numBatchesTracked", count);
    this.#numBatchesTracked.data[0] = count;
  }

  /** Weight of the new batch in the running statistics; `null`: the average over all batches so far. */
  get momentum(): number | null {
    return this.#momentum;
  }

  /** @throws {RangeError} if it is NaN or outside [0, 1]. */
  set momentum(momentum: number | null) {
    if (momentum !== null) checkProbability("momentum, the weight of the new batch (or null),", momentum);
    this.#momentum = momentum;
  }

  /** Goes back to running mean 0, running variance 1 and no batches seen. */
  resetRunningStats(): void {
    this.runningMean?.data.fill(0);
    this.runningVar?.data.fill(1);
    this.numBatchesTracked = 0;
  }

  /** γ and β, unless the layer was made without them. */
  override ownParameters(): readonly Parameter[] {
    const { weight, bias } = this;
    return parametersFrom({ weight, bias });
  }

  /** The running statistics, unless the layer was made without them, under PyTorch's names. */
  override ownBuffers(): Readonly<Record<string, Tensor>> {
    const { runningMean: running_mean, runningVar: running_var } = this;
    if (running_mean === null || running_var === null) return {};
    return { running_mean, running_var, num_batches_tracked: this.#numBatchesTracked };
  }

  /**
   * Normalizes with the batch's statistics and updates the running ones in training mode; normalizes with the running
   * ones in evaluation mode.
   *
   * @param x Shape [N, C] or [N, C, …], or with the channels on another `axis`; of the layer's type. Not changed, unless
   *   it is also given as `out`.
   * @throws {TypeError} if the shape or the type does not fit.
   * @throws {RangeError} if a channel has fewer than two values while training.
   */
  override forward(x: Tensor, options: OutOptions = {}): Tensor {
    checkOptions("BatchNorm", options, ["out"]);
    this.#check(x);
    if (this.training && this.#running()) checkInteger("num_batches_tracked", this.numBatchesTracked);
    const running = this.training ? undefined : this.#running();
    const room = this.pass?.normalized; // only the last pass is kept, so that its room can be used again
    const { output, statistics, pass } = batchNorm(x, {
      weight: this.weight ?? undefined,
      bias: this.bias ?? undefined,
      statistics: running,
      eps: this.eps,
      axis: this.axis,
      normalized: room !== undefined && sameShape(room.shape, x.shape) ? room : undefined,
      out: options.out,
    });
    if (this.training) this.#track(statistics, x.size / this.numFeatures);
    this.pass = pass;
    return output;
  }

  /**
   * The gradient that belongs to the last forward pass, in whatever mode that was; overwrites the gradients of γ and β.
   *
   * @param gradOutput Shaped like the last input.
   * @throws {Error} if there was no forward pass.
   * @throws {TypeError} if the shape is not that of the last forward pass.
   */
  override backward(gradOutput: Tensor, options: OutOptions = {}): Tensor {
    checkOptions("BatchNorm.backward", options, ["out"]);
    const { gradInput, gradWeight, gradBias } = batchNormBackward(gradOutput, recall(this.pass), options);
    for (const { name, grad } of this.ownParameters()) {
      grad.data.set((name === "weight" ? gradWeight : gradBias).data);
    }
    return gradInput;
  }

  /** Channels, eps, momentum and type, and the axis if it is not 1. */
  protected override extraRepr(): string {
    const { numFeatures, eps, momentum, dtype, axis } = this;
    return `${numFeatures}, eps=${eps}, momentum=${momentum}, dtype=${dtype}${
      axis === 1 ? "" : `, axis=${axis}`
    }`;
  }

  #running(): ChannelStatistics | undefined {
    const { runningMean: mean, runningVar: variance } = this;
    return mean && variance ? { mean, variance } : undefined;
  }

  /** running = (1 − momentum) · running + momentum · new, rounded as NumPy rounds it. */
  #track({ mean, variance }: ChannelStatistics, count: number): void {
    const running = this.#running();
    if (running === undefined) return;
    this.numBatchesTracked++;
    const momentum = this.#momentum ?? 1 / this.numBatchesTracked;
    const correction = this.unbiased ? count / (count - 1) : 1;
    const [means, variances] = [running.mean.data, running.variance.data];
    for (let c = 0; c < this.numFeatures; c++) {
      means[c] = (1 - momentum) * means[c] + momentum * mean.data[c];
      variances[c] = (1 - momentum) * variances[c] + momentum * (variance.data[c] * correction);
    }
  }

  #check(x: Tensor): void {
    const allowed = this.#allowed();
    checkTensor(`This BatchNorm, made for ${allowed},`, x);
    const { axis } = this;
    if (x.ndim < 2 || x.shape[axis < 0 ? axis + x.ndim : axis] !== this.numFeatures) {
      throw new TypeError(`This BatchNorm needs a tensor of shape ${allowed}, got ${formatShape(x.shape)}`);
    }
    if (x.dtype !== this.dtype) {
      throw new TypeError(
        `This BatchNorm was made for ${this.dtype}, got a ${x.dtype} tensor; the option dtype chooses`,
      );
    }
  }

  /** The shapes that fit, for people. */
  #allowed(): string {
    const { numFeatures: c, axis } = this;
    if (axis === 1) return `[N, ${c}] or [N, ${c}, …]`;
    return axis === -1 ? `[N, ${c}] or [N, …, ${c}]` : `[N, …] with ${c} channels on axis ${axis}`;
  }
}
