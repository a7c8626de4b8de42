/**
 * Matrix product and transpose.
 * @module
 */

import type { OutOptions } from "./elementwise.ts";
import { multiply } from "../simd/matmul.ts";
import { checkFlag, checkOptions, formatShape } from "../check.ts";
import {
  checkTensor,
  type DType,
  type FloatArray,
  overlaps,
  resultTensor,
  type Tensor,
  zeros,
} from "./tensor.ts";

/** Options of `matmul`. */
export interface MatmulOptions extends OutOptions {
  /** True: the product is aᵀ·b, with `a` of shape [k, n]; no transposed copy is made. Default false. */
  transposeA?: boolean;
  /** True: the product is a·bᵀ, with `b` of shape [m, k]. Default false. */
  transposeB?: boolean;
}

/**
 * The matrix product of `a`, of shape [n, k], and `b`, of shape [k, m].
 *
 * Each element is summed from the first product to the last, in the result's type: in float32 every product and every
 * sum is rounded.
 *
 * @returns A tensor of shape [n, m]; float64 if either input is.
 * @throws {TypeError} if an input does not have two axes, the inner lengths differ, or `out` does not fit
 *   or shares memory with an input.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  checkTensor("matmul", a);
  checkTensor("matmul", b);
  checkOptions("matmul", options, ["transposeA", "transposeB", "out"]);
  const { transposeA = false, transposeB = false } = options;
  checkFlag("matmul: transposeA", transposeA);
  checkFlag("matmul: transposeB", transposeB);
  const [n, k] = transposeA ? a.shape.toReversed() : a.shape;
  const [inner, m] = transposeB ? b.shape.toReversed() : b.shape;
  if (a.ndim !== 2 || b.ndim !== 2 || k !== inner) {
    const needed = `shapes ${transposeA ? "[k, n]" : "[n, k]"} and ${transposeB ? "[m, k]" : "[k, m]"}`;
    throw new TypeError(`matmul needs ${needed}, got ${formatShape(a.shape)} and ${formatShape(b.shape)}`);
  }
  const dtype: DType = a.dtype === "float64" || b.dtype === "float64" ? "float64" : "float32";
  const result = resultTensor("matmul", [n, m], dtype, options.out);
  if (overlaps(result, a) || overlaps(result, b)) {
    throw new TypeError("matmul: out shares memory with an input; give it memory of its own");
  }
  const transposed = { transposeA, transposeB };
  if (multiply([n, m, k], inType(a.data, dtype), inType(b.data, dtype), result.data, transposed)) {
    return result;
  }
  const left = inType((transposeA ? transpose(a) : a).data, dtype);
  const right = inType((transposeB ? transpose(b) : b).data, dtype);
  result.data.fill(0);
  for (let i = 0; i < n; i++) {
    const row = result.data.subarray(i * m, (i + 1) * m);
    if (row instanceof Float32Array) addRows32(row, left.subarray(i * k, (i + 1) * k), right);
    else addRows64(row, left.subarray(i * k, (i + 1) * k), right);
  }
  return result;
}

/** The array itself if it is of this type, else a copy. */
function inType(data: FloatArray, dtype: DType): FloatArray {
  return dtype === "float64" && data instanceof Float32Array ? Float64Array.from(data) : data;
}

/** `row += coefficients · matrix`. Four rows at a time, since memory is read four times less; the order is kept. */
function addRows64(row: FloatArray, coefficients: FloatArray, matrix: FloatArray): void {
  const m = row.length;
  let k = 0;
  for (; k + 3 < coefficients.length; k += 4) {
    const [c0, c1, c2, c3] = [coefficients[k], coefficients[k + 1], coefficients[k + 2], coefficients[k + 3]];
    const [r0, r1, r2, r3] = [k * m, (k + 1) * m, (k + 2) * m, (k + 3) * m];
    for (let j = 0; j < m; j++) {
      row[j] = row[j] + c0 * matrix[r0 + j] + c1 * matrix[r1 + j] + c2 * matrix[r2 + j] + c3 * matrix[r3 + j];
    }
  }
  for (; k < coefficients.length; k++) {
    const c = coefficients[k];
    for (let j = 0; j < m; j++) row[j] += c * matrix[k * m + j];
  }
}

/** The same for float32: storing a sum rounds it, a product has to be rounded first. */
function addRows32(row: Float32Array, coefficients: FloatArray, matrix: FloatArray): void {
  const m = row.length;
  for (let k = 0; k < coefficients.length; k++) {
    const c = coefficients[k];
    for (let j = 0; j < m; j++) row[j] += Math.fround(c * matrix[k * m + j]);
  }
}

/**
 * Rows become columns.
 *
 * @param a Shape [n, m].
 * @returns A new tensor of shape [m, n].
 * @throws {TypeError} if `a` does not have two axes.
 */
export function transpose(a: Tensor): Tensor {
  checkTensor("transpose", a);
  if (a.ndim !== 2) throw new TypeError(`transpose needs two axes, got shape ${formatShape(a.shape)}`);
  const [n, m] = a.shape;
  const result = zeros([m, n], a.dtype);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) result.data[j * n + i] = a.data[i * m + j];
  }
  return result;
}
