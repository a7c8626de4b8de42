/**
 * A tensor: a typed array of numbers with a shape, in row-major (C) order.
 * @module
 */

/** The element types: `float32` as in PyTorch's default, `float64` as in NumPy's. */
export type DType = "float32" | "float64";

/** Lengths of the axes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** Numbers nested in arrays of equal lengths, as in `[[1, 2], [3, 4]]`. */
export type NestedNumbers = number | readonly NestedNumbers[];

/** The arrays that may back a tensor. */
export type FloatArray = Float32Array | Float64Array;

/** A typed array with a shape. The array is shared, not copied, and lies in row-major order. */
export class Tensor {
  /** The elements, in row-major order. */
  readonly data: FloatArray;
  /** Lengths of the axes, outermost first. */
  readonly shape: Shape;

  /**
   * Puts a shape on a typed array, without copying it.
   *
   * @param data The elements in row-major order.
   * @param shape Lengths of the axes; by default one axis.
   * @throws {TypeError} if the shape does not hold exactly `data.length` elements.
   */
  constructor(data: FloatArray, shape: Shape = [data.length]) {
    if (!(data instanceof Float32Array || data instanceof Float64Array)) {
      throw new TypeError(`A tensor needs a Float32Array or a Float64Array, got ${describe(data)}`);
    }
    if (sizeOf(shape) !== data.length) {
      throw new TypeError(
        `Shape ${formatShape(shape)} holds ${sizeOf(shape)} elements, but the array has ${data.length}`,
      );
    }
    this.data = data;
    this.shape = Object.isFrozen(shape) ? shape : Object.freeze([...shape]);
  }

  /** `"float32"` or `"float64"`. */
  get dtype(): DType {
    return this.data instanceof Float32Array ? "float32" : "float64";
  }

  /** Number of elements. */
  get size(): number {
    return this.data.length;
  }

  /** Number of axes. */
  get ndim(): number {
    return this.shape.length;
  }

  /**
   * One element.
   *
   * @param index One integer for each axis, from 0.
   * @throws {RangeError} if the index does not lie in the tensor.
   */
  at(...index: number[]): number {
    const inside = index.length === this.ndim &&
      index.every((i, axis) => Number.isInteger(i) && i >= 0 && i < this.shape[axis]);
    if (!inside) {
      throw new RangeError(`Index [${index}] lies outside a tensor of shape ${formatShape(this.shape)}`);
    }
    return this.data[index.reduce((offset, i, axis) => offset * this.shape[axis] + i, 0)];
  }

  /**
   * The same elements under another shape, sharing the array.
   *
   * @throws {TypeError} if the new shape does not hold as many elements.
   */
  reshape(shape: Shape): Tensor {
    return new Tensor(this.data, shape);
  }

  /** A copy with its own array. */
  clone(): Tensor {
    return new Tensor(this.data.slice(), this.shape);
  }

  /** A new tensor of `f(element)`, of the same shape and type. */
  map(f: (element: number, index: number) => number): Tensor {
    const result = allocate(this.size, this.dtype); // a loop, since the array's own `map` is several times slower
    for (let i = 0; i < result.length; i++) result[i] = f(this.data[i], i);
    return new Tensor(result, this.shape);
  }

  /** The elements as nested arrays; a scalar gives a number. */
  toArray(): NestedNumbers {
    return nest(this.data, this.shape);
  }

  /** Type, shape and elements, for people: six digits, long axes shortened. */
  toString(): string {
    const separator = this.ndim > 1 ? "\n" : " ";
    return `Tensor(${this.dtype}, ${formatShape(this.shape)})${separator}${formatNested(this.toArray(), "")}`;
  }

  /** What `console.log` and a notebook print. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

/**
 * Makes a tensor from nested arrays of numbers, copying them.
 *
 * @param values Nested arrays of equal lengths at each level, or a single number.
 * @param dtype Element type; float32 rounds each number to the nearest.
 * @returns A tensor whose shape is that of the nesting.
 * @throws {TypeError} if the nesting is ragged or an element is not a number.
 */
export function tensor(values: NestedNumbers, dtype: DType = "float64"): Tensor {
  const shape = nestedShape(values);
  const out = allocate(sizeOf(shape), dtype);
  let next = 0;
  const copy = (value: NestedNumbers, path: number[]) => {
    const axis = path.length;
    if (axis === shape.length) {
      if (typeof value !== "number") {
        throw new TypeError(`Elements must be numbers, got ${describe(value)} at [${path}]`);
      }
      out[next++] = value;
    } else if (!Array.isArray(value) || value.length !== shape[axis]) {
      const came = Array.isArray(value) ? `${value.length} elements` : describe(value);
      throw new TypeError(
        `Nested arrays must have equal lengths: [${path}] should have ${shape[axis]} elements, got ${came}`,
      );
    } else {
      for (let i = 0; i < value.length; i++) copy(value[i], [...path, i]); // forEach would skip holes
    }
  };
  copy(values, []);
  return new Tensor(out, shape);
}

/** A tensor of zeros. */
export function zeros(shape: Shape, dtype: DType = "float64"): Tensor {
  return new Tensor(allocate(sizeOf(shape), dtype), shape);
}

/** A tensor of ones. */
export function ones(shape: Shape, dtype: DType = "float64"): Tensor {
  return full(shape, 1, dtype);
}

/** A tensor that holds `value` everywhere. */
export function full(shape: Shape, value: number, dtype: DType = "float64"): Tensor {
  return new Tensor(allocate(sizeOf(shape), dtype).fill(value), shape);
}

/** A zeroed array of `size` elements. */
export function allocate(size: number, dtype: DType): FloatArray {
  if (dtype !== "float32" && dtype !== "float64") {
    throw new TypeError(`The dtype must be "float32" or "float64", got ${describe(dtype)}`);
  }
  return dtype === "float32" ? new Float32Array(size) : new Float64Array(size);
}

/**
 * How many elements a shape holds.
 *
 * @throws {RangeError} if a length is not a non-negative integer.
 */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (let axis = 0; axis < shape.length; axis++) {
    if (!Number.isInteger(shape[axis]) || shape[axis] < 0) {
      throw new RangeError(`Lengths in a shape must be non-negative integers, got ${formatShape(shape)}`);
    }
    size *= shape[axis];
  }
  return size;
}

/** True if both shapes have the same lengths in the same order. */
export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) {
    if (a[axis] !== b[axis]) return false;
  }
  return true;
}

/** A shape for error messages: `[32, 100]`. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/**
 * The tensor that a result goes to: `out` if it was given and fits, else a new one.
 *
 * @param inputs Tensors that are read after `out` is first written; `out` may be one of them, but must not
 *   overlap with a part of one.
 * @throws {TypeError} if `out` has another shape or type, or overlaps with part of an input.
 */
export function resultTensor(
  operation: string,
  shape: Shape,
  dtype: DType,
  out: Tensor | undefined,
  inputs: readonly Tensor[] = [],
): Tensor {
  if (out === undefined) return zeros(shape, dtype);
  if (!sameShape(out.shape, shape) || out.dtype !== dtype) {
    throw new TypeError(
      `${operation}: out must be ${dtype} of shape ${formatShape(shape)}, ` +
        `got ${out.dtype} of shape ${formatShape(out.shape)}`,
    );
  }
  if (inputs.some((input) => overlaps(input, out) && !sameMemory(input, out))) {
    throw new TypeError(`${operation}: out overlaps with a part of an input; give it memory of its own`);
  }
  return out;
}

/** True if two tensors share any byte of memory. */
export function overlaps(a: Tensor, b: Tensor): boolean {
  return a.data.buffer === b.data.buffer &&
    a.data.byteOffset < b.data.byteOffset + b.data.byteLength &&
    b.data.byteOffset < a.data.byteOffset + a.data.byteLength;
}

function sameMemory(a: Tensor, b: Tensor): boolean {
  return a.dtype === b.dtype && a.data.byteOffset === b.data.byteOffset && a.size === b.size;
}

/** A value for error messages: strings in quotes, objects by their type. */
export function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value === null || typeof value !== "object") return String(value);
  return Array.isArray(value) ? "an array" : `a ${value.constructor?.name ?? "object"}`;
}

/** Longest axis that is printed whole; of a longer one, the first and last elements are. */
const PRINTED = 12;

/** The innermost axis on one line, the others one below the other, as NumPy prints them. */
function formatNested(values: NestedNumbers, indent: string): string {
  if (typeof values === "number") return String(Number(values.toPrecision(6)));
  const cut = values.length > PRINTED;
  const shown = cut ? [...values.slice(0, PRINTED / 2), ...values.slice(-PRINTED / 2)] : values;
  const parts = shown.map((value) => formatNested(value, `${indent} `));
  if (cut) parts.splice(PRINTED / 2, 0, "…");
  return `[${parts.join(typeof shown[0] === "number" ? ", " : `,\n${indent} `)}]`;
}

/** The shape that the first elements of each level suggest; `tensor` checks the others. */
function nestedShape(values: NestedNumbers): number[] {
  const shape: number[] = [];
  for (let level: NestedNumbers | undefined = values; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
  }
  return shape;
}

function nest(data: FloatArray, shape: Shape): NestedNumbers {
  if (shape.length === 0) return data[0];
  if (shape.length === 1) return Array.from(data);
  const [rows, ...inner] = shape;
  const stride = sizeOf(inner);
  return Array.from(
    { length: rows },
    (_, row) => nest(data.subarray(row * stride, (row + 1) * stride), inner),
  );
}
