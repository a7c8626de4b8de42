/**
 * A dropout mask, kept at one bit per element.
 * @module
 */

import { allocate, describe, formatShape, sameShape, type Shape, sizeOf } from "./tensor/tensor.ts";
import { type DType, Tensor } from "./tensor/mod.ts";
import type { RandomStream } from "./random/mod.ts";

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

  /** A mask from zeros and ones, for examples and tests. */
  static of(...keep: number[]): Mask {
    const bits = new Uint8Array(Math.ceil(keep.length / 8));
    keep.forEach((bit, i) => {
      if (bit !== 0 && bit !== 1) throw new TypeError(`A mask holds zeros and ones, got ${describe(bit)}`);
      bits[i >> 3] |= bit << (i & 7);
    });
    return new Mask(bits, [keep.length]);
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
}

/**
 * Draws a mask: each element is kept with probability 1 − `p`, independently of the others.
 *
 * @param shape Shape of the tensor to be masked.
 * @param p Drop probability, in [0, 1].
 * @param rng Advanced by one draw per element (at p = 1, a Generator by none, as in NumPy).
 * @param options.out Receives the mask, so that nothing is allocated.
 * @throws {RangeError} if `p` is NaN or outside [0, 1].
 * @throws {TypeError} if there is no stream, or `out` has another shape.
 */
export function drawMask(shape: Shape, p: number, rng: RandomStream, { out }: { out?: Mask } = {}): Mask {
  checkDropProbability(p);
  checkStream(rng);
  const mask = resultMask(shape, out);
  rng.bernoulliBits(1 - p, mask.size, mask.bits);
  return mask;
}

/**
 * Refuses what is not a stream that masks can be drawn from.
 *
 * @throws {TypeError} if it has no `bernoulliBits`.
 */
export function checkStream(rng: unknown): asserts rng is RandomStream {
  if (typeof (rng as RandomStream | undefined)?.bernoulliBits !== "function") {
    throw new TypeError(
      `Drawing a mask needs a random stream such as defaultRng(seed), got ${describe(rng)}`,
    );
  }
}

/** The mask that draws go to: `out` if it was given and fits, else a new one. */
export function resultMask(shape: Shape, out: Mask | undefined): Mask {
  if (out === undefined) return new Mask(new Uint8Array(Math.ceil(sizeOf(shape) / 8)), shape);
  if (out instanceof Mask && sameShape(out.shape, shape)) return out;
  const came = out instanceof Mask ? `one of shape ${formatShape(out.shape)}` : describe(out);
  throw new TypeError(`The mask must have shape ${formatShape(shape)}, got ${came}`);
}

/**
 * Refuses what is not a drop probability.
 *
 * @param p What came.
 * @param open True if p = 1 is not allowed either.
 * @throws {TypeError} if `p` is not a number.
 * @throws {RangeError} if it is NaN or outside [0, 1], or [0, 1) if `open`.
 */
export function checkDropProbability(p: unknown, open = false): asserts p is number {
  const message = `Dropout probability must be in [0, 1${open ? ")" : "]"}, got ${describe(p)}`;
  if (typeof p !== "number") throw new TypeError(message);
  if (!(p >= 0 && (open ? p < 1 : p <= 1))) throw new RangeError(message);
}
