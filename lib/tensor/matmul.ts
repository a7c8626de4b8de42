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
  multiplyInto(result.data, inFloat64(a), inFloat64(b), n, k, m);
  return result;
}

/** A loop that has met both types of elements runs at half the speed: only float64 is multiplied. */
function inFloat64({ data }: Tensor): Float64Array {
  return data instanceof Float64Array ? data : new Float64Array(data);
}

/**
 * Two rows by four columns at a time: eight sums that need no memory, each from the first product to the last.
 * If the number of rows is odd, the last one is computed twice.
 */
function multiplyInto(
  out: Tensor["data"],
  a: Float64Array,
  b: Float64Array,
  n: number,
  k: number,
  m: number,
): void {
  for (let i = 0; i < n; i += 2) {
    const next = Math.min(i + 1, n - 1);
    const top = i * k, below = next * k;
    let j = 0;
    for (; j + 3 < m; j += 4) {
      let s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
      for (let l = 0, at = j; l < k; l++, at += m) {
        const s = a[top + l], t = a[below + l];
        const b0 = b[at], b1 = b[at + 1], b2 = b[at + 2], b3 = b[at + 3];
        s0 += s * b0, s1 += s * b1, s2 += s * b2, s3 += s * b3;
        t0 += t * b0, t1 += t * b1, t2 += t * b2, t3 += t * b3;
      }
      const upper = i * m + j, lower = next * m + j;
      out[upper] = s0, out[upper + 1] = s1, out[upper + 2] = s2, out[upper + 3] = s3;
      out[lower] = t0, out[lower + 1] = t1, out[lower + 2] = t2, out[lower + 3] = t3;
    }
    for (; j < m; j++) {
      let s = 0, t = 0;
      for (let l = 0, at = j; l < k; l++, at += m) s += a[top + l] * b[at], t += a[below + l] * b[at];
      out[i * m + j] = s, out[next * m + j] = t;
    }
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
