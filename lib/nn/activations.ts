/**
 * Activations. Each derivative can be read off the output, so that the output is all that a layer keeps.
 * @module
 */

import { checkOptions, recall } from "../check.ts";
import { Layer } from "../layer.ts";
import * as simd from "../simd/training.ts";
import type { FloatArray, OutOptions, Tensor } from "../tensor/mod.ts";
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

  /** A layer in training mode; it has no options. */
  constructor(options: Record<string, never> = {}) {
    super();
    checkOptions(this.constructor.name, options, []);
  }

  /** The function of each element of `x`, into `y`, which may be `x`. */
  protected abstract activate(x: FloatArray, y: FloatArray): void;

  /** Its derivative where its value is `y`, times `g`, into `gradInput`, which may be `g`. */
  protected abstract propagate(g: FloatArray, y: FloatArray, gradInput: FloatArray): void;

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
    const output = resultTensor(where, x.shape, x.dtype, options.out, [x]);
    this.activate(x.data, output.data);
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
    const gradInput = resultTensor(where, shape, gradOutput.dtype, options.out, [gradOutput]);
    this.propagate(gradOutput.data, data, gradInput.data);
    return gradInput;
  }
}

// Each activation has its own loops: an engine makes fast ones only of functions that it can see.

/** max(0, x). Its derivative at 0 is 0, as in PyTorch. */
export class ReLU extends ActivationLayer {
  /** max(0, x), which is NaN for NaN. */
  protected override activate(x: FloatArray, y: FloatArray): void {
    if (simd.relu(x, y)) return;
    for (let i = 0; i < x.length; i++) y[i] = Math.max(0, x[i]);
  }

  /** The gradient above zero, else 0. */
  protected override propagate(g: FloatArray, y: FloatArray, gradInput: FloatArray): void {
    if (simd.reluGradient(g, y, gradInput)) return;
    for (let i = 0; i < g.length; i++) gradInput[i] = y[i] > 0 ? g[i] : 0;
  }
}

/** The hyperbolic tangent. */
export class Tanh extends ActivationLayer {
  /** tanh(x). */
  protected override activate(x: FloatArray, y: FloatArray): void {
    for (let i = 0; i < x.length; i++) y[i] = Math.tanh(x[i]);
  }

  /** 1 − y². */
  protected override propagate(g: FloatArray, y: FloatArray, gradInput: FloatArray): void {
    for (let i = 0; i < g.length; i++) gradInput[i] = g[i] * (1 - y[i] * y[i]);
  }
}

/** The logistic function, 1/(1 + e⁻ˣ). */
export class Sigmoid extends ActivationLayer {
  /** 1/(1 + e⁻ˣ); where e⁻ˣ overflows, the result is 0, as it should be. */
  protected override activate(x: FloatArray, y: FloatArray): void {
    for (let i = 0; i < x.length; i++) y[i] = 1 / (1 + Math.exp(-x[i]));
  }

  /** y(1 − y). */
  protected override propagate(g: FloatArray, y: FloatArray, gradInput: FloatArray): void {
    for (let i = 0; i < g.length; i++) gradInput[i] = g[i] * (y[i] * (1 - y[i]));
  }
}
