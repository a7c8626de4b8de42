/**
 * A dropout mask, kept at one bit per element.
 * @module
 */

import {
  checkInstance,
  checkOptions,
  checkProbability,
  describe,
  formatShape,
  type Interval,
  sameShape,
} from "./check.ts";
import type { RandomStream } from "./random/mod.ts";
import { checkStream } from "./random/stream.ts";
import { broadcastShapes } from "./tensor/elementwise.ts";
import { type DType, type Shape, Tensor } from "./tensor/mod.ts";
import { allocate, broadcastStrides, forEachBroadcast, sizeOf } from "./tensor/tensor.ts";

/** Which elements of a tensor are kept (1) and which are dropped (0). */
export class Mask {
  /** One bit for each element in row-major order, the first in the lowest bit of byte 0; 1 means kept. */
  readonly bits: Uint8Array;
  /** Shape of the tensors that the mask fits. */
  readonly shape: Shape;
  /** Number of elements. */
  readonly size: number;

  /**
   * Puts a shape on bits, without copying them.
   *
   * @param bits ⌈size/8⌉ bytes; bits beyond the last element must be 0.
   * @param shape Shape of the tensors that the mask fits.
   * @throws {TypeError} if the bits do not fit the shape.
   */
  constructor(bits: Uint8Array, shape: Shape) {
    checkInstance("Mask", bits, Uint8Array, "its bits in a Uint8Array");
    this.size = sizeOf(shape);
    const unused = bits.length * 8 - this.size;
    if (unused < 0 || unused >= 8 || (unused > 0 && bits[bits.length - 1] >> (8 - unused) !== 0)) {
      throw new TypeError(
        `A mask of shape ${formatShape(shape)} needs ${Math.ceil(this.size / 8)} bytes with unused bits 0, ` +
          `got ${bits.length} bytes`,
      );
    }
    this.bits = bits;
    this.shape = Object.isFrozen(shape) ? shape : Object.freeze([...shape]);
  }

  /** A mask of one axis from zeros and ones, for examples and tests. */
  static of(...keep: number[]): Mask {
    return Mask.from(keep);
  }

  /**
   * A mask from zeros and ones in a list or a tensor.
   *
   * @param shape By default the tensor's, or one axis.
   * @throws {TypeError} if another number comes, or the shape does not fit.
   */
  static from(keep: ArrayLike<number> | Tensor, shape?: Shape): Mask {
    const values = keep instanceof Tensor ? keep.data : keep;
    if (typeof values !== "object" || typeof values?.length !== "number") {
      throw new TypeError(`A mask needs a list of zeros and ones, got ${describe(keep)}`);
    }
    const bits = new Uint8Array(Math.ceil(values.length / 8));
    for (let i = 0; i < values.length; i++) {
      const bit = values[i];
      if (bit !== 0 && bit !== 1) throw new TypeError(`A mask holds zeros and ones, got ${describe(bit)}`);
      bits[i >> 3] |= bit << (i & 7);
    }
    return new Mask(bits, shape ?? (keep instanceof Tensor ? keep.shape : [values.length]));
  }

  /** 1 if element `i`, counted in row-major order, is kept, else 0. */
  get(i: number): number {
    if (!(i >= 0 && i < this.size)) {
      throw new RangeError(`The mask has ${this.size} elements, got index ${i}`);
    }
    return (this.bits[i >> 3] >> (i & 7)) & 1;
  }

  /** How many elements are kept. */
  get kept(): number {
    let count = 0;
    for (let byte of this.bits) {
      for (; byte !== 0; byte &= byte - 1) count++;
    }
    return count;
  }

  /** The mask as a tensor of zeros and ones. */
  toTensor(dtype: DType = "float64"): Tensor {
    return new Tensor(allocate(this.size, dtype).map((_, i) => this.get(i)), this.shape);
  }

  /** The same bits under another shape. */
  reshape(shape: Shape): Mask {
    return new Mask(this.bits, shape);
  }

  /**
   * The mask repeated to fill a shape: axes are aligned at the end, and a length of 1 stretches, as in NumPy.
   *
   * @returns The mask itself if it has that shape already.
   * @throws {TypeError} if it does not fit.
   */
  broadcastTo(shape: Shape): Mask {
    const size = sizeOf(shape);
    if (sameShape(this.shape, shape)) return this;
    if (!sameShape(broadcastShapes("mask", this.shape, shape), shape)) {
      throw new TypeError(
        `A mask of shape ${formatShape(this.shape)} does not broadcast to ${formatShape(shape)}`,
      );
    }
    const mask = new Mask(new Uint8Array(Math.ceil(size / 8)), shape);
    // The innermost axes that all repeat one bit, or that all have bits of their own, are done at once.
    const own = [...shape.map(() => 1), ...this.shape].slice(-shape.length);
    const repeats = own[shape.findLastIndex((length) => length !== 1)] === 1;
    let axis = shape.length;
    while (axis > 0 && (shape[axis - 1] === 1 || (own[axis - 1] === 1) === repeats)) axis--;
    const run = sizeOf(shape.slice(axis));
    const strides = broadcastStrides(this.shape, shape.length).slice(0, axis);
    forEachBroadcast(shape.slice(0, axis), strides, (row, from) => {
      if (!repeats) copyBits(this.bits, from, mask.bits, row * run, run);
      else if (this.get(from) === 1) setBits(mask.bits, row * run, run);
    });
    return mask;
  }
}

/** Sets `count` bits from `start` on: whole bytes at once where there are any. */
function setBits(bits: Uint8Array, start: number, count: number): void {
  const end = start + count;
  const [first, last] = [Math.min(end, 8 * Math.ceil(start / 8)), 8 * Math.floor(end / 8)];
  for (let i = start; i < first; i++) bits[i >> 3] |= 1 << (i & 7);
  if (first < last) bits.fill(0xff, first / 8, last / 8);
  for (let i = Math.max(first, last); i < end; i++) bits[i >> 3] |= 1 << (i & 7);
}

/** Copies `count` bits to where zeros are: whole bytes at once where both places begin with one. */
function copyBits(from: Uint8Array, at: number, to: Uint8Array, start: number, count: number): void {
  const whole = at % 8 === 0 && start % 8 === 0 ? 8 * Math.floor(count / 8) : 0;
  if (whole > 0) to.set(from.subarray(at / 8, (at + whole) / 8), start / 8);
  for (let i = whole; i < count; i++) {
    const [source, target] = [at + i, start + i];
    to[target >> 3] |= ((from[source >> 3] >> (source & 7)) & 1) << (target & 7);
  }
}

/** What `drawMask` needs to know. */
export interface DrawMaskOptions {
  /** Advanced by one draw per element (at p = 1, a Generator by none, as in NumPy). Required. */
  rng: RandomStream;
  /** Receives the mask, so that nothing is allocated. */
  out?: Mask | undefined;
}

/**
 * Draws a mask: each element is kept with probability 1 − `p`, independently of the others.
 *
 * @example
 * ```ts
 * import { defaultRng, drawMask, invertedDropout, ones } from "./mod.ts";
 *
 * const mask = drawMask([1, 4], 0.5, { rng: defaultRng(42) });
 * console.log(mask.kept, invertedDropout(ones([3, 4]), 0.5, { mask }).output.toArray()); // one mask for three rows
 * ```
 *
 * @param shape Shape of the tensor to be masked.
 * @param p Drop probability, in [0, 1].
 * @throws {RangeError} if `p` is NaN or outside [0, 1].
 * @throws {TypeError} if there is no stream, or `out` has another shape.
 */
export function drawMask(shape: Shape, p: number, options: DrawMaskOptions): Mask {
  checkOptions("drawMask", options, ["rng", "out"]);
  const { rng, out } = options;
  checkDropProbability(p);
  checkStream("drawMask", rng);
  const mask = resultMask(shape, out);
  rng.bernoulliBits(1 - p, mask.size, mask.bits);
  return mask;
}

/** The mask that draws go to: `out` if it was given and fits, else a new one. */
export function resultMask(shape: Shape, out: Mask | undefined, where = "drawMask: out"): Mask {
  if (out === undefined) return new Mask(new Uint8Array(Math.ceil(sizeOf(shape) / 8)), shape);
  if (out instanceof Mask && sameShape(out.shape, shape)) return out;
  const came = out instanceof Mask ? `one of shape ${formatShape(out.shape)}` : describe(out);
  throw new TypeError(`${where} must be a Mask of shape ${formatShape(shape)}, got ${came}`);
}

/** Refuses what is not a drop probability. Throws as `checkProbability` does. */
export function checkDropProbability(p: unknown, interval?: Interval): asserts p is number {
  checkProbability("Dropout probability", p, interval);
}
