/**
 * Noise shapes as TensorFlow's family reads them.
 * @module
 */

import { drawnShape, formatNoiseShape, type NoiseShape } from "../dropout/noise_shape.ts";
import { formatShape } from "../check.ts";
import type { Shape } from "../tensor/mod.ts";

/**
 * The shape that is drawn for an input.
 *
 * Keras and TF.js read each `null` from the left, but then align the whole at the right: for an input of shape [1, 3],
 * `[null]` is [1] there, one decision for all, and [3] here. Where both could be meant, this function refuses.
 *
 * @param where The function, as its user writes it.
 * @throws {TypeError} if it does not broadcast to the input, or has `null` and fewer axes than the input.
 */
export function sharedShape(where: string, noiseShape: NoiseShape | undefined, shape: Shape): Shape {
  const drawn = drawnShape(where, noiseShape, shape);
  if (noiseShape?.includes(null) && noiseShape.length < shape.length) {
    throw new TypeError(
      `${where}: a noiseShape with null needs as many axes as the input, whose shape is ${
        formatShape(shape)
      }, ` +
        `got ${formatNoiseShape(noiseShape)}`,
    );
  }
  return drawn;
}
