/**
 * The one place that knows which fast parts the library has.
 *
 * Once `lib/mod.ts` exports `FastStream`, `Workspace` and `withoutSimd`, everything below the imports becomes
 * `export { FastStream, Workspace, withoutSimd } from "../../../lib/mod.ts"`. Until then `ours` and `readable` are the
 * same code, and the peer in a workspace is missing.
 * @module
 */

import { defaultRng, type DType, type Mask, type RandomStream, type Tensor } from "../../../lib/mod.ts";

/** Tensors in WebAssembly memory. */
export interface WorkspaceLike extends Disposable {
  /** A tensor of zeros. */
  zeros(shape: number[], dtype: DType): Tensor;
  /** A copy of a tensor. */
  copy(x: Tensor): Tensor;
  /** A mask to be reused. */
  mask(shape: number[]): Mask;
}

/** The fastest stream that masks can be drawn from. */
export const FastStream: new (seed: number) => RandomStream = class {
  constructor(seed: number) {
    return defaultRng(seed);
  }
  declare bernoulliBits: RandomStream["bernoulliBits"];
};

/** Memory for tensors that the kernels reach without a copy; `undefined`: there is none. */
export const Workspace: (new (bytes: number) => WorkspaceLike) | undefined = undefined;

/** Runs the readable TypeScript in place of the kernels. */
export function withoutSimd<T>(run: () => T): T {
  return run();
}
