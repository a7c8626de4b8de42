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
 * `frameworks/mod.ts` has the same operation under the names, defaults and ranges of PyTorch, Keras, Flax,
 * TensorFlow.js, ONNX and TensorFlow 1. Computer algebra is in `symbolic.ts`, handwritten digits are in `digits.ts`, the
 * article's demonstrations in `article/`, what the notebooks add in `experiments/`, the study of what dropout does in
 * `study/mod.ts`, what notebooks need in `jupyter/mod.ts`; they load more, so that all of these are imported by name.
 * @module
 */

export * from "./tensor/mod.ts";
export * from "./random/mod.ts";
export { type Interval } from "./check.ts";
export { drawMask, type DrawMaskOptions, Mask } from "./mask.ts";
export { Workspace } from "./workspace.ts";
export { Layer, type LoadReport, type Parameter, parametersFrom } from "./layer.ts";
export { type SavedStateDict, type StateDict } from "./layer.ts";
export * from "./dropout/mod.ts";
export * from "./batch_norm/mod.ts";
export * from "./nn/mod.ts";
export * from "./gradient.ts";
export * from "./expectation.ts";
export * from "./audit.ts";
