/**
 * Typed arrays with a shape: arithmetic, matrix products, and reductions in NumPy's order.
 *
 * @example
 * ```ts
 * import { matmul, mean, tensor } from "./mod.ts";
 *
 * const x = tensor([[1, 2], [3, 4]]);
 * console.log(mean(matmul(x, x))); // 13.5
 * ```
 * @module
 */

export { type DType, type FloatArray, type NestedNumbers, type NumberArray } from "./tensor.ts";
export { full, ones, type SavedTensor, type Shape, Tensor, tensor, zeros } from "./tensor.ts";
export { add, divide, multiply, type Operand, type OutOptions, subtract } from "./elementwise.ts";
export { matmul, type MatmulOptions, transpose } from "./matmul.ts";
export { argmax, type AxisOptions, mean, standardDeviation, sum, variance } from "./reduce.ts";
export { type VarianceOptions } from "./reduce.ts";
export { take } from "./take.ts";
