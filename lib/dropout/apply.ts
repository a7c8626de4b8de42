/**
 * The arithmetic behind every kind of dropout: a mask, a scale, and the same two on the way back.
 * @module
 */

import { checkFlag, checkInstance, checkOptions, describe, formatShape, sameShape } from "../check.ts";
import { checkDropProbability, drawMask, Mask, resultMask } from "../mask.ts";
import type { RandomStream } from "../random/mod.ts";
import { checkStream } from "../random/stream.ts";
import { applyBits } from "../simd/dropout.ts";
import { multiply, type OutOptions, type Shape, Tensor } from "../tensor/mod.ts";
import { broadcastShapes } from "../tensor/elementwise.ts";
import { checkTensor, overlaps, resultTensor } from "../tensor/tensor.ts";
import { drawnShape, type NoiseShape } from "./noise_shape.ts";

/** Options of the functional forms. */
export interface DropoutOptions<Noise extends Mask | Tensor = Mask> extends OutOptions {
  /** The stream that the mask is drawn from. Required while training, unless p is 0 or a mask is given. */
  rng?: RandomStream | undefined;
  /** True (default): a mask is drawn and applied. */
  training?: boolean | undefined;
  /** The shape in which decisions are drawn: 1 where elements share one, `null` where it follows the input's. */
  noiseShape?: NoiseShape | undefined;
  /**
   * While training, use this mask and draw none; it may be smaller and broadcast to the input, as [N, C, 1, 1] to
   * [N, C, H, W].
   */
  mask?: Noise | undefined;
  /** Receives the mask, if one is drawn, so that nothing is allocated; of the noise shape, or else of the input's. */
  maskOut?: Noise | undefined;
}

/**
 * What the backward pass needs to know of a forward pass: both multiply by scale · mask, so that what a forward pass
 * did cannot be told wrong.
 */
export interface DropoutPass<Noise extends Mask | Tensor = Mask | Tensor> {
  /** Shape of the input. */
  readonly shape: Shape;
  /** What each element was multiplied by: kept or dropped, a noise of its own, or nothing (`null`). */
  readonly mask: Noise | null;
  /** What all elements were multiplied by. */
  readonly scale: number;
}

/** What a functional forward pass returns. */
export interface DropoutResult<Noise extends Mask | Tensor = Mask> {
  /** Shaped like the input, of its type. */
  output: Tensor;
  /** For the backward pass. */
  pass: DropoutPass<Noise>;
}

/**
 * `scale · x` where the mask keeps, +0 where it drops (also for NaN and infinities); `scale · x · mask` for a mask of
 * numbers.
 *
 * In float32 the scale is rounded to float32 first. (PyTorch rounds 1 − p before it divides, so that its scale differs
 * in the last bit at some rates.)
 *
 * @example
 * ```ts
 * import { applyMask, Mask, tensor } from "../mod.ts";
 *
 * const x = tensor([[1, 2], [3, 4]]);
 * console.log(applyMask(x, Mask.of(1, 0), 2).toArray()); // [[2, 0], [6, 0]]: one mask for all rows
 * ```
 *
 * @param x Any shape.
 * @param mask Broadcasts to `x`.
 * @param scale 1 (default) for standard dropout, 1/(1−p) for inverted dropout.
 * @returns A tensor of `x`'s shape and type; `out` may be `x` itself.
 * @throws {TypeError} if the mask does not broadcast to `x`, or `out` does not fit.
 */
export function applyMask(x: Tensor, mask: Mask | Tensor, scale = 1, options: OutOptions = {}): Tensor {
  checkTensor("applyMask", x);
  checkOptions("applyMask", options, ["out"]);
  if (typeof scale !== "number") {
    throw new TypeError(`applyMask: scale must be a number, got ${describe(scale)}`);
  }
  return apply("applyMask", x, mask, scale, options.out);
}

/** `applyMask`, in the name of the function that its user called. */
function apply(
  where: string,
  x: Tensor,
  mask: Mask | Tensor,
  scale: number,
  out: Tensor | undefined,
): Tensor {
  if (mask instanceof Tensor) return applyNoise(where, x, mask, scale, out);
  if (!(mask instanceof Mask)) {
    throw new TypeError(`${where}: the mask must be a Mask, got ${describe(mask)}`);
  }
  const result = resultTensor(where, x.shape, x.dtype, out, [x]);
  const factor = x.dtype === "float32" ? Math.fround(scale) : scale;
  const { bits } = mask.broadcastTo(x.shape);
  const from = x.data;
  const to = result.data;
  if (applyBits(from, to, bits, factor)) return result;
  for (let i = 0; i < to.length; i++) to[i] = (bits[i >> 3] >> (i & 7)) & 1 ? from[i] * factor : 0;
  return result;
}

/** Refuses what is not a tensor that can multiply `x`. @throws {TypeError} if it is anything else. */
export function checkNoise(where: string, noise: unknown, x: Tensor): asserts noise is Tensor {
  checkTensor(`${where}: mask`, noise);
  if (noise.dtype === x.dtype && sameShape(broadcastShapes(where, noise.shape, x.shape), x.shape)) return;
  throw new TypeError(
    `${where}: a mask of numbers must be ${x.dtype} and broadcast to ${formatShape(x.shape)}, ` +
      `got ${noise.dtype} of shape ${formatShape(noise.shape)}`,
  );
}

/** `scale · x · noise`. */
export function applyNoise(
  where: string,
  x: Tensor,
  noise: Tensor,
  scale: number,
  out: Tensor | undefined,
): Tensor {
  checkNoise(where, noise, x);
  const product = multiply(x, noise, { out: resultTensor(where, x.shape, x.dtype, out, [x, noise]) });
  return scale === 1 ? product : multiply(product, scale, { out: product });
}

/** The names of `DropoutOptions`. */
export const OPTIONS = ["rng", "training", "mask", "out", "maskOut", "noiseShape"];

/**
 * A training pass, or one in evaluation that only scales.
 *
 * @param where The function, as its user writes it.
 * @param p Drop probability, in [0, 1].
 * @param scales Of the survivors while training, and of all elements in evaluation.
 * @throws {RangeError} if `p` is NaN or outside [0, 1].
 * @throws {TypeError} if there is no stream, or `out` or a mask does not fit; the stream is as it was then.
 */
export function dropout(
  where: string,
  x: Tensor,
  p: number,
  scales: { training: number; evaluation: number },
  options: DropoutOptions,
): DropoutResult {
  checkTensor(where, x);
  checkDropProbability(p);
  checkOptions(where, options, OPTIONS);
  const { rng, training = true, noiseShape, mask: given, out, maskOut } = options;
  checkFlag(`${where}: training`, training);
  const { shape } = x;
  const drawn = drawnShape(where, noiseShape, shape);
  checkMasks(where, shape, drawn, options);
  const scale = training ? scales.training : scales.evaluation;
  if (!training || (p === 0 && given === undefined)) {
    return { output: applyScale(where, x, scale, out), pass: { shape, mask: null, scale } };
  }
  if (given !== undefined) {
    const mask = p === 1 ? resultMask(shape, undefined) : given; // at p = 1 nothing is kept
    return { output: apply(where, x, mask, scale, out), pass: { shape, mask, scale } };
  }
  const output = resultTensor(where, shape, x.dtype, out, [x]);
  const mask = resultMask(drawn, maskOut);
  checkStream(where, rng);
  const isShared = !sameShape(drawn, shape);
  if (isShared || !rng.dropout?.(1 - p, x.data, output.data, scale, mask.bits)) {
    drawMask(drawn, p, { rng, out: mask });
    apply(where, x, mask, scale, output);
  }
  return { output, pass: { shape, mask, scale } };
}

/** Refuses masks that do not fit, also where none is needed: there the mistake would hide until training. */
function checkMasks(where: string, shape: Shape, drawn: Shape, options: DropoutOptions): void {
  const { mask: given, maskOut, noiseShape } = options;
  if (given !== undefined) {
    checkInstance(`${where}: mask`, given, Mask, "a Mask");
    given.broadcastTo(shape);
    checkNotGiven(where, { maskOut, noiseShape });
  }
  if (maskOut !== undefined) resultMask(drawn, maskOut, `${where}: maskOut`);
}

/** What asks for a drawn mask does not go together with a given one. @throws {TypeError} that names it. */
export function checkNotGiven(
  where: string,
  { maskOut, noiseShape }: { maskOut: unknown; noiseShape: unknown },
) {
  if (maskOut !== undefined) {
    throw new TypeError(`${where}: maskOut receives a mask that is drawn, but one was given`);
  }
  if (noiseShape !== undefined) {
    throw new TypeError(`${where}: noiseShape is the shape of a mask that is drawn, but one was given`);
  }
}

/**
 * The gradient of every kind of dropout: through the mask and the scale of the forward pass.
 *
 * @param where The function, as its user writes it.
 * @throws {TypeError} if the gradient has not the shape of the forward pass, or the pass is none.
 */
export function dropoutBackward(
  where: string,
  gradOutput: Tensor,
  pass: DropoutPass,
  options: OutOptions,
): Tensor {
  checkOptions(where, options, ["out"]);
  if (
    typeof pass !== "object" || pass === null || typeof pass.scale !== "number" || !Array.isArray(pass.shape)
  ) {
    throw new TypeError(`${where} needs the pass that the forward function returned, got ${describe(pass)}`);
  }
  checkTensor(where, gradOutput, pass.shape);
  const { mask, scale } = pass;
  if (mask instanceof Tensor && options.out instanceof Tensor && overlaps(mask, options.out)) {
    throw new TypeError(`${where}: out needs memory apart from the noise of the forward pass`);
  }
  return mask === null
    ? applyScale(where, gradOutput, scale, options.out)
    : apply(where, gradOutput, mask, scale, options.out);
}

/** `scale · x` everywhere, with the same rounding as `applyMask`; `x` itself if the scale is 1 and there is no `out`. */
export function applyScale(where: string, x: Tensor, scale: number, out: Tensor | undefined): Tensor {
  if (scale === 1 && (out === undefined || out === x)) return x;
  return multiply(x, scale, { out: resultTensor(where, x.shape, x.dtype, out, [x]) }); // float32 rounds the scale, too
}
