/** The streams beside another implementation of NumPy's, and permutations beside NumPy and PyTorch themselves. */

import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { random as other } from "numpy-ts";
import { defaultRng, FastStream, KeyedStream, RandomState, TorchGenerator } from "../lib/mod.ts";
import { fixture } from "./helpers.ts";

const SEEDS = [0, 1, 7, 42, 123, 2 ** 31, 987_654_321];
/** From 256 numbers on, and from 4096 normal ones, other code draws them. */
const SIZES = [1, 7, 300, 10_000];

/** The numbers of one of the other implementation's arrays. */
function numbersOf(array: unknown): number[] {
  return Array.from((array as { data: Float64Array }).data);
}

/** How many of the smallest possible steps lie between two numbers. */
function ulps(a: number, b: number): number {
  const place = (x: number) => {
    const bits = new BigInt64Array(Float64Array.of(x).buffer)[0];
    return bits < 0n ? -(bits & 0x7fffffffffffffffn) : bits;
  };
  return Math.abs(Number(place(a) - place(b)));
}

Deno.test("another implementation of NumPy's streams draws the same uniform numbers, bit for bit", () => {
  for (const seed of SEEDS) {
    for (const size of SIZES) {
      assertEquals(
        Array.from(defaultRng(seed).random(size)),
        numbersOf(other.default_rng(seed).random([size])),
      );
      other.seed(seed);
      assertEquals(Array.from(new RandomState(seed).random(size)), numbersOf(other.random([size])));
    }
    // A stream one draw on is caught.
    const late = defaultRng(seed);
    late.random();
    assertNotEquals(Array.from(late.random(7)), numbersOf(other.default_rng(seed).random([7])));
  }
});

Deno.test("and the same normal numbers, but for how libraries round a logarithm: 3 ulp at most", () => {
  let [differing, all] = [0, 0];
  for (const seed of SEEDS) {
    for (const size of SIZES) {
      other.seed(seed);
      const pairs = [
        [new RandomState(seed).randn(size), numbersOf(other.randn(size))],
        [defaultRng(seed).standardNormal(size), numbersOf(other.default_rng(seed).standard_normal([size]))],
      ] as const;
      for (const [ours, theirs] of pairs) {
        ours.forEach((value, i) => {
          const distance = ulps(value, theirs[i]);
          assert(distance <= 3, `seed ${seed}, number ${i} of ${size}: ${value} and ${theirs[i]}`);
          differing += Number(distance > 0);
        });
        all += size;
      }
    }
  }
  assert(differing < all / 500, `${differing} of ${all} differ`); // measured: 1 in 2800 of randn
});

interface NumpyCase {
  seed: number;
  n: number;
  generator: string;
  next: string;
  legacy: string;
  legacyNext: string;
  float32: string;
}
const numpy = await fixture<{ cases: NumpyCase[] }>("numpy_permutations");
const torch = await fixture<{ cases: { seed: number; n: number; order: string; next: number }[] }>(
  "torch_permutations",
);

Deno.test("permutations are NumPy's and PyTorch's, and leave the streams where theirs are", () => {
  for (const { seed, n, generator, next, legacy, legacyNext } of numpy.cases) {
    const [rng, state] = [defaultRng(seed), new RandomState(seed)];
    assertEquals(rng.permutation(n).join(" "), generator);
    assertEquals(rng.random(), Number(next));
    assertEquals(state.permutation(n).join(" "), legacy);
    assertEquals(state.random(), Number(legacyNext));
  }
  for (const { seed, n, order, next } of torch.cases) {
    const rng = new TorchGenerator(seed);
    assertEquals(rng.randperm(n).join(" "), order);
    assertEquals(rng.rand(1)[0], next);
  }
});

Deno.test("a permutation of any stream holds each number once, and all orders are equally likely", () => {
  const streams = [defaultRng(1), new RandomState(1), new FastStream(1)];
  for (const rng of streams) {
    assertEquals(
      Array.from(rng.permutation(100)).sort((a, b) => a - b),
      Array.from({ length: 100 }, (_, i) => i),
    );
    // 6000 permutations of 3: each of 6 orders 1000 ± 28.9 times; 5 of those (false alarm: 4·10⁻⁶).
    const counts = Map.groupBy(
      Array.from({ length: 6000 }, () => rng.permutation(3).join()),
      (order) => order,
    );
    assertEquals(counts.size, 6);
    counts.forEach((same) => assert(Math.abs(same.length - 1000) < 5 * 28.9));
    for (const n of [-1, 1.5, NaN, 2 ** 31]) assertThrows(() => rng.permutation(n), RangeError, `got ${n}`);
  }
  assertThrows(
    () => new TorchGenerator(1).randperm(2 ** 32),
    RangeError,
    "must be an integer in [0, 214748363]",
  );
});

Deno.test("float32 numbers of a Generator are those of NumPy's random(dtype=np.float32)", () => {
  for (const { seed, n, float32 } of numpy.cases) {
    const out = new Float32Array(Math.min(n, 40));
    defaultRng(seed).fillUniform(out);
    assertEquals(Array.from(out), float32 === "" ? [] : float32.split(" ").map(Number));
  }
});

Deno.test("every stream fills arrays with uniform numbers in [0, 1), evenly, and goes on where it was", () => {
  const make = [
    (seed: number) => defaultRng(seed),
    (seed: number) => new RandomState(seed),
    (seed: number) => new TorchGenerator(seed),
    (seed: number) => new FastStream(seed),
    (seed: number) => new KeyedStream({ seed, layer: 1, step: 2, offset: 3 }),
  ];
  for (const stream of make) {
    for (const seed of SEEDS.slice(0, 5)) {
      for (const FloatArray of [Float32Array, Float64Array]) {
        const [out, again] = [new FloatArray(8000), new FloatArray(8000)];
        const rng = stream(seed);
        const start = JSON.stringify(rng.getState());
        rng.fillUniform(out);
        assert(out.every((u) => u >= 0 && u < 1));
        // Eight bins of 1000 ± 29.6 numbers; 5 of those.
        const bins = new Array(8).fill(0);
        out.forEach((u) => bins[Math.floor(8 * u)]++);
        bins.forEach((count) => assert(Math.abs(count - 1000) < 5 * 29.6, `${rng.constructor.name} ${bins}`));
        rng.setState(JSON.parse(start));
        rng.fillUniform(again);
        assertEquals(again, out, rng.constructor.name);
      }
    }
  }
});

Deno.test("the fast stream's normal numbers are normal, and do not depend on the room that they fill", () => {
  for (const seed of SEEDS) {
    const n = 40_000;
    const x = new FastStream(seed).standardNormal(n);
    const moment = (k: number) => x.reduce((total, value) => total + value ** k, 0) / n;
    // Var[x] = 1, Var[x²] = 2, Var[x⁴] = 96; 5 standard errors.
    assert(Math.abs(moment(1)) < 5 / Math.sqrt(n));
    assert(Math.abs(moment(2) - 1) < 5 * Math.sqrt(2 / n));
    assert(Math.abs(moment(4) - 3) < 5 * Math.sqrt(96 / n));
    const single = new Float32Array(n);
    new FastStream(seed).fillNormal(single);
    assertEquals(single, Float32Array.from(x));
    assertEquals(new FastStream(seed).standardNormal(), x[0]);
    assertEquals(new FastStream(seed).random(), new FastStream(seed).random(5)[0]);
  }
});
