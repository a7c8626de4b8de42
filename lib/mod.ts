/**
 * Dropout, and what it takes to understand it: tensors, random streams that equal NumPy's and PyTorch's, masks,
 * standard and inverted dropout, batch normalization, small networks, gradients and exact expectations.
 *
 * @example
 * ```ts
 * import { InvertedDropout, mean, ones } from "./mod.ts";
 *
 * const dropout = new InvertedDropout(0.5, { seed: 42 });
 * const x = ones([1000, 1000]);
 * console.log(mean(dropout(x))); // close to 1: zeros and twos
 * console.log(mean(dropout.eval()(x))); // 1: evaluation changes nothing
 * ```
 *
 * Computer algebra is in `symbolic.ts`, the article's demonstrations in `experiments/`, and what notebooks need in
 * `jupyter/mod.ts`; they load more, so that they are imported by name.
 * @module
 */

export * from "./tensor/mod.ts";
export * from "./random/mod.ts";
export * from "./mask.ts";
export * from "./workspace.ts";
export { withoutSimd } from "./simd/instance.ts";
export * from "./layer.ts";
export * from "./dropout/mod.ts";
export * from "./batch_norm/mod.ts";
export * from "./nn/mod.ts";
export * from "./gradient.ts";
export * from "./expectation.ts";
export * from "./audit.ts";
