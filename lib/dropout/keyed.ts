/**
 * Inverted dropout whose masks need no memory.
 * @module
 */

import { checkOptions } from "../check.ts";
import { drawMask } from "../mask.ts";
import { KeyedStream } from "../random/mod.ts";
import type { Tensor } from "../tensor/mod.ts";
import type { DropoutOptions, DropoutResult } from "./apply.ts";
import { invertedDropout } from "./inverted.ts";
import { DropoutLayer } from "./layer.ts";
import type { NoiseShape } from "./noise_shape.ts";

/** Which masks a keyed dropout layer draws. */
export interface KeyedDropoutOptions {
  /** An integer in [0, 2⁵³) or a bigint in [0, 2⁶⁴), the same in all layers of a model. */
  seed: number | bigint;
  /** A number of its own for each layer, an integer in [0, 2³²). */
  layer: number;
  /** The shape in which decisions are drawn: 1 where elements share one, `null` where it follows the input's. */
  noiseShape?: NoiseShape | undefined;
}

/**
 * Inverted dropout whose mask is a function of seed, layer, step and element.
 *
 * It keeps no mask: the backward pass draws it again from its key. The training loop says which step it is.
 *
 * @example
 * ```ts
 * import { KeyedDropout, ones } from "../mod.ts";
 *
 * const dropout = new KeyedDropout(0.5, { seed: 42, layer: 0 });
 * dropout.step = 7;
 * console.log(dropout(ones([2, 3])).toArray(), dropout(ones([2, 3])).toArray()); // twice the same
 * ```
 */
export class KeyedDropout extends DropoutLayer {
  /** Where the next mask stands among all numbers of the seed. */
  declare rng: KeyedStream;

  /**
   * A layer in training mode, at step 0.
   *
   * @param p Drop probability, in [0, 1).
   * @throws {RangeError} if `p`, the seed or the layer's number is out of range.
   * @throws {TypeError} if one of them is missing or not a number.
   */
  constructor(p: number, options: KeyedDropoutOptions) {
    checkOptions("KeyedDropout", options, ["seed", "layer", "noiseShape"]);
    const { noiseShape, ...key } = options;
    super(p, { rng: new KeyedStream({ ...key, step: 0 }), noiseShape });
  }

  /** The seed of all masks. */
  override get seed(): number | bigint {
    return this.rng.seed;
  }

  /** Which step of the training the next forward pass belongs to, an integer in [0, 2³²). */
  get step(): number {
    return this.rng.step;
  }

  /** Moves to another step. @throws {RangeError | TypeError} if it is not such an integer. */
  set step(step: number) {
    this.rng = this.rng.at({ step });
  }

  /**
   * Position of the next input's first element (with a noise shape, of its first decision) in the whole batch: greater
   * than 0 if the input is a part of it.
   */
  get offset(): number {
    return this.rng.offset;
  }

  /** Moves to another position. @throws {RangeError | TypeError} if it is not an integer in [0, 2⁵³). */
  set offset(offset: number) {
    this.rng = this.rng.at({ offset });
  }

  /** Refuses: nothing advances, so that there is nothing to start again. @throws {TypeError} always. */
  override resetRng(): void {
    throw new TypeError(
      "A KeyedDropout has no stream to reset: its masks depend on seed, layer and step; set step",
    );
  }

  /** False: the same step gives the same mask. */
  override get isRandom(): boolean {
    return false;
  }

  /** Inverted dropout, and a pass that holds the key in place of the mask. */
  protected override drop(x: Tensor, options: DropoutOptions): DropoutResult {
    const { output, pass } = invertedDropout(x, this.p, options);
    if (pass.mask === null || pass.mask === options.mask) return { output, pass };
    const [{ shape, scale }, { shape: drawn }, { p }, rng] = [pass, pass.mask, this, this.rng.at({})];
    return {
      output,
      pass: {
        shape,
        scale,
        get mask() {
          return drawMask(drawn, p, { rng });
        },
      },
    };
  }
}
