/**
 * Layers in a row.
 * @module
 */

import { checkInstance, checkOptions } from "../check.ts";
import { Layer } from "../layer.ts";
import type { Tensor } from "../tensor/mod.ts";

/**
 * Layers in a row: each one's output is the next one's input.
 *
 * @example
 * ```ts
 * import { defaultRng, InvertedDropout, Linear, ReLU, Sequential } from "../mod.ts";
 *
 * const rng = defaultRng(42);
 * const model = new Sequential(new Linear(4, 8, { rng }), new ReLU(), new InvertedDropout(0.5, { seed: 1 }));
 * console.log(model); // (0): Linear(4, 8) …
 * console.log(model.parameters().map(({ name }) => name)); // ["0.weight", "0.bias"]
 * ```
 */
export class Sequential extends Layer {
  readonly #layers: readonly Layer[];

  /**
   * Puts layers in a row.
   *
   * @param layers Each only once, also inside the others, since a layer remembers one forward pass.
   * @throws {TypeError} if something is not a layer, or a layer comes twice.
   */
  constructor(...layers: Layer[]) {
    super();
    const places = new Map<Layer, string>();
    layers.forEach((layer, i) => {
      checkInstance(`Sequential, at position ${i},`, layer, Layer, "a layer");
      for (const [path, inside] of layer.namedLayers()) {
        const place = path === "" ? `${i}` : `${i}.${path}`;
        if (places.has(inside)) {
          throw new TypeError(
            `Sequential needs each layer once, since a layer remembers one forward pass; ` +
              `${places.get(inside)} and ${place} are the same ${inside.constructor.name}`,
          );
        }
        places.set(inside, place);
      }
    });
    this.#layers = [...layers];
  }

  /** The layers, first to last, under their positions as names: "0", "1", …; then those that a subclass has besides. */
  override namedChildren(): readonly (readonly [name: string, layer: Layer])[] {
    return [...this.#layers.map((layer, i) => [String(i), layer] as const), ...super.namedChildren()];
  }

  /** First to last. */
  override forward(x: Tensor, options: object = {}): Tensor {
    checkOptions("Sequential", options, []);
    return this.#layers.reduce((value, layer) => layer.forward(value), x);
  }

  /** Last to first, but only as far as there are parameters; the first layer that has some gives no gradient to its input. */
  override backwardParameters(gradOutput: Tensor): void {
    const first = this.#layers.findIndex((layer) => layer.parameters().length > 0);
    if (first < 0) return;
    const gradient = this.#layers.slice(first + 1).reduceRight((g, layer) => layer.backward(g), gradOutput);
    this.#layers[first].backwardParameters(gradient);
  }

  /** Last to first. */
  override backward(gradOutput: Tensor, options: object = {}): Tensor {
    checkOptions("Sequential.backward", options, []);
    return this.#layers.reduceRight((gradient, layer) => layer.backward(gradient), gradOutput);
  }
}
