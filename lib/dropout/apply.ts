/**
 * The one loop behind every kind of dropout: keep and scale, or zero.
 * @module
 */

import { checkStream, drawMask, type Mask, resultMask } from "../mask.ts";
import { applyBits } from "../simd/dropout.ts";
import { formatShape, resultTensor, sameShape } from "../tensor/tensor.ts";
import { type OutOptions, Tensor } from "../tensor/mod.ts";
import type { DropoutOptions, DropoutResult } from "./layer.ts";

/**
 * `scale · x` where the mask keeps, +0 where it drops (also for NaN and infinities).
 *
 * In float32 the scale is rounded to float32 first. (PyTorch rounds 1 − p before it divides, so that its scale differs
 * in the last bit at some rates.)
 *
 * @param x Any shape.
 * @param mask Shaped like `x`.
 * @param scale 1 for standard dropout, 1/(1−p) for inverted dropout.
 * @returns A tensor of `x`'s shape and type; `out` may be `x` itself.
 * @throws {TypeError} if the shapes differ.
 */
export function applyMask(x: Tensor, mask: Mask, scale: number, { out }: OutOptions = {}): Tensor {
  if (!sameShape(x.shape, mask.shape)) {
    throw new TypeError(
      `The mask has shape ${formatShape(mask.shape)}, but the tensor has shape ${formatShape(x.shape)}`,
    );
  }
  const result = resultTensor("dropout", x.shape, x.dtype, out, [x]);
  const factor = x.dtype === "float32" ? Math.fround(scale) : scale;
  const { bits } = mask;
  const from = x.data;
  const to = result.data;
  if (applyBits(from, to, bits, factor)) return result;
  for (let i = 0; i < to.length; i++) to[i] = (bits[i >> 3] >> (i & 7)) & 1 ? from[i] * factor : 0;
  return result;
}

/**
 * Draws a mask and applies it, in one pass if the stream can.
 *
 * @param p Drop probability, in [0, 1].
 * @param scale As in `applyMask`.
 * @throws {TypeError} if there is no stream, or `out` or `mask` does not fit; the stream is as it was then.
 */
export function drawAndApply(
  x: Tensor,
  p: number,
  scale: number,
  { rng, mask: room, out }: DropoutOptions,
): DropoutResult {
  const output = resultTensor("dropout", x.shape, x.dtype, out, [x]);
  const mask = resultMask(x.shape, room);
  checkStream(rng);
  if (rng.dropout?.(1 - p, x.data, output.data, scale, mask.bits)) return { output, mask };
  drawMask(x.shape, p, rng, { out: mask });
  return { output: applyMask(x, mask, scale, { out: output }), mask };
}

/** `scale · x` everywhere, with the same rounding as `applyMask`. */
export function applyScale(x: Tensor, scale: number, { out }: OutOptions = {}): Tensor {
  const result = resultTensor("dropout", x.shape, x.dtype, out, [x]);
  const factor = x.dtype === "float32" ? Math.fround(scale) : scale;
  for (let i = 0; i < x.size; i++) result.data[i] = x.data[i] * factor;
  return result;
}

/** `x` itself, or a copy of it in `out`. */
export function passThrough(x: Tensor, { out }: OutOptions = {}): Tensor {
  if (out === undefined || out === x) return x;
  const result = resultTensor("dropout", x.shape, x.dtype, out, [x]);
  result.data.set(x.data);
  return result;
}
