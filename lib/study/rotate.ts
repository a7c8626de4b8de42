/**
 * Turned images.
 * @module
 */

import { checkTensor } from "../tensor/tensor.ts";
import { formatShape } from "../check.ts";
import { Tensor } from "../mod.ts";

/**
 * Turns square images counterclockwise about their centres. A pixel is interpolated from the four around the place that it
 * comes from (bilinear); outside of an image all is 0. Multiples of 90° only move pixels, up to rounding.
 *
 * @example
 * ```ts
 * import { tensor } from "../mod.ts";
 * import { rotateImages } from "./rotate.ts";
 *
 * console.log(rotateImages(tensor([[1, 2, 3, 4]]), 90)); // [[2, 4, 1, 3]]: the right column is now on top
 * ```
 *
 * @param images Shape [n, side²], rows of pixels from the top left.
 * @param degrees Any number.
 * @returns A new tensor of the same shape and type.
 * @throws {TypeError} if the shape does not fit.
 * @throws {RangeError} if the angle is not finite.
 */
export function rotateImages(images: Tensor, degrees: number): Tensor {
  checkTensor("rotateImages", images);
  const [n, pixels] = images.shape;
  const side = Math.sqrt(pixels);
  if (images.ndim !== 2 || !Number.isInteger(side)) {
    throw new TypeError(`rotateImages needs images of shape [n, side²], got ${formatShape(images.shape)}`);
  }
  if (!Number.isFinite(degrees)) throw new RangeError(`An angle must be a finite number, got ${degrees}`);
  const result = new Tensor(images.data.slice().fill(0), images.shape);
  for (const { to, from, weight } of interpolation(side, degrees)) {
    for (let image = 0; image < n * pixels; image += pixels) {
      result.data[image + to] += weight * images.data[image + from];
    }
  }
  return result;
}

/** Which pixel takes how much of which: the same for all images. */
function interpolation(side: number, degrees: number): { to: number; from: number; weight: number }[] {
  const angle = degrees * Math.PI / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const center = (side - 1) / 2;
  return Array.from({ length: side * side }, (_, to) => {
    // Where it comes from: the same place, turned back. Rows count downwards.
    const [right, down] = [to % side - center, Math.floor(to / side) - center];
    const x = center + cos * right - sin * down;
    const y = center + sin * right + cos * down;
    const corners = [[0, 0], [0, 1], [1, 0], [1, 1]].map(([i, j]) => [Math.floor(y) + i, Math.floor(x) + j]);
    return corners
      .filter(([row, column]) => row >= 0 && row < side && column >= 0 && column < side)
      .map(([row, column]) => ({
        to,
        from: row * side + column,
        weight: (1 - Math.abs(y - row)) * (1 - Math.abs(x - column)),
      }));
  }).flat();
}
