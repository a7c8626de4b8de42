/**
 * What all layers share: they are called like functions, and they are in training or in evaluation mode.
 * @module
 */

import type { Tensor } from "./tensor/mod.ts";

/** An object that is a function: calling it calls its `forward`. */
export abstract class Callable {
  /** Returns the function instead of a plain object. */
  constructor() {
    const call = (x: Tensor): Tensor => (call as Layer).forward(x);
    return Object.setPrototypeOf(call, new.target.prototype);
  }
}

/** A layer can be called: `layer(x)` is `layer.forward(x)`. */
export interface Layer {
  /** The forward pass. */
  (x: Tensor): Tensor;
}

/** A tensor that training changes, and the gradient that the last backward pass gave it. */
export interface Parameter {
  /** What PyTorch calls it: `weight`, `bias`, … */
  readonly name: string;
  /** The numbers; an optimizer changes them in place. */
  readonly value: Tensor;
  /** Gradient of the loss, shaped like the value; each backward pass overwrites it. */
  readonly grad: Tensor;
}

/** Base of all layers: `forward`, `backward`, and the switch between training and evaluation. */
export abstract class Layer extends Callable {
  #training = true;

  /** True while training (the initial mode), false in evaluation. */
  get training(): boolean {
    return this.#training;
  }

  /** Switches this layer and all layers in it to training mode, or with `false` to evaluation mode. */
  train(mode = true): this {
    if (typeof mode !== "boolean") {
      throw new TypeError(`train(mode) needs true or false, got ${String(mode)}`);
    }
    this.#training = mode;
    for (const child of this.children()) child.train(mode);
    return this;
  }

  /** Switches this layer and all layers in it to evaluation mode. */
  eval(): this {
    return this.train(false);
  }

  /** The layers that this one is made of; none by default. */
  children(): readonly Layer[] {
    return [];
  }

  /** What training changes in this layer and in all layers in it. */
  parameters(): readonly Parameter[] {
    return this.children().flatMap((child) => child.parameters());
  }

  /** The output for `x`. */
  abstract forward(x: Tensor): Tensor;

  /** The gradient with respect to the last input, given the gradient with respect to the last output. */
  abstract backward(gradOutput: Tensor): Tensor;
}
