/**
 * Batch normalization of tensors of shape [N, C] by kernels.
 * @module
 */

import { type FloatArray, input, kernelsFor, output, PANELS, update } from "./kernels.ts";

/** How many rows and columns. */
export type Size = readonly [rows: number, columns: number];

/** What goes into a forward pass. Vectors hold one number for each channel. */
export interface Forward {
  /** The input. */
  x: FloatArray;
  /** γ. */
  weight: Float64Array;
  /** β. */
  bias: Float64Array;
  /** Written unless `given`. */
  mean: Float64Array;
  /** Biased; written unless `given`. */
  variance: Float64Array;
  /** Receives √(variance + eps). */
  deviation: Float64Array;
  /** True if mean and variance are given. */
  given: boolean;
  /** Added to the variance. */
  eps: number;
  /** Receives (x − mean) / deviation. */
  normalized: FloatArray;
  /** Receives weight · normalized + bias. */
  y: FloatArray;
}

/** What goes into a backward pass. Vectors hold one number for each channel. */
export interface Backward {
  /** The gradient with respect to the output. */
  g: FloatArray;
  /** From the forward pass. */
  normalized: FloatArray;
  /** γ. */
  weight: Float64Array;
  /** From the forward pass. */
  deviation: Float64Array;
  /** Receives Σ normalized · g. */
  gradWeight: Float64Array;
  /** Receives Σ g. */
  gradBias: Float64Array;
  /** Values per channel; infinite if mean and variance did not depend on the input. */
  n: number;
  /** Receives weight/deviation · (g − gradBias/n − normalized · gradWeight/n). */
  gradInput: FloatArray;
}

/** Above this variance, float32 is not wide enough for what lies between input and output. */
const LARGEST_SINGLE = 2 ** 120;

/** True if batch normalization of `x` has to compute in float64 although `x` is float32. */
export function needsDouble(x: FloatArray, variance: Float64Array): boolean {
  return x instanceof Float32Array && !variance.every((value) => value < LARGEST_SINGLE);
}

/**
 * The forward pass.
 *
 * @returns False, having done nothing, where the readable path has to serve.
 */
export function forward(size: Size, pass: Forward): boolean {
  const { x, weight, bias, mean, variance, deviation, given, eps, normalized, y } = pass;
  if (given && needsDouble(x, variance)) return false;
  if (!fits(size)) return false;
  const packed = pack([weight, bias, mean, variance, deviation]);
  const kernels = kernelsFor(x, y, normalized, packed);
  if (kernels === undefined) return false;
  const { momentsF32, momentsF64, normalizeF32, normalizeF64 } = kernels.functions;
  const isSingle = x instanceof Float32Array;
  const [moments, normalize] = isSingle ? [momentsF32, normalizeF32] : [momentsF64, normalizeF64];
  const [rows, columns] = size;
  const operands = [input(x), update(packed), output(normalized), output(y)];
  const done = kernels.call(operands, (at, vectors, normalized, y) => {
    if (!given) {
      const [meanAt, varianceAt] = [vectors + 2 * 8 * columns, vectors + 3 * 8 * columns];
      moments(at, rows, columns, meanAt, varianceAt);
      if (needsDouble(x, kernels.numbersAt(varianceAt, columns))) return false;
    }
    normalize(at, rows, columns, eps, vectors, normalized, y, PANELS);
  });
  if (done) unpack(packed, [undefined, undefined, mean, variance, deviation]);
  return done;
}

/** The backward pass; likewise. */
export function backward(size: Size, pass: Backward): boolean {
  const { g, normalized, weight, deviation, gradWeight, gradBias, n, gradInput } = pass;
  if (!fits(size)) return false;
  const packed = pack([weight, deviation, gradWeight, gradBias]);
  const kernels = kernelsFor(g, normalized, gradInput, packed);
  if (kernels === undefined) return false;
  const { gradientSumsF32, gradientSumsF64, propagateF32, propagateF64 } = kernels.functions;
  const isSingle = g instanceof Float32Array;
  const [addUp, propagate] = isSingle ? [gradientSumsF32, propagateF32] : [gradientSumsF64, propagateF64];
  const [rows, columns] = size;
  const operands = [input(g), input(normalized), update(packed), output(gradInput)];
  kernels.call(operands, (g, normalized, vectors, gradInput) => {
    addUp(g, normalized, rows, columns, vectors + 2 * 8 * columns, vectors + 3 * 8 * columns);
    propagate(g, normalized, rows, columns, n, vectors, gradInput, PANELS);
  });
  unpack(packed, [undefined, undefined, gradWeight, gradBias]);
  return true;
}

/** The kernels take all vectors in one array, one after the other. */
function pack(vectors: readonly Float64Array[]): Float64Array {
  const packed = new Float64Array(vectors.length * vectors[0].length);
  vectors.forEach((vector, i) => packed.set(vector, i * vector.length));
  return packed;
}

/** Copies the vectors that were written back to where they belong. */
function unpack(packed: Float64Array, vectors: readonly (Float64Array | undefined)[]): void {
  const length = packed.length / vectors.length;
  vectors.forEach((vector, i) => vector?.set(packed.subarray(i * length, (i + 1) * length)));
}

/** Kernels take four columns at a time; rounded vectors of this many columns fit behind the stage. */
function fits([, columns]: Size): boolean {
  return columns % 4 === 0 && columns <= 2 ** 15;
}
