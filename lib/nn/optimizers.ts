/**
 * Optimizers: they change parameters in place, along the gradients that the last backward pass left.
 * @module
 */

import type { Parameter } from "../layer.ts";
import { checkRange } from "./check.ts";

/** Options of `SGD`. */
export interface SGDOptions {
  /** Learning rate, at least 0. */
  lr: number;
  /** How much of the last step's velocity stays, in [0, 1). Default 0. */
  momentum?: number;
  /** Weight of the penalty ½·‖w‖², whose gradient is added. Default 0. */
  weightDecay?: number;
}

/** Options of `Adam`; the defaults are PyTorch's. */
export interface AdamOptions {
  /** Learning rate, at least 0. Default 0.001. */
  lr?: number;
  /** Decay of the running averages of the gradient and of its square, each in [0, 1). Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Added to the root of the average square. Default 10⁻⁸. */
  eps?: number;
  /** Weight of the penalty ½·‖w‖², whose gradient is added (as PyTorch's Adam, not AdamW). Default 0. */
  weightDecay?: number;
}

/** Base of the optimizers: a list of parameters, a learning rate, a penalty. */
export abstract class Optimizer {
  /** What is optimized. */
  readonly parameters: readonly Parameter[];
  /** Learning rate; may be changed between steps. */
  lr: number;
  /** Weight of the penalty ½·‖w‖². */
  readonly weightDecay: number;

  /**
   * Checks what all optimizers share.
   *
   * @param parameters What is optimized, at least one.
   * @throws {RangeError} if there is nothing to optimize, or an option is out of range.
   */
  constructor(parameters: readonly Parameter[], lr: number, weightDecay: number) {
    if (!Array.isArray(parameters) || parameters.length === 0) {
      throw new RangeError("An optimizer needs at least one parameter, as model.parameters() gives them");
    }
    checkRange("lr", lr);
    checkRange("weightDecay", weightDecay);
    this.parameters = [...parameters];
    this.lr = lr;
    this.weightDecay = weightDecay;
  }

  /** One step along the gradients as they are now. */
  abstract step(): void;

  /** A float64 array of zeros for each parameter, whatever its type. */
  protected makeState(): Float64Array[] {
    return this.parameters.map(({ value }) => new Float64Array(value.size));
  }
}

/** Stochastic gradient descent, with momentum as PyTorch defines it: v ← momentum·v + g, w ← w − lr·v. */
export class SGD extends Optimizer {
  /** How much of the last step's velocity stays. */
  readonly momentum: number;
  readonly #velocity: Float64Array[];

  /**
   * A fresh optimizer, at rest.
   *
   * @param parameters What is optimized.
   * @param options.lr Required.
   * @throws {RangeError} if there is nothing to optimize, or an option is out of range.
   */
  constructor(parameters: readonly Parameter[], options: SGDOptions) {
    const { lr, momentum = 0, weightDecay = 0 } = options ?? {};
    super(parameters, lr, weightDecay);
    checkRange("momentum", momentum, 1);
    this.momentum = momentum;
    this.#velocity = this.makeState();
  }

  /** v ← momentum·v + g, w ← w − lr·v. */
  override step(): void {
    this.parameters.forEach(({ value: { data }, grad }, k) => {
      const velocity = this.#velocity[k];
      for (let i = 0; i < data.length; i++) {
        velocity[i] = this.momentum * velocity[i] + (grad.data[i] + this.weightDecay * data[i]);
        data[i] -= this.lr * velocity[i];
      }
    });
  }
}

/**
 * Adam: each element's step is its average gradient over the root of its average square.
 *
 * Source: Kingma and Ba 2015, algorithm 1, in the order of operations that PyTorch uses.
 */
export class Adam extends Optimizer {
  /** Decay of the two running averages. */
  readonly betas: readonly [number, number];
  /** Added to the root of the average square. */
  readonly eps: number;
  readonly #mean: Float64Array[];
  readonly #square: Float64Array[];
  #steps = 0;

  /**
   * A fresh optimizer, with averages of zero.
   *
   * @param parameters What is optimized.
   * @throws {RangeError} if there is nothing to optimize, or an option is out of range.
   */
  constructor(parameters: readonly Parameter[], options: AdamOptions = {}) {
    const { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0 } = options;
    super(parameters, lr, weightDecay);
    checkRange("betas[0]", betas[0], 1);
    checkRange("betas[1]", betas[1], 1);
    checkRange("eps", eps);
    this.betas = [betas[0], betas[1]];
    this.eps = eps;
    this.#mean = this.makeState();
    this.#square = this.makeState();
  }

  /** Both averages start at zero; dividing by 1 − βᵗ makes up for that. */
  override step(): void {
    const [beta1, beta2] = this.betas;
    this.#steps++;
    const stepSize = this.lr / (1 - beta1 ** this.#steps);
    const rootCorrection = Math.sqrt(1 - beta2 ** this.#steps);
    this.parameters.forEach(({ value: { data }, grad }, k) => {
      const [mean, square] = [this.#mean[k], this.#square[k]];
      for (let i = 0; i < data.length; i++) {
        const g = grad.data[i] + this.weightDecay * data[i];
        mean[i] = beta1 * mean[i] + (1 - beta1) * g;
        square[i] = beta2 * square[i] + (1 - beta2) * g * g;
        data[i] -= stepSize * (mean[i] / (Math.sqrt(square[i]) / rootCorrection + this.eps));
      }
    });
  }
}
