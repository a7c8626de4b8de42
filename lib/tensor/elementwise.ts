/**
 * Arithmetic element by element, with NumPy's broadcasting and type promotion.
 * @module
 */

import { checkOptions, describe, formatShape, sameShape } from "../check.ts";
import {
  allocate,
  broadcastStrides,
  type DType,
  type FloatArray,
  forEachBroadcast,
  full,
  resultTensor,
  type Shape,
  sizeOf,
  Tensor,
} from "./tensor.ts";

/** A tensor, or a number that stands for a tensor of that number everywhere. */
export type Operand = Tensor | number;

/** Where the result goes. */
export interface OutOptions {
  /** Receives the result, so that nothing is allocated. Must have the result's shape and type. */
  out?: Tensor | undefined;
}

/** `a + b`. Shapes broadcast as in NumPy; float32 with float64 gives float64; a number takes the other's type. */
export function add(a: Operand, b: Operand, options: OutOptions = {}): Tensor {
  return elementwise("add", a, b, options);
}

/** `a − b`. Shapes broadcast as in NumPy. */
export function subtract(a: Operand, b: Operand, options: OutOptions = {}): Tensor {
  return elementwise("subtract", a, b, options);
}

/** `a · b`, element by element. Shapes broadcast as in NumPy. */
export function multiply(a: Operand, b: Operand, options: OutOptions = {}): Tensor {
  return elementwise("multiply", a, b, options);
}

/** `a / b`, element by element. Shapes broadcast as in NumPy; division by zero gives ±Infinity or NaN. */
export function divide(a: Operand, b: Operand, options: OutOptions = {}): Tensor {
  return elementwise("divide", a, b, options);
}

/**
 * The shape of the result of `a ∘ b`: axes are aligned at the end, and a length of 1 stretches.
 *
 * @throws {TypeError} if two aligned lengths differ and neither is 1.
 */
export function broadcastShapes(operation: string, a: Shape, b: Shape): Shape {
  const ndim = Math.max(a.length, b.length);
  return Array.from({ length: ndim }, (_, axis) => {
    const m = a[axis - ndim + a.length] ?? 1;
    const n = b[axis - ndim + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) {
      throw new TypeError(
        `${operation}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast together`,
      );
    }
    return m === 1 ? n : m;
  });
}

/**
 * The loops: one for each operation, since an engine makes a fast loop only of an operation that it can see. `b` may be
 * a row, or a number, that serves for all rows of `a`.
 */
const loops = {
  add(a: FloatArray, b: FloatArray, out: FloatArray): void {
    for (let row = 0; row < out.length; row += b.length) {
      for (let j = 0; j < b.length; j++) out[row + j] = a[row + j] + b[j];
    }
  },
  subtract(a: FloatArray, b: FloatArray, out: FloatArray): void {
    for (let row = 0; row < out.length; row += b.length) {
      for (let j = 0; j < b.length; j++) out[row + j] = a[row + j] - b[j];
    }
  },
  multiply(a: FloatArray, b: FloatArray, out: FloatArray): void {
    for (let row = 0; row < out.length; row += b.length) {
      for (let j = 0; j < b.length; j++) out[row + j] = a[row + j] * b[j];
    }
  },
  divide(a: FloatArray, b: FloatArray, out: FloatArray): void {
    for (let row = 0; row < out.length; row += b.length) {
      for (let j = 0; j < b.length; j++) out[row + j] = a[row + j] / b[j];
    }
  },
};

function elementwise(name: keyof typeof loops, a: Operand, b: Operand, options: OutOptions): Tensor {
  checkOptions(name, options, ["out"]);
  const [x, y] = [asTensor(name, a, b), asTensor(name, b, a)];
  const shape = broadcastShapes(name, x.shape, y.shape);
  const dtype: DType = x.dtype === "float64" || y.dtype === "float64" ? "float64" : "float32";
  const result = resultTensor(name, shape, dtype, options.out, [x, y]);
  const right = isRowOf(y, shape) ? y.data : stretch(y, shape);
  loops[name](stretch(x, shape), right, result.data);
  return result;
}

/** A number becomes a scalar tensor of the other operand's type, so that it does not promote it (as in NumPy 2). */
function asTensor(name: string, operand: Operand, other: Operand): Tensor {
  if (operand instanceof Tensor) return operand;
  if (typeof operand !== "number") {
    throw new TypeError(`${name}: operands must be tensors or numbers, got ${describe(operand)}`);
  }
  return full([], operand, other instanceof Tensor ? other.dtype : "float64");
}

/** True if the elements of `y`, one after the other and from the start again, fill the shape. */
function isRowOf(y: Tensor, shape: Shape): boolean {
  return y.size === 1 || sameShape(y.shape, shape.slice(shape.length - y.ndim));
}

/** The elements of `x` repeated to fill `shape`; without a copy if they already do. */
function stretch(x: Tensor, shape: Shape): FloatArray {
  if (sameShape(x.shape, shape)) return x.data;
  const stretched = allocate(sizeOf(shape), x.dtype);
  if (x.size === 1) return stretched.fill(x.data[0]);
  if (sameShape(x.shape, shape.slice(shape.length - x.ndim))) { // a row for each of many rows: the common case
    for (let at = 0; at < stretched.length; at += x.size) stretched.set(x.data, at);
    return stretched;
  }
  const strides = broadcastStrides(x.shape, shape.length);
  forEachBroadcast(shape, strides, (flat, index) => stretched[flat] = x.data[index]);
  return stretched;
}
