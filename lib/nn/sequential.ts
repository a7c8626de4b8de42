/**
 * Layers in a row.
 * @module
 */

import { Layer, type Parameter } from "../layer.ts";
import type { Tensor } from "../tensor/mod.ts";
import { describe } from "../tensor/tensor.ts";

/** Layers in a row: each one's output is the next one's input. */
export class Sequential extends Layer {
  readonly #layers: readonly Layer[];

  /**
   * Puts layers in a row.
   *
   * @param layers Each only once, since a layer remembers one forward pass.
   * @throws {TypeError} if something is not a layer, or a layer comes twice.
   */
  constructor(...layers: Layer[]) {
    super();
    layers.forEach((layer, i) => {
      if (!(layer instanceof Layer)) {
        throw new TypeError(`Sequential needs layers, got ${describe(layer)} at position ${i}`);
      }
      if (layers.indexOf(layer) !== i) {
        throw new TypeError(
          `Sequential needs each layer once, since a layer remembers one forward pass; ` +
            `positions ${layers.indexOf(layer)} and ${i} hold the same`,
        );
      }
    });
    this.#layers = [...layers];
  }

  /** The layers, first to last. */
  override children(): readonly Layer[] {
    return this.#layers;
  }

  /** All parameters, named as PyTorch names them: the layer's position, then its own name, as in `0.weight`. */
  override parameters(): readonly Parameter[] {
    return this.#layers.flatMap((layer, i) =>
      layer.parameters().map((parameter) => ({ ...parameter, name: `${i}.${parameter.name}` }))
    );
  }

  /** First to last. */
  override forward(x: Tensor): Tensor {
    return this.#layers.reduce((value, layer) => layer.forward(value), x);
  }

  /** Last to first. */
  override backward(gradOutput: Tensor): Tensor {
    return this.#layers.reduceRight((gradient, layer) => layer.backward(gradient), gradOutput);
  }
}
