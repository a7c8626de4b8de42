/**
 * Sums by kernels, in NumPy's order.
 * @module
 */

import { type FloatArray, input, kernelsFor } from "./kernels.ts";

/** Fewer numbers than this are added before they would be copied. */
const FEWEST = 256;

/** The sum, rounded to the array's type after each addition; `undefined` where the readable path has to serve. */
export function sum(x: FloatArray): number | undefined {
  return reduce(x, ({ sumF32, sumF64 }, single) => single ? sumF32 : sumF64);
}

/** The sum of the squared distances from `center`, likewise. */
export function squares(x: FloatArray, center: number): number | undefined {
  return reduce(x, ({ squaresF32, squaresF64 }, single) => {
    const kernel = single ? squaresF32 : squaresF64;
    return (x, n) => kernel(x, n, center);
  });
}

type Functions = NonNullable<ReturnType<typeof kernelsFor>>["functions"];

function reduce(
  x: FloatArray,
  choose: (functions: Functions, single: boolean) => (x: number, n: number) => number,
): number | undefined {
  const kernels = x.length < FEWEST ? undefined : kernelsFor(x);
  if (kernels === undefined) return undefined;
  const kernel = choose(kernels.functions, x instanceof Float32Array);
  let result = 0;
  kernels.call([input(x)], (at) => void (result = kernel(at, x.length)));
  return result;
}
