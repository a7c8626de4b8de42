/**
 * Activations. Each derivative can be read off the output, so that the output is all that a layer keeps.
 * @module
 */

import { checkOptions, recall } from "../check.ts";
import { Layer } from "../layer.ts";
import type { OutOptions, Tensor } from "../tensor/mod.ts";
import { checkTensor, resultTensor } from "../tensor/tensor.ts";

/** An activation can be called with the options of its forward pass. */
export interface ActivationLayer {
  /** The forward pass. */
  (x: Tensor, options?: OutOptions): Tensor;
}

/** A layer that applies one function to each element. */
export abstract class ActivationLayer extends Layer {
  /** What the last forward pass left for the backward pass: a copy of the output. */
  protected pass: Tensor | undefined = undefined;

  /** The function. */
  protected abstract activate(x: number): number;

  /** Its derivative, where its value is `y`. */
  protected abstract slope(y: number): number;

  /**
   * The function of each element.
   *
   * @param x Any shape. Not changed, unless it is also given as `out`.
   * @throws {TypeError} if `x` is not a tensor, or `out` does not fit.
   */
  override forward(x: Tensor, options: OutOptions = {}): Tensor {
    const where = this.constructor.name;
    checkTensor(where, x);
    checkOptions(where, options, ["out"]);
    const output = elementwise(where, x, options.out, (value) => this.activate(value));
    this.pass = output.clone(); // what is returned may be changed, by a dropout in place for example
    return output;
  }

  /**
   * The gradient for the last input.
   *
   * @param gradOutput Shaped like the last input.
   * @throws {Error} if there was no forward pass.
   * @throws {TypeError} if the shape is not that of the last forward pass.
   */
  override backward(gradOutput: Tensor, options: OutOptions = {}): Tensor {
    const where = `${this.constructor.name}.backward`;
    const { shape, data } = recall(this.pass);
    checkTensor(where, gradOutput, shape);
    checkOptions(where, options, ["out"]);
    return elementwise(where, gradOutput, options.out, (g, i) => g * this.slope(data[i]));
  }
}

function elementwise(
  where: string,
  x: Tensor,
  out: Tensor | undefined,
  f: (value: number, i: number) => number,
): Tensor {
  const result = resultTensor(where, x.shape, x.dtype, out, [x]);
  for (let i = 0; i < x.size; i++) result.data[i] = f(x.data[i], i);
  return result;
}

/** max(0, x). Its derivative at 0 is 0, as in PyTorch. */
export class ReLU extends ActivationLayer {
  /** max(0, x), which is NaN for NaN. */
  protected override activate(x: number): number {
    return Math.max(0, x);
  }

  /** 1 above zero, else 0. */
  protected override slope(y: number): number {
    return y > 0 ? 1 : 0;
  }
}

/** The hyperbolic tangent. */
export class Tanh extends ActivationLayer {
  /** tanh(x). */
  protected override activate(x: number): number {
    return Math.tanh(x);
  }

  /** 1 − y². */
  protected override slope(y: number): number {
    return 1 - y * y;
  }
}

/** The logistic function, 1/(1 + e⁻ˣ). */
export class Sigmoid extends ActivationLayer {
  /** 1/(1 + e⁻ˣ); where e⁻ˣ overflows, the result is 0, as it should be. */
  protected override activate(x: number): number {
    return 1 / (1 + Math.exp(-x));
  }

  /** y(1 − y). */
  protected override slope(y: number): number {
    return y * (1 - y);
  }
}
