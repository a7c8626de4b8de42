/**
 * Random numbers and bits by kernels. Each function returns false, and does nothing, where the readable path has to
 * serve.
 * @module
 */

import type { Address, KernelFunctions } from "./kernel_signatures.ts";
import { input, type KernelArray, kernelsFor, type Operand, output, update } from "./kernels.ts";
import { BITS_PIECE, cut, cutBits, inPieces } from "./pieces.ts";

/** Fewer draws than this are made sooner than a kernel is called. MT19937 has a large state to copy, and is fast. */
const FEWEST = 64;
const FEWEST_MT19937 = 256;
const TWO_53 = 2 ** 53;

/** Which bits are ones: those whose number in [0, 1) is at most the limit or, inverted, is not. */
export interface Limit {
  /** At most 1. */
  readonly limit: number;
  /** True if numbers above the limit give the ones. */
  readonly inverted: boolean;
}

/** The next 624 words of MT19937, and their outputs. @param state 1249 words: words, outputs, place of the next. */
export function mt19937Block(state: Uint32Array): boolean {
  const kernels = kernelsFor(state);
  if (kernels === undefined) return false;
  kernels.call([update(state)], kernels.functions.mt19937Block);
  return true;
}

/** Doubles from MT19937. @param lowest True for the lowest 53 bits of two words, as PyTorch takes them. */
export function mt19937Doubles(state: Uint32Array, out: Float64Array, lowest: boolean): boolean {
  if (out.length < FEWEST_MT19937) return false;
  return fill(out, [update(state)], ({ mt19937Doubles }, out, n, state) => {
    mt19937Doubles(state, out, n, lowest);
  });
}

/** Floats from MT19937, one for each word. */
export function mt19937Floats(state: Uint32Array, out: Float32Array): boolean {
  if (out.length < FEWEST_MT19937) return false;
  return fill(out, [update(state)], ({ mt19937Floats }, out, n, state) => mt19937Floats(state, out, n));
}

/** Bits from MT19937. */
export function mt19937Bits(
  state: Uint32Array,
  out: Uint8Array,
  n: number,
  { limit, inverted }: Limit,
  lowest: boolean,
): boolean {
  if (n < FEWEST_MT19937) return false;
  const last = Math.floor(limit * TWO_53);
  return fillBits(out, n, [update(state)], ({ mt19937Bits }, out, n, _, state) => {
    mt19937Bits(state, out, n, last, inverted, lowest);
  });
}

/** Doubles from PCG64. @param state Four words, lowest first, as `increment`. */
export function pcg64Doubles(state: Uint32Array, increment: Uint32Array, out: Float64Array): boolean {
  if (out.length < FEWEST) return false;
  return fill(out, [update(state), input(increment)], ({ pcg64Doubles }, out, n, state, increment) => {
    pcg64Doubles(state, increment, out, n);
  });
}

/** Outputs of PCG64: the lower and the upper word of each. */
export function pcg64Words(state: Uint32Array, increment: Uint32Array, out: Uint32Array): boolean {
  if (out.length < 2 * FEWEST) return false;
  return fill(out, [update(state), input(increment)], ({ pcg64Words }, out, n, state, increment) => {
    pcg64Words(state, increment, out, n / 2);
  });
}

/** Bits from PCG64. */
export function pcg64Bits(
  state: Uint32Array,
  increment: Uint32Array,
  out: Uint8Array,
  n: number,
  { limit, inverted }: Limit,
): boolean {
  if (n < FEWEST) return false;
  const last = Math.floor(limit * TWO_53);
  const states = [update(state), input(increment)];
  return fillBits(out, n, states, ({ pcg64Bits }, out, n, _, state, increment) => {
    pcg64Bits(state, increment, out, n, last, inverted);
  });
}

/**
 * Bits from Philox4x32-10: 1 where an element's word is at most `last`.
 *
 * @param offset Position of the first element, below 2⁵³.
 * @param last An integer in [0, 2³²).
 */
export function philoxBits(
  [key0, key1]: readonly [number, number],
  { step, layer, offset }: { step: number; layer: number; offset: number },
  out: Uint8Array,
  n: number,
  last: number,
): boolean {
  if (n < FEWEST) return false;
  return fillBits(out, n, [], ({ philoxBits }, out, n, start) => {
    const block = Math.floor((offset + start) / 4), skip = (offset + start) % 4;
    philoxBits(key0, key1, block >>> 0, Math.floor(block / 2 ** 32), step, layer, skip, n, last, out);
  });
}

/** Fills an array of numbers. */
function fill(
  out: KernelArray,
  states: readonly Operand[],
  kernel: (functions: KernelFunctions, out: Address, n: number, ...states: Address[]) => void,
): boolean {
  const kernels = kernelsFor(out);
  if (kernels === undefined) return false;
  inPieces(kernels, [out], out.length, (start, end) => {
    kernels.call([output(cut(out, start, end)), ...states], (out, ...states) => {
      kernel(kernels.functions, out, end - start, ...states);
    });
  });
  return true;
}

/** Fills an array of bits; the kernel is told which bit it starts with. */
function fillBits(
  out: Uint8Array,
  n: number,
  states: readonly Operand[],
  kernel: (functions: KernelFunctions, out: Address, n: number, start: number, ...states: Address[]) => void,
): boolean {
  const kernels = kernelsFor(out);
  if (kernels === undefined) return false;
  inPieces(kernels, [out], n, (start, end) => {
    kernels.call([output(cutBits(out, start, end)), ...states], (out, ...states) => {
      kernel(kernels.functions, out, end - start, start, ...states);
    });
  }, BITS_PIECE);
  return true;
}
