/**
 * Matrix product and transpose.
 * @module
 */

import type { OutOptions } from "./elementwise.ts";
import { type DType, formatShape, overlaps, resultTensor, Tensor, zeros } from "./tensor.ts";

/**
 * The matrix product of `a`, of shape [n, k], and `b`, of shape [k, m].
 *
 * Each element is summed in float64, from the first product to the last, and rounded once at the end.
 *
 * @returns A tensor of shape [n, m]; float64 if either input is.
 * @throws {TypeError} if an input does not have two axes, the inner lengths differ, or `out` does not fit
 *   or shares memory with an input.
 */
export function matmul(a: Tensor, b: Tensor, { out }: OutOptions = {}): Tensor {
  if (a.ndim !== 2 || b.ndim !== 2 || a.shape[1] !== b.shape[0]) {
    throw new TypeError(
      `matmul needs shapes [n, k] and [k, m], got ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
    );
  }
  const [n, k, m] = [a.shape[0], a.shape[1], b.shape[1]];
  const dtype: DType = a.dtype === "float64" || b.dtype === "float64" ? "float64" : "float32";
  const result = resultTensor("matmul", [n, m], dtype, out);
  if (overlaps(result, a) || overlaps(result, b)) {
    throw new TypeError("matmul: out shares memory with an input; give it memory of its own");
  }
  const row = new Float64Array(m);
  for (let i = 0; i < n; i++) {
    row.fill(0);
    accumulateRow(row, a.data.subarray(i * k, (i + 1) * k), b.data);
    result.data.set(row, i * m);
  }
  return result;
}

/** `row += coefficients · matrix`. Four rows at a time, since memory is read four times less; the order is kept. */
function accumulateRow(row: Float64Array, coefficients: Tensor["data"], matrix: Tensor["data"]): void {
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

/**
 * Rows become columns.
 *
 * @param a Shape [n, m].
 * @returns A new tensor of shape [m, n].
 * @throws {TypeError} if `a` does not have two axes.
 */
export function transpose(a: Tensor): Tensor {
  if (a.ndim !== 2) throw new TypeError(`transpose needs two axes, got shape ${formatShape(a.shape)}`);
  const [n, m] = a.shape;
  const result = zeros([m, n], a.dtype);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) result.data[j * n + i] = a.data[i * m + j];
  }
  return result;
}
