/**
 * A tensor: a typed array of numbers with a shape, in row-major (C) order.
 * @module
 */

import { checkInstance, describe, formatShape, sameShape } from "../check.ts";

/** The element types: `float32` as in PyTorch's default, `float64` as in NumPy's. */
export type DType = "float32" | "float64";

/** Lengths of the axes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** Numbers nested in arrays of equal lengths, as in `[[1, 2], [3, 4]]`. */
export type NestedNumbers = number | readonly NestedNumbers[];

/** The arrays that may back a tensor. */
export type FloatArray = Float32Array | Float64Array;

/** Numbers in a row: any typed array but those of bigints. */
export type NumberArray =
  | FloatArray
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;

/** A tensor as JSON keeps it, bit for bit: what JSON cannot write stands there as a word, such as "NaN" or "-0". */
export interface SavedTensor {
  /** The element type. */
  dtype: DType;
  /** Lengths of the axes, outermost first. */
  shape: number[];
  /** The elements, in row-major order. */
  data: (number | string)[];
}

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
  constructor(data: FloatArray, shape: Shape = [data?.length]) {
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

  /** The tensor as plain data, which `JSON.stringify` asks for; `tensor` makes a tensor of it again, bit for bit. */
  toJSON(): SavedTensor {
    return { dtype: this.dtype, shape: [...this.shape], data: Array.from(this.data, toWord) };
  }

  /** Type, shape and elements, for people: six digits, long axes shortened. */
  toString(): string {
    const separator = this.ndim > 1 ? "\n" : " ";
    return `Tensor(${this.dtype}, ${formatShape(this.shape)})${separator}${
      formatRows(this.data, this.shape, "")
    }`;
  }

  /** What `console.log` and a notebook print. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

/**
 * Makes a tensor, copying its numbers.
 *
 * @example
 * ```ts
 * import { tensor } from "./mod.ts";
 *
 * const rows = tensor([[1, 2, 3], [4, 5, 6]]); // float64, of shape [2, 3]
 * const same = tensor(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]); // float32, since the array is
 * const copy = tensor(JSON.parse(JSON.stringify(rows)));
 * console.log(same.shape, copy.at(1, 2)); // [2, 3] 6
 * ```
 *
 * @param values Nested arrays of equal lengths at each level, or a single number.
 * @param dtype Element type; float32 rounds each number to the nearest. Default float64.
 * @returns A tensor whose shape is that of the nesting.
 * @throws {TypeError} if the nesting is ragged, an element is not a number, or a shape does not fit.
 */
export function tensor(values: NestedNumbers, dtype?: DType): Tensor;
/** From a typed array, whose type it keeps if that is a tensor's; with a shape, by default one axis. */
export function tensor(values: NumberArray, shape?: Shape, dtype?: DType): Tensor;
/** The same with one axis. */
export function tensor(values: NumberArray, dtype: DType): Tensor;
/** A copy of a tensor, in its own type unless told otherwise. */
export function tensor(values: Tensor, dtype?: DType): Tensor;
/** From what JSON made of a tensor. */
export function tensor(values: SavedTensor): Tensor;
export function tensor(
  values: NestedNumbers | NumberArray | Tensor | SavedTensor,
  second?: DType | Shape,
  third?: DType,
): Tensor {
  if (values instanceof Tensor) return fromTypedArray(values.data, values.shape, second as DType | undefined);
  if (ArrayBuffer.isView(values)) {
    const [shape, dtype] = typeof second === "string" ? [undefined, second] : [second, third];
    return fromTypedArray(values, shape, dtype);
  }
  if (typeof values === "object" && values !== null && "data" in values) return fromSaved(values);
  if (second !== undefined && typeof second !== "string") {
    throw new TypeError(
      `tensor: beside nested arrays, which have their own shape, there can only be a type, "float32" or "float64", ` +
        `got ${describe(second)}`,
    );
  }
  return fromNested(values, second);
}

function fromTypedArray(values: NumberArray, shape: Shape | undefined, dtype: DType | undefined): Tensor {
  const first: unknown = values instanceof DataView ? values : values[0];
  if (typeof first !== "number" && first !== undefined) {
    throw new TypeError(`tensor needs numbers, got ${describe(values)}`);
  }
  const out = allocate(values.length, dtype ?? (values instanceof Float32Array ? "float32" : "float64"));
  out.set(values);
  return new Tensor(out, shape);
}

function fromSaved({ dtype, shape, data }: SavedTensor): Tensor {
  if (!Array.isArray(data)) {
    throw new TypeError(`A saved tensor needs its data in an array, got ${describe(data)}`);
  }
  const out = allocate(data.length, dtype);
  data.forEach((word, i) => out[i] = fromWord(word));
  return new Tensor(out, shape);
}

/** A number that JSON would lose becomes a word. */
function toWord(value: number): number | string {
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? value : String(value);
}

function fromWord(word: number | string): number {
  if (typeof word === "number") return word;
  if (["-0", "NaN", "Infinity", "-Infinity"].includes(word)) return Number(word);
  throw new TypeError(
    `A saved tensor holds numbers, "-0", "NaN", "Infinity" and "-Infinity", got ${describe(word)}`,
  );
}

/** Copies nested arrays, and checks that they are of equal lengths at each level. */
function fromNested(values: NestedNumbers, dtype: DType = "float64"): Tensor {
  const shape = nestedShape(values);
  const out = allocate(sizeOf(shape), dtype);
  let next = 0;
  const copy = (value: NestedNumbers, path: number[]) => {
    const axis = path.length;
    if (axis === shape.length) {
      if (typeof value !== "number") {
        const at = path.length === 0 ? "" : ` at [${path}]`;
        throw new TypeError(`Elements of a tensor must be numbers, got ${describe(value)}${at}`);
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
  if (typeof value !== "number") throw new TypeError(`full: value must be a number, got ${describe(value)}`);
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
 * @throws {TypeError} if it is not an array.
 * @throws {RangeError} if a length is not a non-negative integer.
 */
export function sizeOf(shape: Shape): number {
  if (!Array.isArray(shape)) {
    throw new TypeError(`A shape must be an array of lengths such as [2, 3], got ${describe(shape)}`);
  }
  let size = 1;
  for (let axis = 0; axis < shape.length; axis++) {
    if (!Number.isInteger(shape[axis]) || shape[axis] < 0) {
      throw new RangeError(`Lengths in a shape must be non-negative integers, got ${formatShape(shape)}`);
    }
    size *= shape[axis];
  }
  return size;
}

/**
 * Where the elements of a smaller tensor lie when it is broadcast: how far one step along each axis of the larger one
 * moves in it, 0 where its only element is repeated.
 *
 * @param shape The smaller shape, which broadcasts.
 * @param ndim How many axes the larger one has.
 */
export function broadcastStrides(shape: Shape, ndim: number): number[] {
  return Array.from({ length: ndim }, (_, axis) => {
    const own = axis - ndim + shape.length;
    return own < 0 || shape[own] === 1 ? 0 : sizeOf(shape.slice(own + 1));
  });
}

/**
 * Calls `visit` for each element of a shape, in row-major order.
 *
 * @param strides As `broadcastStrides` gives them.
 * @param visit Told where the element is, and where the one that belongs to it is in the smaller tensor.
 */
export function forEachBroadcast(
  shape: Shape,
  strides: readonly number[],
  visit: (flat: number, index: number) => void,
): void {
  const size = sizeOf(shape);
  for (let flat = 0; flat < size; flat++) {
    let [rest, index] = [flat, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index += (rest % shape[axis]) * strides[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    visit(flat, index);
  }
}

/**
 * Refuses what is not a tensor or, if a shape is given, not of that shape.
 *
 * @param where The function or class, as its user writes it.
 * @throws {TypeError} if it is anything else.
 */
export function checkTensor(where: string, x: unknown, shape?: Shape): asserts x is Tensor {
  checkInstance(where, x, Tensor, "a Tensor, as tensor([…]) makes one");
  if (shape !== undefined && !sameShape(x.shape, shape)) {
    throw new TypeError(
      `${where} needs a tensor of shape ${formatShape(shape)}, got ${formatShape(x.shape)}`,
    );
  }
}

/** True if two tensors of one shape hold the same numbers, bit for bit (any NaN equals any other). */
export function sameNumbers(a: Tensor, b: Tensor): boolean {
  return sameShape(a.shape, b.shape) && a.data.every((value, i) => Object.is(value, b.data[i]));
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
  checkInstance(`${operation}: out`, out, Tensor, "a Tensor");
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

/** Longest axis that is printed whole; of a longer one, the first and last elements are. */
const PRINTED = 12;

/** The innermost axis on one line, the others one below the other, as NumPy prints them; only what is shown is read. */
function formatRows(data: FloatArray, shape: Shape, indent: string): string {
  if (shape.length === 0) return String(Number(data[0].toPrecision(6)));
  const [length, ...inner] = shape;
  const stride = sizeOf(inner);
  const part = (i: number) => formatRows(data.subarray(i * stride, (i + 1) * stride), inner, `${indent} `);
  const cut = length > PRINTED;
  const parts = Array.from(
    { length: cut ? PRINTED : length },
    (_, i) => part(cut && i >= PRINTED / 2 ? length - PRINTED + i : i),
  );
  if (cut) parts.splice(PRINTED / 2, 0, "…");
  return `[${parts.join(inner.length === 0 ? ", " : `,\n${indent} `)}]`;
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
