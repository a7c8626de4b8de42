/**
 * Dropout by kernels. Each function returns false, and does nothing, where the readable path has to serve.
 * @module
 */

import {
  type FloatArray,
  input,
  type KernelArray,
  type Kernels,
  kernelsFor,
  kernelsForPieces,
  output,
  update,
} from "./instance.ts";

/** Elements that are copied through at a time: few enough to stay in the cache. A multiple of 32, as blocks are. */
const PIECE = 8192;

/**
 * y = scale · x where the bit is 1, +0 elsewhere.
 *
 * @param y As long as `x`, of its type; may be `x`.
 * @param bits One for each element.
 */
export function applyBits(x: FloatArray, y: FloatArray, bits: Uint8Array, scale: number): boolean {
  const kernels = kernelsForPieces(x, y);
  if (kernels === undefined) return false;
  const { applyBitsF32, applyBitsF64 } = kernels.functions;
  const kernel = x instanceof Float32Array ? applyBitsF32 : applyBitsF64;
  inPieces(kernels, [x, y, bits], x.length, (start, end) => {
    const operands = [
      input(cut(x, start, end)),
      output(cut(y, start, end)),
      input(cutBits(bits, start, end)),
    ];
    kernels.call(operands, (x, y, bits) => kernel(x, y, end - start, bits, scale));
  });
  return true;
}

/**
 * Draws bits from the fast stream, 1 where an element's number of 32 bits lies below the threshold.
 *
 * @param state 48 words, changed.
 * @param threshold An integer in [1, 2³²).
 */
export function fastBits(n: number, state: Uint32Array, threshold: number, bits: Uint8Array): boolean {
  const kernels = kernelsFor(bits);
  if (kernels === undefined) return false;
  kernels.call([update(state), output(bits)], (state, bits) => {
    kernels.functions.fastBits(n, state, threshold, bits);
  });
  return true;
}

/** The same, and the dropout that they mean, in one pass. */
export function fastDropout(
  x: FloatArray,
  y: FloatArray,
  state: Uint32Array,
  threshold: number,
  scale: number,
  bits: Uint8Array,
): boolean {
  const kernels = kernelsForPieces(x, y);
  if (kernels === undefined) return false;
  const { fastDropoutF32, fastDropoutF64 } = kernels.functions;
  const kernel = x instanceof Float32Array ? fastDropoutF32 : fastDropoutF64;
  inPieces(kernels, [x, y, bits], x.length, (start, end) => {
    const operands = [
      input(cut(x, start, end)),
      output(cut(y, start, end)),
      update(state),
      output(cutBits(bits, start, end)),
    ];
    kernels.call(operands, (x, y, state, bits) => kernel(x, y, end - start, state, threshold, scale, bits));
  });
  return true;
}

/** Calls `step` once if nothing has to be copied, else for pieces that fit into the cache. */
function inPieces(
  kernels: Kernels,
  arrays: readonly KernelArray[],
  n: number,
  step: (start: number, end: number) => void,
): void {
  const piece = kernels.missing(arrays) === 0 ? n : PIECE;
  for (let start = 0; start < n; start += piece) step(start, Math.min(start + piece, n));
}

function cut<A extends KernelArray>(array: A, start: number, end: number): A {
  return start === 0 && end === array.length ? array : array.subarray(start, end) as A;
}

function cutBits(bits: Uint8Array, start: number, end: number): Uint8Array {
  return cut(bits, start / 8, Math.ceil(end / 8));
}
