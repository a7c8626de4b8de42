/**
 * Batch normalization as a layer with running statistics.
 * @module
 */

import { Layer, type Parameter } from "../layer.ts";
import { type DType, ones, type OutOptions, Tensor, zeros } from "../tensor/mod.ts";
import { describe, formatShape, sameShape } from "../tensor/tensor.ts";
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

/**
 * Batch normalization: in training mode with the statistics of the batch, in evaluation mode with running averages.
 *
 * PyTorch's `BatchNorm1d` for inputs of shape [N, C], its `BatchNorm2d` for [N, C, H, W].
 */
export class BatchNorm extends Layer {
  /** Number of channels, C. */
  readonly numFeatures: number;
  /** Added to the variance. */
  readonly eps: number;
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
  /** How many batches the running statistics have seen; set it along with them, as when loading a checkpoint. */
  numBatchesTracked = 0;
  readonly #parameters: readonly Parameter[];
  #momentum: number | null = null;
  #pass: BatchNormPass | undefined;

  /**
   * A layer in training mode, with running mean 0 and running variance 1.
   *
   * @param numFeatures Number of channels, a positive integer.
   * @throws {RangeError} if `numFeatures`, `momentum` or `eps` is out of range.
   * @throws {TypeError} if the momentum is neither a number nor `null`, or the dtype is unknown.
   */
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super();
    const { momentum = 0.1, eps = 1e-5, affine = true, trackRunningStats = true } = options;
    const { unbiased = true, dtype = "float64" } = options;
    if (!(Number.isInteger(numFeatures) && numFeatures > 0)) {
      throw new RangeError(`numFeatures must be a positive integer, got ${describe(numFeatures)}`);
    }
    checkEps(eps);
    this.numFeatures = numFeatures;
    this.eps = eps;
    this.unbiased = unbiased;
    this.dtype = dtype;
    this.momentum = momentum;
    const shape = [numFeatures];
    this.weight = affine ? ones(shape, dtype) : null;
    this.bias = affine ? zeros(shape, dtype) : null;
    this.runningMean = trackRunningStats ? zeros(shape, dtype) : null;
    this.runningVar = trackRunningStats ? ones(shape, dtype) : null;
    this.#parameters = Object.entries({ weight: this.weight, bias: this.bias }).flatMap(([name, value]) =>
      value === null ? [] : [{ name, value, grad: zeros(shape, dtype) }]
    );
  }

  /** Weight of the new batch in the running statistics; `null`: the average over all batches so far. */
  get momentum(): number | null {
    return this.#momentum;
  }

  /** @throws {RangeError} if it is NaN or outside [0, 1]. */
  set momentum(momentum: number | null) {
    const message = `momentum, the weight of the new batch, must be in [0, 1] or null, got ${
      describe(momentum)
    }`;
    if (momentum !== null && typeof momentum !== "number") throw new TypeError(message);
    if (momentum !== null && !(momentum >= 0 && momentum <= 1)) throw new RangeError(message);
    this.#momentum = momentum;
  }

  /** Goes back to running mean 0, running variance 1 and no batches seen. */
  resetRunningStats(): void {
    this.runningMean?.data.fill(0);
    this.runningVar?.data.fill(1);
    this.numBatchesTracked = 0;
  }

  /** γ and β, unless the layer was made without them. */
  override parameters(): readonly Parameter[] {
    return this.#parameters;
  }

  /**
   * Normalizes with the batch's statistics and updates the running ones in training mode; normalizes with the running
   * ones in evaluation mode.
   *
   * @param x Shape [N, C] or [N, C, …], of the layer's type. Not changed, unless it is also given as `out`.
   * @throws {TypeError} if the shape or the type does not fit.
   * @throws {RangeError} if a channel has fewer than two values while training.
   */
  override forward(x: Tensor, { out }: OutOptions = {}): Tensor {
    this.#check(x);
    const running = this.training ? undefined : this.#running();
    const room = this.#pass?.normalized; // only the last pass is kept, so that its room can be used again
    const { output, statistics, pass } = batchNorm(x, {
      weight: this.weight ?? undefined,
      bias: this.bias ?? undefined,
      statistics: running,
      eps: this.eps,
      normalized: room !== undefined && sameShape(room.shape, x.shape) ? room : undefined,
      out,
    });
    if (this.training) this.#track(statistics, x.size / this.numFeatures);
    this.#pass = pass;
    return output;
  }

  /**
   * The gradient that belongs to the last forward pass, in whatever mode that was; overwrites the gradients of γ and β.
   *
   * @param gradOutput Shaped like the last input.
   * @throws {Error} if there was no forward pass.
   * @throws {TypeError} if the shape is not that of the last forward pass.
   */
  override backward(gradOutput: Tensor, { out }: OutOptions = {}): Tensor {
    if (this.#pass === undefined) {
      throw new Error("backward needs a forward pass before it: call forward(x) first");
    }
    const { gradInput, gradWeight, gradBias } = batchNormBackward(gradOutput, this.#pass, { out });
    for (const { name, grad } of this.#parameters) {
      grad.data.set((name === "weight" ? gradWeight : gradBias).data);
    }
    return gradInput;
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
    if (!(x instanceof Tensor) || x.ndim < 2 || x.shape[1] !== this.numFeatures) {
      const came = x instanceof Tensor ? formatShape(x.shape) : describe(x);
      const allowed = `[N, ${this.numFeatures}] or [N, ${this.numFeatures}, …]`;
      throw new TypeError(`This BatchNorm needs a tensor of shape ${allowed}, got ${came}`);
    }
    if (x.dtype !== this.dtype) {
      throw new TypeError(
        `This BatchNorm was made for ${this.dtype}, got a ${x.dtype} tensor; the option dtype chooses`,
      );
    }
  }
}
