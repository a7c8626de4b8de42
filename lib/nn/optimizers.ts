/**
 * Optimizers: they change parameters in place, along the gradients that the last backward pass left.
 * @module
 */

import { checkOptions, checkRange, describe, formatShape, sameShape } from "../check.ts";
import type { Parameter } from "../layer.ts";
import * as simd from "../simd/training.ts";
import { type FloatArray, type SavedTensor, Tensor, tensor, zeros } from "../tensor/mod.ts";

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

/** A saved optimizer: plain data and tensors, which JSON keeps bit for bit. */
export interface OptimizerState {
  /** Which optimizer: `SGD` or `Adam`. */
  optimizer: string;
  /** Its options. The learning rate is taken over; the others must be those of the optimizer that goes on. */
  options: Record<string, unknown>;
  /** How many steps were taken. */
  steps: number;
  /** What is kept for each parameter, by name and then in their order: velocities, or running averages. */
  moments: Record<string, (Tensor | SavedTensor)[]>;
}

/** Base of the optimizers: a list of parameters, a learning rate, a penalty, and what is kept from step to step. */
export abstract class Optimizer {
  /** What is optimized. */
  readonly parameters: readonly Parameter[];
  #lr = 0;
  /** Weight of the penalty ½·‖w‖². */
  readonly weightDecay: number;
  /** How many steps were taken. */
  protected steps = 0;
  readonly #moments: Readonly<Record<string, readonly Tensor[]>>;

  /**
   * Checks what all optimizers share.
   *
   * @param parameters What is optimized, at least one, each once.
   * @param moments Names of what is kept for each parameter: a tensor of zeros at first, of its shape and type.
   * @throws {RangeError} if there is nothing to optimize, or an option is out of range.
   * @throws {TypeError} if something is not a parameter, or comes twice: each step would change it twice.
   */
  constructor(
    parameters: readonly Parameter[],
    lr: number,
    weightDecay: number,
    moments: readonly string[] = [],
  ) {
    if (!Array.isArray(parameters) || parameters.length === 0) {
      throw new RangeError(
        `An optimizer needs a list of at least one parameter, as model.parameters() gives it, got ${
          describe(parameters)
        }`,
      );
    }
    const places = new Map<Tensor, number>();
    parameters.forEach((parameter, i) => {
      const { value, grad } = parameter ?? {};
      if (!(value instanceof Tensor && grad instanceof Tensor)) {
        throw new TypeError(
          `An optimizer needs parameters, as model.parameters() gives them, got ${describe(parameter)}`,
        );
      }
      if (!sameShape(value.shape, grad.shape) || value.dtype !== grad.dtype) {
        throw new TypeError(
          `An optimizer needs gradients of their values' shape and type; at position ${i} they are ` +
            `${grad.dtype} of shape ${formatShape(grad.shape)} and ${value.dtype} of shape ${
              formatShape(value.shape)
            }`,
        );
      }
      const before = places.get(value);
      if (before !== undefined) {
        throw new TypeError(
          `An optimizer needs each parameter once; positions ${before} and ${i} are the same`,
        );
      }
      places.set(value, i);
    });
    checkRange("weightDecay", weightDecay);
    if (!Array.isArray(moments)) throw new TypeError(`moments must be names, got ${describe(moments)}`);
    this.parameters = [...parameters];
    this.lr = lr;
    this.weightDecay = weightDecay;
    const fresh = () => parameters.map(({ value }) => zeros(value.shape, value.dtype));
    this.#moments = Object.fromEntries(moments.map((name) => [name, fresh()]));
  }

  /** Learning rate; may be changed between steps. */
  get lr(): number {
    return this.#lr;
  }

  /** Refuses what is no rate. @throws {RangeError | TypeError} if it is no number in [0, ∞). */
  set lr(lr: number) {
    checkRange("lr", lr);
    this.#lr = lr;
  }

  /** One step along the gradients as they are now. */
  abstract step(): void;

  /** The options that decide what a step does, but for the learning rate. */
  protected abstract options(): Record<string, unknown>;

  /** The numbers kept under this name for parameter `k`. */
  protected momentOf(name: string, k: number): FloatArray {
    return this.#moments[name][k].data;
  }

  /**
   * Everything that the next steps depend on besides parameters and gradients.
   *
   * @example
   * ```ts
   * import { Adam, defaultRng, Linear } from "../mod.ts";
   *
   * const optimizer = new Adam(new Linear(4, 2, { rng: defaultRng(1) }).parameters(), { lr: 0.01 });
   * const saved = JSON.stringify(optimizer.getState());
   * optimizer.setState(JSON.parse(saved)); // bit for bit
   * ```
   */
  getState(): OptimizerState {
    const moments = Object.entries(this.#moments).map((
      [name, tensors],
    ) => [name, tensors.map((x) => x.clone())]);
    return {
      optimizer: this.constructor.name,
      options: { lr: this.lr, ...this.options() },
      steps: this.steps,
      moments: Object.fromEntries(moments),
    };
  }

  /**
   * Goes on from a saved state.
   *
   * @param state As `getState` gives it, also after JSON.
   * @throws {TypeError} if it is not a state of this optimizer, with these options and parameters; nothing is changed
   *   then.
   */
  setState(state: OptimizerState): void {
    const name = this.constructor.name;
    const { optimizer, options, steps, moments } = state ?? {};
    if (
      optimizer !== name || typeof options !== "object" || options === null || !Number.isSafeInteger(steps) ||
      steps < 0
    ) {
      throw new TypeError(
        `Not a saved state of ${name}: it needs optimizer "${name}", options, steps and moments`,
      );
    }
    const { lr, ...others } = options as { lr: number };
    checkRange("the saved lr", lr);
    const [came, own] = [JSON.stringify(others), JSON.stringify(this.options())];
    if (came !== own) throw new TypeError(`This ${name} has the options ${own}, the saved one ${came}`);
    const fresh = Object.entries(this.#moments).map(([moment, tensors]) => {
      const saved = moments?.[moment];
      if (!Array.isArray(saved) || saved.length !== tensors.length) {
        throw new TypeError(`Not a saved state of this ${name}: ${moment} needs ${tensors.length} tensors`);
      }
      return saved.map((value, k) => {
        const loaded = value instanceof Tensor ? value : tensor(value);
        if (sameShape(loaded.shape, tensors[k].shape) && loaded.dtype === tensors[k].dtype) return loaded;
        throw new TypeError(
          `Not a saved state of this ${name}: ${moment} of parameter ${k} has another shape or type`,
        );
      });
    });
    Object.values(this.#moments).forEach((tensors, m) =>
      tensors.forEach((x, k) => x.data.set(fresh[m][k].data))
    );
    this.lr = lr;
    this.steps = steps;
  }
}

/** Stochastic gradient descent, with momentum as PyTorch defines it: v ← momentum·v + g, w ← w − lr·v. */
export class SGD extends Optimizer {
  /** How much of the last step's velocity stays. */
  readonly momentum: number;

  /**
   * A fresh optimizer, at rest.
   *
   * @example
   * ```ts
   * import { defaultRng, Linear, SGD } from "../mod.ts";
   *
   * console.log(new SGD(new Linear(4, 2, { rng: defaultRng(1) }).parameters(), { lr: 0.1 }).lr); // 0.1
   * ```
   *
   * @param parameters What is optimized.
   * @param options.lr Required.
   * @throws {RangeError} if there is nothing to optimize, or an option is out of range.
   */
  constructor(parameters: readonly Parameter[], options: SGDOptions) {
    checkOptions("SGD", options, ["lr", "momentum", "weightDecay"]);
    const { lr, momentum = 0, weightDecay = 0 } = options;
    super(parameters, lr, weightDecay, ["velocity"]);
    checkRange("momentum", momentum, 1);
    this.momentum = momentum;
  }

  /** Momentum and weight decay. */
  protected override options(): Record<string, unknown> {
    const { momentum, weightDecay } = this;
    return { momentum, weightDecay };
  }

  /** v ← momentum·v + g, w ← w − lr·v. */
  override step(): void {
    this.parameters.forEach(({ value: { data }, grad }, k) => {
      const velocity = this.momentOf("velocity", k);
      for (let i = 0; i < data.length; i++) {
        velocity[i] = this.momentum * velocity[i] + (grad.data[i] + this.weightDecay * data[i]);
        data[i] -= this.lr * velocity[i];
      }
    });
    this.steps++;
  }
}

/**
 * Adam: each element's step is its average gradient over the root of its average square.
 *
 * Source: Kingma and Ba 2015, algorithm 1.
 *
 * @example
 * ```ts
 * import { Adam, defaultRng, Linear, mseLoss, ones, zeros } from "../mod.ts";
 *
 * const model = new Linear(4, 1, { rng: defaultRng(42) });
 * const optimizer = new Adam(model.parameters(), { lr: 0.01 });
 * for (let step = 0; step < 10; step++) {
 *   const { loss, grad } = mseLoss(model(ones([2, 4])), zeros([2, 1]));
 *   model.backward(grad);
 *   optimizer.step();
 *   console.log(loss); // falls
 * }
 * ```
 */
export class Adam extends Optimizer {
  /** Decay of the two running averages. */
  readonly betas: readonly [number, number];
  /** Added to the root of the average square. */
  readonly eps: number;

  /**
   * A fresh optimizer, with averages of zero.
   *
   * @param parameters What is optimized.
   * @throws {RangeError} if there is nothing to optimize, or an option is out of range.
   */
  constructor(parameters: readonly Parameter[], options: AdamOptions = {}) {
    checkOptions("Adam", options, ["lr", "betas", "eps", "weightDecay"]);
    const { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0 } = options;
    if (!Array.isArray(betas)) throw new TypeError(`betas must be two numbers, got ${describe(betas)}`);
    super(parameters, lr, weightDecay, ["mean", "square"]);
    checkRange("betas[0]", betas[0], 1);
    checkRange("betas[1]", betas[1], 1);
    checkRange("eps", eps);
    this.betas = [betas[0], betas[1]];
    this.eps = eps;
  }

  /** Decays, eps and weight decay. */
  protected override options(): Record<string, unknown> {
    const { betas, eps, weightDecay } = this;
    return { betas, eps, weightDecay };
  }

  /** Both averages start at zero; dividing by 1 − βᵗ makes up for that. In float32 each operation is rounded. */
  override step(): void {
    const [beta1, beta2] = this.betas;
    this.steps++;
    const numbers: simd.AdamStep = {
      lr: this.lr / (1 - beta1 ** this.steps),
      beta1,
      alpha1: 1 - beta1,
      beta2,
      alpha2: 1 - beta2,
      root: Math.sqrt(1 - beta2 ** this.steps),
      eps: this.eps,
      decay: this.weightDecay,
    };
    const rounded = { ...numbers };
    for (const name of Object.keys(rounded) as (keyof typeof rounded)[]) {
      rounded[name] = Math.fround(rounded[name]);
    }
    this.parameters.forEach(({ value: { data }, grad }, k) => {
      const arrays: FloatArray[] = [data, grad.data, this.momentOf("mean", k), this.momentOf("square", k)];
      if (data instanceof Float64Array) stepDouble(...arrays as Arrays<FloatArray>, numbers);
      else stepSingle(...arrays as Arrays<Float32Array>, rounded);
    });
  }
}

/** The weights, their gradient, and its mean and mean square. */
type Arrays<A> = [w: A, grad: A, mean: A, square: A];

function stepDouble(
  w: FloatArray,
  grad: FloatArray,
  mean: FloatArray,
  square: FloatArray,
  step: simd.AdamStep,
): void {
  const { lr, beta1, alpha1, beta2, alpha2, root, eps, decay } = step;
  for (let i = 0; i < w.length; i++) {
    const g = grad[i] + decay * w[i];
    mean[i] = beta1 * mean[i] + alpha1 * g;
    square[i] = beta2 * square[i] + alpha2 * g * g;
    w[i] -= lr * (mean[i] / (Math.sqrt(square[i]) / root + eps));
  }
}

/** The same with each operation rounded to float32. */
function stepSingle(
  w: Float32Array,
  grad: Float32Array,
  mean: Float32Array,
  square: Float32Array,
  step: simd.AdamStep,
): void {
  if (simd.adam(w, grad, mean, square, step)) return;
  const { lr, beta1, alpha1, beta2, alpha2, root, eps, decay } = step;
  const round = Math.fround;
  for (let i = 0; i < w.length; i++) {
    const g = round(grad[i] + round(decay * w[i]));
    mean[i] = round(beta1 * mean[i]) + round(alpha1 * g);
    square[i] = round(beta2 * square[i]) + round(round(alpha2 * g) * g);
    w[i] -= round(lr * round(mean[i] / round(round(round(Math.sqrt(square[i])) / root) + eps)));
  }
}
