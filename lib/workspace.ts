/**
 * Memory for hot loops: tensors that lie where the SIMD kernels work, so that nothing is copied and nothing allocated.
 * @module
 */

import { Mask } from "./mask.ts";
import { adopt, aligned, FIRST_ADDRESS } from "./simd/kernels.ts";
import { checkInteger, describe, formatShape } from "./check.ts";
import { type DType, type Shape, Tensor } from "./tensor/mod.ts";
import { checkTensor, sizeOf } from "./tensor/tensor.ts";

const PAGE = 65536;
const LARGEST = 65536 * PAGE - FIRST_ADDRESS;

/**
 * A fixed amount of WebAssembly memory that tensors and masks are taken from, one after the other.
 *
 * Its tensors are like all others. Functions that find their tensors (and `out`) in one workspace are fastest:
 *
 * @example
 * ```ts
 * import { FastStream, invertedDropout, ones, Workspace } from "./mod.ts";
 *
 * using workspace = new Workspace(2 ** 20);
 * const x = workspace.copy(ones([100, 1000], "float32"));
 * const [out, maskOut] = [workspace.zeros(x.shape, x.dtype), workspace.mask(x.shape)];
 * const rng = new FastStream(42);
 * for (let step = 0; step < 1000; step++) invertedDropout(x, 0.5, { rng, out, maskOut });
 * ```
 *
 * The memory neither moves nor grows. It is given back once neither the workspace nor any of its tensors is in use.
 */
export class Workspace implements Disposable {
  /** How many bytes it has in all. */
  readonly bytes: number;
  readonly #buffer: ArrayBuffer;
  #free: number = FIRST_ADDRESS;
  #isDisposed = false;

  /**
   * Takes the memory.
   *
   * @param bytes An integer in [1, 2³² − 2.4·10⁶]. Each tensor and mask takes its own bytes, rounded up to 64.
   * @throws {RangeError} if `bytes` is anything else, or the machine does not have so much.
   */
  constructor(bytes: number) {
    checkInteger("Workspace: bytes", bytes, 1, LARGEST);
    this.bytes = aligned(bytes);
    const pages = Math.ceil((FIRST_ADDRESS + this.bytes) / PAGE);
    try {
      const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
      adopt(memory);
      this.#buffer = memory.buffer as ArrayBuffer; // it is not shared
    } catch (error) {
      throw new RangeError(`This machine has no room for a workspace of ${bytes} bytes`, { cause: error });
    }
  }

  /** How many bytes are left. */
  get bytesLeft(): number {
    return FIRST_ADDRESS + this.bytes - this.#free;
  }

  /**
   * A tensor of zeros.
   *
   * @throws {RangeError} if the workspace has no room for it.
   * @throws {Error} if the workspace was disposed of.
   */
  zeros(shape: Shape, dtype: DType = "float64"): Tensor {
    if (dtype !== "float32" && dtype !== "float64") {
      throw new TypeError(`The dtype must be "float32" or "float64", got ${describe(dtype)}`);
    }
    const Data = dtype === "float32" ? Float32Array : Float64Array;
    const size = sizeOf(shape);
    const start = this.#take(
      size * Data.BYTES_PER_ELEMENT,
      `a ${dtype} tensor of shape ${formatShape(shape)}`,
    );
    return new Tensor(new Data(this.#buffer, start, size), shape);
  }

  /** A copy of a tensor. Throws as `zeros` does. */
  copy(x: Tensor): Tensor {
    checkTensor("workspace.copy", x);
    const result = this.zeros(x.shape, x.dtype);
    result.data.set(x.data);
    return result;
  }

  /** A mask that keeps nothing yet, for `invertedDropout` to draw into. Throws as `zeros` does. */
  mask(shape: Shape): Mask {
    const bytes = Math.ceil(sizeOf(shape) / 8);
    const start = this.#take(bytes, `a mask of shape ${formatShape(shape)}`);
    return new Mask(new Uint8Array(this.#buffer, start, bytes), shape);
  }

  /** Ends the workspace: it gives out nothing more. Tensors that it gave stay as they are. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
  }

  /** The address of fresh memory, which is zeroed. */
  #take(bytes: number, what: string): number {
    if (this.#isDisposed) throw new Error(`This workspace was disposed of; it cannot give ${what}`);
    if (bytes > this.bytesLeft) {
      throw new RangeError(
        `A workspace of ${this.bytes} bytes has ${this.bytesLeft} left; ${what} needs ${bytes}`,
      );
    }
    const start = this.#free;
    this.#free = aligned(start + bytes);
    return start;
  }
}
