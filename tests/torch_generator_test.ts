/** PyTorch's CPU stream: its numbers, its masks, and what holds for every seed. */

import { assert, assertEquals, assertLess, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { invertedDropout } from "../lib/dropout/mod.ts";
import { drawMask } from "../lib/mask.ts";
import { TorchGenerator, type TorchGeneratorState } from "../lib/random/torch_generator.ts";
import { mean, ones, tensor } from "../lib/tensor/mod.ts";
import { fixture, numbers, probabilities } from "./helpers.ts";

type Types = Record<"float32" | "float64", string>;
interface Reference {
  seed: number;
  rand20: Types;
  randn: Record<"float32" | "float64", Record<string, string>>;
  randn7ThenRandn5: string;
  mixed: string[];
  bernoulliScalar: Record<string, string>;
  bernoulliTensor: Record<string, string>;
  dropout64: Record<string, Types>;
  dropout1d: Record<string, string>;
  dropout2d: Record<string, string>;
  linear: { weight: string; bias: string };
}
const torch = await fixture<Reference>("torch_random");

const list = (values: Iterable<number>) => Array.from(values);
const seeded = () => new TorchGenerator(torch.seed);
const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });

// PyTorch's numbers

Deno.test("rand equals PyTorch's in both types", () => {
  const [single, double] = [seeded().rand(20), seeded().rand(20, { dtype: "float64" })];
  assert(single instanceof Float32Array && double instanceof Float64Array);
  assertEquals(list(single), numbers(torch.rand20.float32));
  assertEquals(list(double), numbers(torch.rand20.float64));
});

Deno.test("randn equals PyTorch's: always in float64, and for fewer than 16 numbers in float32", () => {
  for (const [size, expected] of Object.entries(torch.randn.float64)) {
    assertEquals(list(seeded().randn(Number(size), { dtype: "float64" })), numbers(expected), size);
  }
  for (const size of [10, 15]) {
    assertEquals(list(seeded().randn(size)), numbers(torch.randn.float32[size]));
  }
  const rng = seeded();
  assertEquals([...rng.randn(7), ...rng.randn(5)], numbers(torch.randn7ThenRandn5));
});

Deno.test("16 or more float32 normals differ from PyTorch's by its approximate log, sin and cos at most", () => {
  // The largest radius is √(−2 ln 2⁻²⁴) = 5.77. Its two roundings, those of log and cosine and the approximations'
  // own errors, of about a rounding each, make five roundings of 2⁻²⁴.
  const tolerance = 5.77 * 5 * 2 ** -24;
  for (const size of [16, 20, 32]) {
    const values = seeded().randn(size);
    const expected = numbers(torch.randn.float32[size]);
    expected.forEach((x, i) => assertLess(Math.abs(values[i] - x), tolerance));
    assert(expected.filter((x, i) => x === values[i]).length > size / 2, "most are equal");
  }
});

Deno.test("bernoulli equals PyTorch's for a number and for a tensor of probabilities", () => {
  for (const [p, expected] of Object.entries(torch.bernoulliScalar)) {
    assertEquals(list(seeded().bernoulli(Number(p), 40)), numbers(expected), p);
  }
  for (const [p, expected] of Object.entries(torch.bernoulliTensor)) {
    assertEquals(list(seeded().bernoulli(new Float32Array(40).fill(Number(p)))), numbers(expected), p);
  }
});

Deno.test("draws of all kinds mix as in PyTorch", () => {
  const rng = seeded();
  const [uniform, normal, coins, others] = torch.mixed.map(numbers);
  assertEquals(list(rng.rand(3)), uniform);
  assertEquals(list(rng.randn(4)), normal);
  assertEquals(list(rng.bernoulli(0.5, 5)), coins);
  assertEquals(list(rng.randn(3)), others);
});

Deno.test("uniform equals the weight and the bias of nn.Linear(4, 3)", () => {
  const rng = seeded();
  assertEquals(list(rng.uniform(12, -0.5, 0.5)), numbers(torch.linear.weight));
  assertEquals(list(rng.uniform(3, -0.5, 0.5)), numbers(torch.linear.bias));
});

// Masks

Deno.test("inverted dropout of ones with this stream is PyTorch's F.dropout, in both types", () => {
  for (const [p, expected] of Object.entries(torch.dropout64)) {
    for (const dtype of ["float32", "float64"] as const) {
      const { output } = invertedDropout(ones([64], dtype), Number(p), { rng: seeded() });
      assertEquals(list(output.data), numbers(expected[dtype]), `${dtype}, p = ${p}`);
    }
  }
});

Deno.test("dropout of whole channels draws one bit per sample and channel", () => {
  for (const [name, block] of [["dropout1d", 3], ["dropout2d", 4]] as const) {
    for (const [p, expected] of Object.entries(torch[name])) {
      const mask = drawMask([2, 4], Number(p), { rng: seeded() });
      const kept = numbers(expected).map((value) => Number(value !== 0));
      assertEquals(kept.map((_, i) => mask.get(Math.floor(i / block))), kept, `${name}, p = ${p}`);
    }
  }
});

Deno.test("bernoulliBits equals bernoulli draw for draw, and its unused bits are 0", () => {
  fc.assert(fc.property(probabilities(), fc.nat(50), seeds, (q, n, seed) => {
    const [packed, plain] = [new TorchGenerator(seed), new TorchGenerator(seed)];
    const out = new Uint8Array(Math.ceil(n / 8)).fill(0xff);
    assert(packed.bernoulliBits(q, n, out) === out);
    const draws = list(plain.bernoulli(q, n));
    assertEquals(draws.map((_, i) => (out[i >> 3] >> (i & 7)) & 1), draws);
    assertEquals(n % 8 === 0 ? 0 : out[out.length - 1] >> n % 8, 0);
    assertEquals(out, new TorchGenerator(seed).bernoulliBits(q, n));
  }));
});

Deno.test("a mask takes two words per element, and one that drops everything takes none", () => {
  for (const [q, words] of [[0, 0], [0.3, 22], [1, 22]]) {
    const [stream, other] = [seeded(), seeded()];
    stream.bernoulliBits(q, 11);
    other.rand(words);
    assertEquals(stream.getState(), other.getState(), `q = ${q}`);
  }
});

// Laws

Deno.test("a probability in float64 is compared with 53 bits, one in float32 with 24", () => {
  fc.assert(fc.property(probabilities(), seeds, (p, seed) => {
    const make = () => new TorchGenerator(seed);
    const [single, double] = [new Float32Array(20).fill(p), new Float64Array(20).fill(p)];
    assertEquals(make().bernoulli(double), make().bernoulli(p, 20));
    assertEquals(
      list(make().bernoulli(single)),
      list(make().rand(20)).map((u) => Number(u < Math.fround(p))),
    );
  }));
});

Deno.test("uniform numbers stay within their bounds", () => {
  const bound = fc.integer({ min: -1000, max: 1000 }).map((i) => i / 64); // float32 has these exactly
  fc.assert(fc.property(bound, bound, seeds, (a, b, seed) => {
    const [from, to] = [Math.min(a, b), Math.max(a, b)];
    assert(new TorchGenerator(seed).uniform(50, from, to).every((x) => x >= from && x <= to));
  }));
});

Deno.test("a number that waits outlives other draws, and blocks do not use it", () => {
  const pair = list(seeded().randn(2, { dtype: "float64" }));
  const rng = seeded();
  assertEquals(list(rng.randn(1, { dtype: "float64" })), pair.slice(0, 1));
  rng.rand(3);
  rng.randn(32);
  rng.bernoulliBits(0.5, 9);
  assertEquals(list(rng.randn(1, { dtype: "float64" })), pair.slice(1));
  const halves = seeded();
  assertNotEquals([...halves.randn(8), ...halves.randn(8)], list(seeded().randn(16)));
});

Deno.test("an incomplete block draws the last 16 again, and all before them stay", () => {
  fc.assert(fc.property(fc.integer({ min: 17, max: 70 }), seeds, (size, seed) => {
    const make = () => new TorchGenerator(seed);
    const values = make().randn(size, { dtype: "float64" });
    const whole = make();
    const blocks = whole.randn(size - (size % 16), { dtype: "float64" });
    assertEquals(values.slice(0, size - 16), blocks.slice(0, size - 16));
    if (size % 16 === 0) return assertEquals(values, blocks);
    whole.rand(size % 16, { dtype: "float64" });
    assertEquals(values.slice(-16), whole.randn(16, { dtype: "float64" }));
  }));
});

Deno.test("a stream goes on from its state, through JSON, wherever it was saved", () => {
  const draws = [
    (rng: TorchGenerator) => list(rng.randn(1)),
    (rng: TorchGenerator) => list(rng.randn(17)),
    (rng: TorchGenerator) => list(rng.rand(3)),
    (rng: TorchGenerator) => list(rng.bernoulliBits(0.3, 10)),
  ];
  const steps = fc.array(fc.nat(draws.length - 1), { maxLength: 12 });
  fc.assert(fc.property(seeds, fc.nat(700), steps, steps, (seed, skip, before, after) => {
    const rng = new TorchGenerator(seed);
    rng.rand(skip); // past one block of 624 words or not
    before.forEach((i) => draws[i](rng));
    const copy = new TorchGenerator(0);
    copy.randn(1); // a waiting number that must go
    copy.setState(JSON.parse(JSON.stringify(rng.getState())));
    assertEquals(after.map((i) => draws[i](copy)), after.map((i) => draws[i](rng)));
  }));
});

// Refusals

Deno.test("a seed that is not a number of 32 bits is refused", () => {
  const message = "The seed of a TorchGenerator must be an integer in [0, 4294967295], got";
  for (const seed of [-1, 0.5, NaN, 2 ** 32, Infinity]) {
    assertThrows(() => new TorchGenerator(seed), RangeError, `${message} ${seed}`);
  }
  for (const [seed, came] of [["42", '"42"'], [42n, "42n"], [undefined, "undefined"]]) {
    assertThrows(() => new TorchGenerator(seed as unknown as number), TypeError, `${message} ${came}`);
  }
});

Deno.test("bad arguments are refused, and nothing is drawn", () => {
  const rng = seeded();
  const before = rng.getState();
  const probability = "The probability of a one must be in [0, 1], got";
  for (const p of [-0.1, 1.1, NaN]) {
    const message = `${probability} ${p}`;
    assertThrows(() => rng.bernoulliBits(p, 8), RangeError, message);
    assertThrows(() => rng.bernoulli(p, 8), RangeError, message);
    assertThrows(() => rng.bernoulli(Float64Array.of(0.5, p)), RangeError, message);
  }
  const text = "0.5" as unknown as number;
  assertThrows(() => rng.bernoulliBits(text, 8), TypeError, `${probability} "0.5"`);
  assertThrows(() => rng.bernoulli(text, 8), TypeError, `${probability} "0.5"`);
  for (const size of [-1, 2.5, NaN]) {
    const message = `size must be a non-negative integer, got ${size}`;
    assertThrows(() => rng.rand(size), RangeError, `rand: ${message}`);
    assertThrows(() => rng.randn(size, { dtype: "float64" }), RangeError, `randn: ${message}`);
    assertThrows(() => rng.uniform(size, 0, 1), RangeError, message);
    assertThrows(() => rng.bernoulli(0.5, size), RangeError, message);
  }
  for (const [from, to] of [[1, 0], [NaN, 1], [0, Infinity], [-3e38, 3e38]]) {
    const message =
      `uniform needs bounds with from ≤ to whose difference float32 can hold, got ${from} and ${to}`;
    assertThrows(() => rng.uniform(3, from, to), RangeError, message);
  }
  const message = 'The dtype must be "float32" or "float64", got "int32"';
  assertThrows(() => rng.rand(3, { dtype: "int32" as "float32" }), TypeError, message);
  assertEquals(rng.getState(), before);
});

Deno.test("a state that is not one is refused, and nothing is changed", () => {
  const rng = seeded();
  rng.randn(1);
  const good = rng.getState();
  assert(typeof good.nextNormal === "number");
  const { nextNormal: _, ...incomplete } = good;
  const bad = [{ ...good, nextNormal: "0.5" }, { ...good, nextNormal: NaN }, incomplete, {
    ...good,
    pos: 625,
  }, {}];
  for (const state of bad) {
    assertThrows(() => rng.setState(state as TorchGeneratorState), TypeError, "Not a saved ");
    assertEquals(rng.getState(), good);
  }
});

// Statistics. A normal z-score beyond 5 has probability 6·10⁻⁷. With fixed seeds it happens never or always.

const K = 5;

/** Mean of `values` in standard errors from `expected`, if each has variance `spread`. */
function zOfMean(values: Iterable<number>, expected: number, spread: number): number {
  const x = tensor(list(values));
  return (mean(x) - expected) / Math.sqrt(spread / x.size);
}

Deno.test("the fraction of ones lies within 5 standard errors of the probability", () => {
  for (const seed of [1, 2, 3]) {
    const rng = new TorchGenerator(seed);
    for (const q of [0.1, 0.5, 0.8]) {
      const spread = q * (1 - q);
      assertLess(Math.abs(zOfMean(rng.bernoulli(q, 50000), q, spread)), K);
      assertLess(Math.abs(zOfMean(rng.bernoulli(new Float32Array(50000).fill(q)), q, spread)), K);
    }
    // A fault of 2 % in the probability shifts the mean by 0.02 / √(¼/50000) = 9 standard errors.
    assert(Math.abs(zOfMean(rng.bernoulli(0.52, 50000), 0.5, 0.25)) > K);
  }
});

Deno.test("normal numbers have mean 0, variance 1, no skew and kurtosis 3, one by one and in blocks", () => {
  // Moments of a standard normal number: E x² = 1, x⁴: 3, x⁶: 15, x⁸: 105; hence these variances.
  const laws = [[1, 0, 1], [2, 1, 2], [3, 0, 15], [4, 3, 96]];
  for (const seed of [1, 2, 3]) {
    const rng = new TorchGenerator(seed);
    const ways = [
      rng.randn(50000),
      rng.randn(50000, { dtype: "float64" }),
      Float32Array.from({ length: 50000 }, () => rng.randn(1)[0]),
    ];
    for (const values of ways) {
      for (const [power, expected, spread] of laws) {
        assertLess(Math.abs(zOfMean(values.map((x) => x ** power), expected, spread)), K, `E x^${power}`);
      }
      // The fault: values 5 % too wide. E x² moves by 0.1025 / √(2/50000) = 16 standard errors.
      assert(Math.abs(zOfMean(values.map((x) => (1.05 * x) ** 2), 1, 2)) > K);
    }
  }
});
