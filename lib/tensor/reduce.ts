/**
 * Sums, means and variances, added up in the order that NumPy 1 uses, so that they agree with it to the last bit.
 *
 * From 2.3 on NumPy no longer cuts into chunks, so that along more than 8192 elements its last bits differ from these.
 * Source: NumPy's `pairwise_sum` (numpy/core/src/umath/loops_utils.h.src) inside chunks of the ufunc buffer.
 * @module
 */

import * as simd from "../simd/reduce.ts";
import { checkOptions, checkRange, formatShape } from "../check.ts";
import { checkTensor, type DType, type FloatArray, sizeOf, Tensor, zeros } from "./tensor.ts";

/** Over which axis to reduce. */
export interface AxisOptions {
  /** The axis that disappears, from 0; negative counts from the end. By default all of them. */
  axis?: number;
}

/** Which variance. */
export interface VarianceOptions extends AxisOptions {
  /** The sum of squares is divided by n − correction: 0 as in NumPy (default), 1 as in PyTorch. */
  correction?: number;
}

/** NumPy adds this many elements pairwise, and the partial sums one after the other. */
const CHUNK = 8192;

/**
 * The sum over one axis or over all elements, in the tensor's own precision.
 *
 * @returns A number, or with `axis` a tensor without that axis.
 * @throws {RangeError} if the axis does not exist.
 */
export function sum(x: Tensor): number;
/** Along one axis. */
export function sum(x: Tensor, options: { axis: number }): Tensor;
/** Along one axis or over all. */
export function sum(x: Tensor, options?: AxisOptions): number | Tensor;
export function sum(x: Tensor, options: AxisOptions = {}): number | Tensor {
  const { axis } = checked("sum", x, options, ["axis"]);
  return axis === undefined ? sumContiguous(x.data) : sumAxis(x, normalizeAxis(x, axis));
}

/**
 * The mean over one axis or over all elements.
 *
 * @throws {RangeError} if the axis does not exist, or there is nothing to average.
 */
export function mean(x: Tensor): number;
/** Along one axis. */
export function mean(x: Tensor, options: { axis: number }): Tensor;
/** Along one axis or over all. */
export function mean(x: Tensor, options?: AxisOptions): number | Tensor;
export function mean(x: Tensor, options: AxisOptions = {}): number | Tensor {
  const { axis } = checked("mean", x, options, ["axis"]);
  const n = count("mean", x, axis, 0);
  return divideBy(sum(x, axis === undefined ? {} : { axis }), n, x);
}

/**
 * The variance over one axis or over all elements: the mean square of the distance from the mean.
 *
 * @throws {RangeError} if the axis does not exist, or there are not more elements than `correction`.
 */
export function variance(x: Tensor, options?: { axis?: never; correction?: number }): number;
/** Along one axis. */
export function variance(x: Tensor, options: { axis: number; correction?: number }): Tensor;
/** Along one axis or over all. */
export function variance(x: Tensor, options?: VarianceOptions): number | Tensor;
export function variance(x: Tensor, options: VarianceOptions = {}): number | Tensor {
  const { axis, correction = 0 } = checked("variance", x, options, ["axis", "correction"]);
  checkRange("variance: correction", correction);
  const n = count("variance", x, axis, correction);
  if (axis === undefined) return divideBy(squaresAround(x, mean(x)), n - correction, x);
  const squares = zeros(x.shape, x.dtype);
  const center = mean(x, { axis });
  const [outer, length, inner] = split(x, normalizeAxis(x, axis));
  const square = squareIn(x.dtype);
  for (let o = 0, i = 0; o < outer; o++) {
    for (let row = 0; row < length; row++) {
      for (let c = o * inner; c < (o + 1) * inner; c++, i++) {
        squares.data[i] = square(x.data[i] - center.data[c]);
      }
    }
  }
  return divideBy(sum(squares, { axis }), n - correction, x);
}

/** The sum of the squared distances from a centre. */
function squaresAround(x: Tensor, center: number): number {
  const square = squareIn(x.dtype);
  return simd.squares(x.data, center) ?? sum(x.map((value) => square(value - center)));
}

/** Squares a difference, which is first rounded to the type. */
function squareIn(dtype: DType): (difference: number) => number {
  const single = dtype === "float32";
  return (difference) => {
    const rounded = single ? Math.fround(difference) : difference;
    return rounded * rounded;
  };
}

/**
 * The square root of the variance.
 *
 * @throws {RangeError} as `variance` does.
 */
export function standardDeviation(x: Tensor, options: { correction?: number } = {}): number {
  const { correction = 0 } = checked("standardDeviation", x, options, ["correction"]);
  checkRange("standardDeviation: correction", correction);
  const root = Math.sqrt(variance(x, options));
  return x.dtype === "float32" ? Math.fround(root) : root;
}

/**
 * Where the largest elements along the last axis are: for logits of shape [N, C], the class of each sample.
 *
 * @param x At least one axis.
 * @returns An index for each row, in row-major order; the first if several are equal, and NaN counts as the largest, as
 *   in NumPy.
 * @throws {TypeError} if `x` is not a tensor, or is a scalar.
 * @throws {RangeError} if the last axis is empty.
 */
export function argmax(x: Tensor, options: Record<string, never> = {}): Int32Array {
  checked("argmax", x, options, []);
  const length = x.shape.at(-1);
  if (length === undefined) throw new TypeError("argmax needs at least one axis, got shape []");
  if (length === 0) {
    throw new RangeError(`argmax needs elements along the last axis, got shape ${formatShape(x.shape)}`);
  }
  return Int32Array.from({ length: x.size / length }, (_, row) => {
    let best = row * length;
    for (let i = best; i < (row + 1) * length; i++) {
      if (Number.isNaN(x.data[i])) return i - row * length;
      if (x.data[i] > x.data[best]) best = i;
    }
    return best - row * length;
  });
}

/** The options of a reduction, once it is clear that it has a tensor to reduce, and none that it does not know. */
function checked<Options extends object>(
  where: string,
  x: Tensor,
  options: Options,
  known: readonly string[],
): Options {
  checkTensor(where, x);
  checkOptions(where, options, known);
  return options;
}

/** Adds up a contiguous array in NumPy's order: chunks one after the other, pairwise inside a chunk. */
function sumContiguous(data: FloatArray): number {
  const fast = simd.sum(data);
  if (fast !== undefined) return fast;
  const single = data instanceof Float32Array;
  let total = 0;
  for (let start = 0; start < data.length; start += CHUNK) {
    const partial = pairwise(data, start, Math.min(CHUNK, data.length - start), single);
    total = single ? Math.fround(total + partial) : total + partial;
  }
  return total;
}

/**
 * Up to 128 elements in eight interleaved sums; more are halved, at a multiple of eight.
 *
 * @param single Round each addition to float32, as NumPy does for that type.
 */
function pairwise(data: FloatArray, start: number, n: number, single: boolean): number {
  const plus = (a: number, b: number) => single ? Math.fround(a + b) : a + b;
  if (n > 128) {
    const half = (n >> 1) - ((n >> 1) % 8);
    return plus(pairwise(data, start, half, single), pairwise(data, start + half, n - half, single));
  }
  const [end, octets] = [start + n, n < 8 ? start : start + n - (n % 8)];
  let total = 0;
  if (n >= 8) {
    let [r0, r1, r2, r3] = [data[start], data[start + 1], data[start + 2], data[start + 3]];
    let [r4, r5, r6, r7] = [data[start + 4], data[start + 5], data[start + 6], data[start + 7]];
    for (let i = start + 8; i < octets; i += 8) {
      r0 = plus(r0, data[i]);
      r1 = plus(r1, data[i + 1]);
      r2 = plus(r2, data[i + 2]);
      r3 = plus(r3, data[i + 3]);
      r4 = plus(r4, data[i + 4]);
      r5 = plus(r5, data[i + 5]);
      r6 = plus(r6, data[i + 6]);
      r7 = plus(r7, data[i + 7]);
    }
    total = plus(plus(plus(r0, r1), plus(r2, r3)), plus(plus(r4, r5), plus(r6, r7)));
  }
  for (let i = octets; i < end; i++) total = plus(total, data[i]);
  return total;
}

/** The last axis is added pairwise, row by row; any other axis one slice after the other, as NumPy does. */
function sumAxis(x: Tensor, axis: number): Tensor {
  const [outer, n, inner] = split(x, axis);
  const result = zeros(x.shape.filter((_, i) => i !== axis), x.dtype);
  const [from, to] = [x.data, result.data];
  for (let o = 0; o < outer; o++) {
    const start = o * n * inner;
    if (inner === 1) {
      result.data[o] = sumContiguous(x.data.subarray(start, start + n));
    } else {
      for (let i = 0; i < n; i++) {
        const row = start + i * inner;
        for (let j = 0; j < inner; j++) to[o * inner + j] += from[row + j];
      }
    }
  }
  return result;
}

/** How many elements lie before, along and after an axis. */
function split(x: Tensor, axis: number): [outer: number, n: number, inner: number] {
  return [sizeOf(x.shape.slice(0, axis)), x.shape[axis], sizeOf(x.shape.slice(axis + 1))];
}

function normalizeAxis(x: Tensor, axis: number): number {
  if (!Number.isInteger(axis) || axis < -x.ndim || axis >= x.ndim) {
    throw new RangeError(
      `The axis must be an integer in [${-x.ndim}, ${x.ndim}) for shape ${formatShape(x.shape)}, got ${axis}`,
    );
  }
  return axis < 0 ? axis + x.ndim : axis;
}

/** How many elements are reduced to one; at least `correction` + 1. */
function count(name: string, x: Tensor, axis: number | undefined, correction: number): number {
  const n = axis === undefined ? x.size : x.shape[normalizeAxis(x, axis)];
  if (n > correction) return n;
  throw new RangeError(
    `${name} needs more than ${correction} elements, got ${n} (shape ${formatShape(x.shape)})`,
  );
}

function divideBy(total: number | Tensor, n: number, like: Tensor): number | Tensor {
  if (total instanceof Tensor) return total.map((value) => value / n);
  return like.dtype === "float32" ? Math.fround(total / n) : total / n;
}
