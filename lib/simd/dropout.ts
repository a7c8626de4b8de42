/**
 * Dropout by kernels. Each function returns false, and does nothing, where the readable path has to serve.
 * @module
 */

import { type FloatArray, input, kernelsForPieces, output, update } from "./kernels.ts";
import { BITS_PIECE, cut, cutBits, inPieces } from "./pieces.ts";

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
  const kernels = kernelsForPieces(bits);
  if (kernels === undefined) return false;
  inPieces(kernels, [bits], n, (start, end) => {
    kernels.call([update(state), output(cutBits(bits, start, end))], (state, bits) => {
      kernels.functions.fastBits(end - start, state, threshold, bits);
    });
  }, BITS_PIECE);
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
