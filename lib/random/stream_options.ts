/**
 * Where a layer's randomness comes from, and tensors of random numbers from any stream.
 * @module
 */

import { checkOptions } from "../check.ts";
import { type DType, type Shape, Tensor, zeros } from "../tensor/mod.ts";
import { FastStream } from "./fast_stream.ts";
import type { Seed } from "./seed.ts";
import { checkNormals, checkStream, type NormalStream, type RandomStream } from "./stream.ts";

/** Where random numbers come from. */
export interface StreamOptions {
  /** Any stream. It belongs to whoever made it, and may be shared. */
  rng?: RandomStream;
  /** Short for `rng: new FastStream(seed)`. */
  seed?: Seed;
}

/**
 * The stream that the options mean.
 *
 * @param where The class, as its user writes it.
 * @param fresh What a seed becomes; by default a FastStream.
 * @returns `undefined` if they name none.
 * @throws {TypeError} if both are given, or `rng` is not a stream.
 * @throws {RangeError} if the seed is negative or fractional.
 */
export function streamFrom(
  where: string,
  { rng, seed }: StreamOptions,
  fresh: (seed: Seed) => RandomStream = (seed) => new FastStream(seed),
): RandomStream | undefined {
  if (rng !== undefined && seed !== undefined) {
    throw new TypeError(
      `${where} takes a stream or a seed, got both: { rng } draws from it, { seed } makes a new one`,
    );
  }
  if (seed !== undefined) return fresh(seed);
  if (rng !== undefined) checkStream(where, rng);
  return rng;
}

/**
 * A tensor of uniform numbers in [0, 1), from any stream.
 *
 * @param options.rng Where they come from.
 * @param options.dtype Default float64. Multiples of 2⁻²⁴ in float32; else of 2⁻⁵³, or of 2⁻³² from a KeyedStream.
 * @throws {TypeError} if the stream is missing, or the shape is not one.
 */
export function uniform(shape: Shape, options: { rng: RandomStream; dtype?: DType }): Tensor {
  checkOptions("uniform", options, ["rng", "dtype"]);
  const { rng, dtype } = options;
  checkStream("uniform", rng);
  const result = zeros(shape, dtype);
  rng.fillUniform(result.data);
  return result;
}

/**
 * A tensor of normal numbers with mean 0 and variance 1, from any stream that has them.
 *
 * @example
 * ```ts
 * import { FastStream, normal } from "./mod.ts";
 *
 * const rng = new FastStream(42);
 * console.log(normal([2, 3], { rng, dtype: "float32" }));
 * ```
 *
 * @param options.rng Where they come from: all streams but a KeyedStream.
 * @param options.dtype Default float64.
 * @throws {TypeError} if the stream is missing or has no normal numbers, or the shape is not one.
 */
export function normal(shape: Shape, options: { rng: NormalStream; dtype?: DType }): Tensor {
  checkOptions("normal", options, ["rng", "dtype"]);
  const { rng, dtype } = options;
  checkNormals("normal", rng);
  const result = zeros(shape, dtype);
  rng.fillNormal(result.data);
  return result;
}
