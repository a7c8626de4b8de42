import { assert, assertEquals, assertNotEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  add,
  argmax,
  divide,
  type DType,
  full,
  matmul,
  mean,
  multiply,
  type NestedNumbers,
  ones,
  standardDeviation,
  subtract,
  sum,
  take,
  Tensor,
  tensor,
  transpose,
  variance,
  zeros,
} from "../lib/tensor/mod.ts";
import { withoutSimd } from "../lib/simd/kernels.ts";
import { bytesOf, fixture, normals, numbers, sha256 } from "./helpers.ts";

const DTYPES: DType[] = ["float64", "float32"];
const OPERATIONS = { add, subtract, multiply, divide };

/** ε of each type: two neighbours near 1 are this far apart. */
const EPSILON = { float64: 2 ** -52, float32: 2 ** -23 };

/** The data of the fixture: every value is made by one rounded division and an exact power of two. */
function base(start: number, size: number, dtype: DType): Float64Array | Float32Array {
  const value = (i: number) => ((((i * 7919) % 10007) - 5003) / 997) * 2 ** (i % 7);
  const make = { length: size };
  return dtype === "float64"
    ? Float64Array.from(make, (_, i) => value(start + i))
    : Float32Array.from(make, (_, i) => value(start + i));
}

function baseTensor(shape: number[], dtype: DType, start = 0): Tensor {
  return new Tensor(base(start, shape.reduce((a, b) => a * b, 1), dtype), shape);
}

// Construction

Deno.test("tensor copies nested arrays in row-major order", () => {
  const x = tensor([[1, 2, 3], [4, 5, 6]]);
  assertEquals([x.shape, x.size, x.ndim, x.dtype], [[2, 3], 6, 2, "float64"]);
  assertEquals(Array.from(x.data), [1, 2, 3, 4, 5, 6]);
  assertEquals(x.at(1, 0), 4);
  assertEquals(x.toArray(), [[1, 2, 3], [4, 5, 6]]);
});

Deno.test("toArray undoes tensor, for any nesting", () => {
  const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 0, maxLength: 4 });
  fc.assert(fc.property(shapes, (shape) => {
    const x = normals(shape);
    assertEquals(tensor(x.toArray()), x);
  }));
});

Deno.test("a number makes a scalar, and empty arrays make empty tensors", () => {
  assertEquals([tensor(3).shape, tensor(3).at(), tensor(3).toArray()], [[], 3, 3]);
  assertEquals(tensor([]).shape, [0]);
  assertEquals([tensor([[], []]).shape, tensor([[], []]).toArray()], [[2, 0], [[], []]]);
});

Deno.test("float32 rounds each number to the nearest", () => {
  assertEquals(tensor([0.1, 1 / 3], "float32").toArray(), [Math.fround(0.1), Math.fround(1 / 3)]);
});

Deno.test("ragged nesting is refused, and the message says where", () => {
  const refuse = (values: unknown, message: string) =>
    assertThrows(() => tensor(values as NestedNumbers), TypeError, message);
  refuse([[1, 2], [3]], "equal lengths: [1] should have 2 elements, got 1 elements");
  refuse([[1, 2], 3], "equal lengths: [1] should have 2 elements, got 3");
  refuse([[], [1]], "[1] should have 0 elements, got 1 elements");
  refuse([1, [2]], "Elements of a tensor must be numbers, got an array at [1]");
  refuse([1, "2"], 'Elements of a tensor must be numbers, got "2" at [1]');
  refuse([[1], [null]], "Elements of a tensor must be numbers, got null at [1,0]");
  refuse([1, 2n], "got 2n at [1]");
  refuse([1, new Float64Array(2)], "got a Float64Array at [1]");
  // deno-lint-ignore no-sparse-arrays
  refuse([1, , 3], "got undefined at [1]");
  assertThrows(() => tensor([1], "int8" as DType), TypeError, 'must be "float32" or "float64", got "int8"');
});

Deno.test("tensor copies a typed array, keeps its type if that is a tensor's, and takes a shape", () => {
  for (
    const [Data, own] of [[Float32Array, "float32"], [Float64Array, "float64"], [
      Uint8Array,
      "float64",
    ]] as const
  ) {
    const data = Data.of(1, 2, 3, 4);
    assertEquals([tensor(data).shape, tensor(data).dtype], [[4], own]);
    for (const dtype of DTYPES) {
      assertEquals(tensor(data, [4], dtype), tensor([1, 2, 3, 4], dtype));
      assertEquals(tensor(data, [2, 2], dtype), tensor([[1, 2], [3, 4]], dtype));
    }
    const x = tensor(data, [2, 2]);
    data[0] = 5;
    assertEquals(x, tensor([[1, 2], [3, 4]], own));
    assertThrows(() => tensor(data, [3]), TypeError, "Shape [3] holds 3 elements, but the array has 4");
  }
  const bigints = BigInt64Array.of(1n) as unknown as Float64Array;
  assertThrows(() => tensor(bigints), TypeError, "tensor needs numbers, got a BigInt64Array");
});

Deno.test("a tensor shares its array, and its shape must fit and cannot change", () => {
  const data = Float64Array.of(1, 2, 3, 4);
  const x = new Tensor(data, [2, 2]);
  data[3] = 40;
  assertEquals(x.at(1, 1), 40);
  assertEquals(new Tensor(data).shape, [4]);
  assertThrows(() => (x.shape as number[])[0] = 4, TypeError);
  assertThrows(() => new Tensor(data, [3]), TypeError, "Shape [3] holds 3 elements, but the array has 4");
  assertThrows(() => new Tensor([1] as unknown as Float64Array), TypeError, "got an array");
  assertThrows(() => zeros([-1]), RangeError, "non-negative integers, got [-1]");
  assertThrows(() => zeros([1.5]), RangeError, "got [1.5]");
});

Deno.test("zeros, ones and full hold one value everywhere", () => {
  assertEquals(zeros([2]).toArray(), [0, 0]);
  assertEquals(ones([1, 2], "float32"), tensor([[1, 1]], "float32"));
  assertEquals(full([], 7).at(), 7);
});

Deno.test("at refuses an index outside the tensor", () => {
  const x = zeros([2, 3]);
  for (const index of [[2, 0], [0, 3], [-1, 0], [0.5, 0], [0], [0, 0, 0]]) {
    assertThrows(() => x.at(...index), RangeError, `Index [${index}] lies outside a tensor of shape [2, 3]`);
  }
});

Deno.test("reshape shares the array, clone and map do not", () => {
  const x = tensor([[1, 2], [3, 4]]);
  const [flat, copy, squares] = [x.reshape([4]), x.clone(), x.map((value, i) => value * value + i)];
  x.data[0] = 100;
  assertEquals(flat.toArray(), [100, 2, 3, 4]);
  assertEquals(copy.toArray(), [[1, 2], [3, 4]]);
  assertEquals(squares.toArray(), [[1, 5], [11, 19]]);
  assertEquals(tensor([1], "float32").map(() => 0.1), tensor([0.1], "float32"));
  assertThrows(() => x.reshape([3]), TypeError, "Shape [3] holds 3 elements, but the array has 4");
});

Deno.test("a tensor prints its type, shape and elements: six digits, one row a line", () => {
  assertEquals(String(tensor(1 / 3)), "Tensor(float64, []) 0.333333");
  assertEquals(String(tensor([1, 0.1], "float32")), "Tensor(float32, [2]) [1, 0.1]");
  const x = tensor([[1, 2], [3, 1e-9]]);
  assertEquals(String(x), "Tensor(float64, [2, 2])\n[[1, 2],\n [3, 1e-9]]");
  assertEquals(Deno.inspect(x), String(x));
  assertEquals(String(zeros([2, 1, 1])), "Tensor(float64, [2, 1, 1])\n[[[0]],\n [[0]]]");
  assertEquals(String(zeros([0, 2])), "Tensor(float64, [0, 2])\n[]");
});

Deno.test("of a long axis the first and last six elements are printed", () => {
  const count = (n: number) => tensor(Array.from({ length: n }, (_, i) => i));
  assertEquals(String(count(12)), "Tensor(float64, [12]) [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]");
  assertEquals(String(count(100)), "Tensor(float64, [100]) [0, 1, 2, 3, 4, 5, …, 94, 95, 96, 97, 98, 99]");
  assertEquals(String(zeros([100, 1])).split("\n").length, 1 + 13);
});

// Elementwise arithmetic

interface Reductions {
  flat: Record<DType, Record<string, string>>;
  axis: Record<string, string>;
  broadcast: (
    & { a: number[]; b: number[]; da: DType; db: DType; shape: number[]; dtype: DType }
    & Record<
      keyof typeof OPERATIONS,
      string
    >
  )[];
}
const reference = await fixture<Reductions>("numpy_reductions");

Deno.test("arithmetic, broadcasting and type promotion equal NumPy's bit for bit", () => {
  for (const { a, b, da, db, shape, dtype, ...expected } of reference.broadcast) {
    const [x, y] = [baseTensor(a, da, 1000), baseTensor(b, db, 2000)];
    for (const [name, operation] of Object.entries(OPERATIONS)) {
      const result = operation(x, y);
      assertEquals([result.shape, result.dtype], [shape, dtype], name);
      assertEquals(Array.from(result.data), numbers(expected[name as keyof typeof OPERATIONS]), name);
    }
  }
  assert(reference.broadcast.length >= 21);
});

Deno.test("a number stands for a tensor of that number, and takes the other's type", () => {
  const x = tensor([1, 2], "float32");
  assertEquals(add(x, 0.1), tensor([1.1, 2.1].map((_, i) => i + 1 + Math.fround(0.1)), "float32"));
  assertEquals(subtract(1, tensor([1, 2])).toArray(), [0, -1]);
  assertEquals(multiply(2, 3), tensor(6));
  assertEquals(divide(tensor([1, -1, 0]), 0).toArray(), [Infinity, -Infinity, NaN]);
});

Deno.test("shapes that do not broadcast are refused, with both shapes in the message", () => {
  for (const [name, operation] of Object.entries(OPERATIONS)) {
    const message = `${name}: shapes [2, 3] and [2] do not broadcast together`;
    assertThrows(() => operation(zeros([2, 3]), zeros([2])), TypeError, message);
    const wrong = [1] as unknown as Tensor;
    assertThrows(
      () => operation(wrong, 1),
      TypeError,
      `${name}: operands must be tensors or numbers, got an`,
    );
  }
});

Deno.test("out receives the result, and may be an input", () => {
  for (const operation of Object.values(OPERATIONS)) {
    const [a, b, out] = [normals([3, 4], 1), normals([3, 4], 2), zeros([3, 4])];
    const expected = operation(a, b).toArray();
    assertStrictEquals(operation(a, b, { out }), out);
    assertEquals(out.toArray(), expected);
    assertEquals(operation(a.clone(), b, { out: a }).toArray(), expected);
    assertEquals(operation(normals([3, 4], 1), b, { out: b }).toArray(), expected);
    const x = normals([3, 4], 1);
    assertEquals(
      operation(x, x, { out: x }).toArray(),
      operation(normals([3, 4], 1), normals([3, 4], 1)).toArray(),
    );
  }
});

Deno.test("out must have the result's shape and type", () => {
  const x = zeros([2, 3], "float32");
  const message = "add: out must be float32 of shape [2, 3], got";
  assertThrows(() => add(x, x, { out: zeros([6], "float32") }), TypeError, `${message} float32 of shape [6]`);
  assertThrows(() => add(x, x, { out: zeros([2, 3]) }), TypeError, `${message} float64 of shape [2, 3]`);
});

Deno.test("out that overlaps with a part of an input is refused", () => {
  const data = new Float64Array(5);
  const [head, tail] = [new Tensor(data.subarray(0, 4)), new Tensor(data.subarray(1, 5))];
  assertThrows(() => add(head, 1, { out: tail }), TypeError, "add: out overlaps with a part of an input");
  assertThrows(() => add(1, tail, { out: head }), TypeError, "add: out overlaps with a part of an input");
  // The same first byte, but elements of another width: written before they are read.
  const narrow = new Tensor(new Float32Array(data.buffer, 0, 4));
  assertThrows(() => add(narrow, zeros([4]), { out: head }), TypeError, "overlaps");
  // Neighbours that share a buffer but no byte are fine.
  const [left, right] = [new Tensor(data.subarray(0, 2)), new Tensor(data.subarray(2, 4))];
  assertEquals(add(left, 1, { out: right }).toArray(), [1, 1]);
});

Deno.test("no operation changes its inputs", () => {
  const [a, b] = [normals([3, 3], 1), normals([3, 3], 2)];
  const before = [bytesOf(a), bytesOf(b)];
  Object.values(OPERATIONS).forEach((operation) => operation(a, b));
  [matmul(a, b), transpose(a), sum(a), sum(a, { axis: 0 }), mean(a), variance(a), variance(a, { axis: 1 })];
  assertEquals([bytesOf(a), bytesOf(b)], before);
});

// Matrix product

/** The definition, with the sum in float64 from the first product to the last. */
function naiveProduct(a: Tensor, b: Tensor, dtype: DType): Tensor {
  const [n, k, m] = [a.shape[0], a.shape[1], b.shape[1]];
  const c = zeros([n, m], dtype);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      const round = dtype === "float32" ? Math.fround : Number;
      let total = 0;
      for (let l = 0; l < k; l++) total = round(total + round(a.at(i, l) * b.at(l, j)));
      c.data[i * m + j] = total;
    }
  }
  return c;
}

Deno.test("matmul equals the triple loop bit for bit, for every length of the inner axis", () => {
  for (
    const [n, k, m] of [
      [1, 1, 1],
      [2, 0, 3],
      [0, 2, 3],
      [2, 3, 0],
      [3, 1, 2],
      [4, 3, 5],
      [2, 4, 1],
      [3, 5, 4],
      [7, 8, 9],
      [5, 13, 2],
      [1, 100, 1],
      [13, 300, 18],
      [100, 7, 530], // beyond each block of the kernel, with a rest
    ]
  ) {
    for (
      const [da, db] of [["float64", "float64"], ["float32", "float32"], ["float32", "float64"]] as DType[][]
    ) {
      const [a, b] = [normals([n, k], 1, da), normals([k, m], 2, db)];
      const dtype = da === "float32" && db === "float32" ? "float32" : "float64";
      const [expected, name] = [naiveProduct(a, b, dtype), `[${n}, ${k}] · [${k}, ${m}] ${da} ${db}`];
      assertEquals(matmul(a, b), expected, name);
      assertEquals(withoutSimd(() => matmul(a, b)), expected, `${name}, readable`);
      for (const [transposeA, transposeB] of [[true, false], [false, true], [true, true]]) {
        const [left, right] = [transposeA ? transpose(a) : a, transposeB ? transpose(b) : b];
        const product = () => matmul(left, right, { transposeA, transposeB });
        assertEquals(product(), expected, `${name}, transposed ${transposeA} ${transposeB}`);
        assertEquals(withoutSimd(product), expected);
      }
    }
  }
});

Deno.test("the identity is neutral, and (AB)ᵀ = BᵀAᵀ", () => {
  const [a, b] = [normals([4, 5], 1), normals([5, 3], 2)];
  const identity = tensor([0, 1, 2, 3, 4].map((i) => [0, 1, 2, 3, 4].map((j) => Number(i === j))));
  assertEquals(matmul(a, identity), a);
  assertEquals(transpose(matmul(a, b)), matmul(transpose(b), transpose(a)));
});

Deno.test("matmul refuses other shapes, and out that shares memory with an input", () => {
  const a = zeros([2, 3]);
  assertThrows(() => matmul(a, a), TypeError, "matmul needs shapes [n, k] and [k, m], got [2, 3] and [2, 3]");
  assertThrows(() => matmul(zeros([3]), a), TypeError, "got [3] and [2, 3]");
  assertThrows(
    () => matmul(a, a, { transposeA: true, transposeB: true }),
    TypeError,
    "shapes [k, n] and [m, k], got",
  );
  assertEquals(matmul(a, a, { transposeB: true }).shape, [2, 2]);
  const square = ones([2, 2]);
  assertThrows(() => matmul(square, ones([2, 2]), { out: square }), TypeError, "out shares memory");
  assertThrows(
    () => matmul(ones([2, 2]), square, { out: square.reshape([2, 2]) }),
    TypeError,
    "shares memory",
  );
  assertThrows(
    () => matmul(square, square, { out: zeros([4]) }),
    TypeError,
    "out must be float64 of shape [2, 2]",
  );
  const out = full([2, 2], NaN);
  assertStrictEquals(matmul(square, square, { out }), out);
  assertEquals(out.toArray(), [[2, 2], [2, 2]]);
});

Deno.test("transpose swaps rows and columns, and its own inverse", () => {
  assertEquals(transpose(tensor([[1, 2, 3], [4, 5, 6]])).toArray(), [[1, 4], [2, 5], [3, 6]]);
  const x = normals([4, 7], 1, "float32");
  assertEquals(transpose(transpose(x)), x);
  assertThrows(() => transpose(zeros([3])), TypeError, "transpose needs two axes, got shape [3]");
});

// Reductions

Deno.test("sum, mean, variance and standard deviation equal NumPy's bit for bit, in both types", () => {
  for (const dtype of DTYPES) {
    const expected = reference.flat[dtype];
    const head = (n: number) => baseTensor([n], dtype);
    const lengths = Array.from({ length: 300 }, (_, i) => i + 1);
    assertEquals(lengths.map((n) => sum(head(n))), numbers(expected.sumUpTo300));
    const sizes = numbers(expected.sizes);
    assertEquals(sizes.map((n) => sum(head(n))), numbers(expected.sum));
    assertEquals(sizes.map((n) => mean(head(n))), numbers(expected.mean));
    assertEquals(sizes.map((n) => variance(head(n))), numbers(expected.variance));
    assertEquals(sizes.map((n) => standardDeviation(head(n))), numbers(expected.std));
    const corrected = sizes.filter((n) => n > 1).map((n) =>
      variance(head(n), { axis: 0, correction: 1 }).at()
    );
    assertEquals(corrected, numbers(expected.variance1));
  }
});

Deno.test("the fixture tells NumPy's order of summation from plain addition, left to right", () => {
  const expected = numbers(reference.flat.float64.sumUpTo300);
  const plain = expected.map((_, i) => Array.from(base(0, i + 1, "float64")).reduce((a, b) => a + b, 0));
  assertEquals(plain.slice(0, 7), expected.slice(0, 7), "below 8 elements both are the same");
  assertNotEquals(plain, expected);
});

Deno.test("reductions along each axis equal NumPy's bit for bit, in both types", async () => {
  for (const [name, digest] of Object.entries(reference.axis)) {
    const [dtype, shape, axis] = name.split(" ");
    const x = baseTensor(shape.split(",").map(Number), dtype as DType);
    const digestOf = (axis: number) =>
      sha256(
        Float64Array.from([sum, mean, variance].flatMap((reduce) => Array.from(reduce(x, { axis }).data))),
      );
    assertEquals((await digestOf(Number(axis))).slice(0, 16), digest, name);
    assertEquals(
      (await digestOf(Number(axis) - x.ndim)).slice(0, 16),
      digest,
      `${name}, counted from the end`,
    );
  }
  assert(Object.keys(reference.axis).length >= 80);
});

Deno.test("a reduction along an axis removes it and keeps the type", () => {
  const x = tensor([[[1, 2], [3, 4]], [[5, 6], [7, 8]]], "float32");
  assertEquals(sum(x, { axis: 0 }), tensor([[6, 8], [10, 12]], "float32"));
  assertEquals(sum(x, { axis: 1 }), tensor([[4, 6], [12, 14]], "float32"));
  assertEquals(mean(x, { axis: -1 }), tensor([[1.5, 3.5], [5.5, 7.5]], "float32"));
  assertEquals(variance(x, { axis: 0 }), tensor([[4, 4], [4, 4]], "float32"));
});

Deno.test("the correction divides by n − 1 instead of n", () => {
  const x = tensor([1, 2, 3, 4]);
  assertEquals(variance(x), 1.25);
  assertEquals(variance(x, { correction: 1 }), 5 / 3);
  assertEquals(standardDeviation(x, { correction: 1 }), Math.sqrt(5 / 3));
});

Deno.test("variance does not lose its digits beside a large mean", () => {
  // Every sum of at most eight such numbers is an integer below 2⁵³, so that the result is exact.
  assertEquals(variance(tensor([1, 2, 3, 4].map((x) => x + 2 ** 40))), 1.25);
});

Deno.test("too few elements, or an axis that does not exist, are refused", () => {
  assertEquals(sum(tensor([])), 0);
  assertEquals(sum(zeros([0, 2]), { axis: 0 }).toArray(), [0, 0]);
  assertThrows(() => mean(tensor([])), RangeError, "mean needs more than 0 elements, got 0 (shape [0])");
  assertThrows(() => mean(zeros([2, 0]), { axis: 1 }), RangeError, "mean needs more than 0 elements, got 0");
  assertThrows(
    () => variance(tensor([1]), { axis: 0, correction: 1 }),
    RangeError,
    "more than 1 elements, got 1",
  );
  for (const axis of [2, -3, 0.5, NaN]) {
    const message = `The axis must be an integer in [-2, 2) for shape [2, 3], got ${axis}`;
    assertThrows(() => sum(zeros([2, 3]), { axis }), RangeError, message);
    assertThrows(() => variance(zeros([2, 3]), { axis }), RangeError, message);
  }
});

Deno.test("a sum is as close to the truth as pairwise summation promises", () => {
  // |error| ≤ ε/2 · depth · Σ|x|: at most 16 additions in a row (128/8), 3 to join, 7 to tail, 6 halvings in a chunk.
  const depth = 16 + 3 + 7 + 6;
  for (const dtype of DTYPES) {
    const x = normals([8000], 5, dtype);
    let [exact, size] = [0n, 0];
    for (const value of x.data) { // multiples of 2⁻⁸⁰, unless below 2⁻²⁷: BigInt would refuse those
      exact += BigInt(value * 2 ** 80);
      size += Math.abs(value);
    }
    const truth = Number(exact) / 2 ** 80;
    assert(Math.abs(sum(x) - truth) <= (EPSILON[dtype] / 2) * depth * size * 1.01, dtype);
  }
});

// Kernels

Deno.test("sums and variances are the readable form's to the bit, at any length, also of subarrays", () => {
  for (const dtype of DTYPES) {
    const long = normals([20_001], 7, dtype);
    for (const length of [255, 256, 257, 1000, 8191, 8192, 8193, 20_000]) {
      const x = new Tensor(long.data.subarray(1, 1 + length));
      for (const reduce of [sum, mean, variance, (x: Tensor) => variance(x, { correction: 1 })]) {
        assertStrictEquals(reduce(x), withoutSimd(() => reduce(x)), `${dtype} ${length}`);
      }
      for (const odd of [NaN, Infinity, -Infinity, -0]) {
        const odded = x.map((value, i) => i === length - 2 ? odd : value);
        assertStrictEquals(sum(odded), withoutSimd(() => sum(odded)));
      }
    }
  }
});

Deno.test("planted: adding from left to right is seen in the bits of a sum", () => {
  const x = normals([5000], 1);
  assertNotEquals(sum(x), Array.from(x.data).reduce((total, value) => total + value, 0));
});

Deno.test("a tensor of 4 million elements prints as soon as a small one", () => {
  const [large, small] = [zeros([2000, 2000]), zeros([20, 20])];
  const seconds = (x: Tensor) => {
    const start = performance.now();
    for (let i = 0; i < 20; i++) x.toString();
    return performance.now() - start;
  };
  seconds(small);
  const rounds = Array.from({ length: 5 }, () => seconds(large) / seconds(small)).sort((a, b) => a - b);
  assert(rounds[2] < 20, `${rounds}`); // as many numbers are printed; every element used to be read, 10,000 times as many
});

Deno.test("take picks rows in the order asked for, of any shape and type", () => {
  const x = normals([5, 2, 3], 1, "float32");
  const picked = take(x, [4, 0, 4]);
  assertEquals([picked.shape, picked.dtype], [[3, 2, 3], "float32"]);
  [4, 0, 4].forEach((row, i) =>
    assertEquals(picked.data.slice(6 * i, 6 * i + 6), x.data.slice(6 * row, 6 * row + 6))
  );
  assertEquals(take(tensor([1, 2, 3]), Int32Array.of(2)).toArray(), [3]);
  assertEquals(take(x, []).shape, [0, 2, 3]);
  for (const row of [-1, 5, 0.5, NaN]) assertThrows(() => take(x, [row]), RangeError, `[0, 5), got ${row}`);
  assertThrows(() => take(tensor(1), [0]), TypeError, "got shape []");
});

Deno.test("argmax is the place of the largest in each row: the first of equals, and NaN, as in NumPy", () => {
  assertEquals(Array.from(argmax(tensor([[1, 3, 3], [5, 2, 1], [NaN, 9, NaN], [-1, -1, -0.5]]))), [
    1,
    0,
    0,
    2,
  ]);
  assertEquals(Array.from(argmax(tensor([2, 7, 1]))), [1]);
  assertEquals(argmax(zeros([2, 3, 4])).length, 6);
  assertThrows(
    () => argmax(zeros([2, 0])),
    RangeError,
    "needs elements along the last axis, got shape [2, 0]",
  );
  assertThrows(() => argmax(tensor(1)), TypeError, "got shape []");
});
