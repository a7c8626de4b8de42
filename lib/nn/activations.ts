/**
 * Activations. Each derivative can be read off the output, so that the output is all that a layer keeps.
 * @module
 */

import { Layer } from "../layer.ts";
import type { Tensor } from "../tensor/mod.ts";
import { checkGradient, checkTensor, recall } from "./check.ts";

/** A layer that applies one function to each element. */
export abstract class ActivationLayer extends Layer {
  #output: Tensor | undefined;

  /** The function. */
  protected abstract activate(x: number): number;

  /** Its derivative, where its value is `y`. */
  protected abstract slope(y: number): number;

  /**
   * The function of each element.
   *
   * @param x Any shape. Not changed.
   */
  override forward(x: Tensor): Tensor {
    checkTensor(this.constructor.name, x);
    const output = x.map((value) => this.activate(value));
    this.#output = output.clone(); // what is returned may be changed, by a dropout in place for example
    return output;
  }

  /**
   * The gradient for the last input.
   *
   * @param gradOutput Shaped like the last input.
   * @throws {Error} if there was no forward pass.
   * @throws {TypeError} if the shape is not that of the last forward pass.
   */
  override backward(gradOutput: Tensor): Tensor {
    const output = recall(this.#output);
    checkGradient(this.constructor.name, gradOutput, output.shape);
    return gradOutput.map((g, i) => g * this.slope(output.data[i]));
  }
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
