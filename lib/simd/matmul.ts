/**
 * The matrix product by a kernel.
 * @module
 */

import { type FloatArray, input, kernelsFor, output, PANELS } from "./kernels.ts";

/** Fewer multiplications than this are done before their operands would be copied. */
const FEWEST = 512;

/** Which operands lie in memory with their rows and columns exchanged. */
export interface Transposed {
  /** True: a lies in memory as [k, m]. */
  transposeA: boolean;
  /** True: b lies in memory as [n, k]. */
  transposeB: boolean;
}

/**
 * c [m, n] = a [m, k] · b [k, n], all of one type, summed in that type from the first product to the last.
 *
 * @returns False, having done nothing, where the readable path has to serve.
 */
export function multiply(
  [m, n, k]: readonly [m: number, n: number, k: number],
  a: FloatArray,
  b: FloatArray,
  c: FloatArray,
  { transposeA, transposeB }: Transposed,
): boolean {
  if (m * n * k < FEWEST) return false;
  const kernels = kernelsFor(a, b, c);
  if (kernels === undefined) return false;
  const { matmulF32, matmulF64 } = kernels.functions;
  const kernel = c instanceof Float32Array ? matmulF32 : matmulF64;
  kernels.call([input(a), input(b), output(c)], (a, b, c) => {
    kernel(m, n, k, a, transposeA, b, transposeB, c, PANELS);
  });
  return true;
}
