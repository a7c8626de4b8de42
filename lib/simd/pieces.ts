/**
 * Arrays that are copied through the kernels' memory go piece by piece, so that the copies stay in the cache.
 * @module
 */

import type { KernelArray, Kernels } from "./kernels.ts";

/** Numbers in a piece. A multiple of 32, as the blocks of the fast stream are. */
const PIECE = 8192;
/** Bits in a piece of bits alone. */
export const BITS_PIECE = 2 ** 20;
/** Kernels count in 32 bits. */
const MOST = 2 ** 30;

/**
 * Calls `step` for one piece after the other, or once for all if nothing has to be copied.
 *
 * @param arrays What the kernel works on.
 * @param n How many elements there are.
 * @param piece How many are copied at a time.
 */
export function inPieces(
  kernels: Kernels,
  arrays: readonly KernelArray[],
  n: number,
  step: (start: number, end: number) => void,
  piece: number = PIECE,
): void {
  const length = kernels.missing(arrays) === 0 ? MOST : piece;
  for (let start = 0; start < n; start += length) step(start, Math.min(start + length, n));
}

/** The elements of a piece. */
export function cut<A extends KernelArray>(array: A, start: number, end: number): A {
  return start === 0 && end === array.length ? array : array.subarray(start, end) as A;
}

/** The bytes that hold the bits of a piece. */
export function cutBits(bits: Uint8Array, start: number, end: number): Uint8Array {
  return cut(bits, start / 8, Math.ceil(end / 8));
}
