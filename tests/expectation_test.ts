import { assert, assertAlmostEquals, assertEquals, assertLess, assertThrows } from "@std/assert";
import { applyMask, invertedDropout, survivorScale } from "../lib/dropout/mod.ts";
import { enumerateMasks, exactExpectation, monteCarlo } from "../lib/expectation.ts";
import type { Mask } from "../lib/mask.ts";
import { defaultRng } from "../lib/random/mod.ts";
import { mean, multiply, sum, Tensor, tensor, variance, zeros } from "../lib/tensor/mod.ts";
import { normals } from "./helpers.ts";

const PROBABILITIES = [0, 0.1, 0.25, 1 / 3, 0.5, 0.8, 0.99, 1];

/** Two numbers that differ by `count` roundings at most. */
function assertRounded(actual: number, expected: number, size: number, count: number): void {
  assert(Math.abs(actual - expected) <= count * 2 ** -53 * size, `${actual} ≈ ${expected}`);
}

// Enumeration

Deno.test("there are 2ⁿ different masks, and their probabilities add up to 1", () => {
  for (const n of [0, 1, 2, 3, 8, 9, 13]) {
    for (const p of PROBABILITIES) {
      const all = Array.from(enumerateMasks(n, p));
      assertEquals(all.length, 2 ** n);
      assertEquals(new Set(all.map(({ mask }) => mask.bits.join())).size, 2 ** n);
      // Each probability is two powers and a product; 1 − p is rounded and taken to at most the 13th power.
      assertRounded(sum(tensor(all.map(({ probability }) => probability))), 1, 1, 2 * n + 40);
    }
  }
});

Deno.test("a mask's probability is (1−p)^kept · p^dropped", () => {
  for (const { mask, probability } of enumerateMasks(3, 0.25)) {
    assertEquals(mask.shape, [3]);
    assertEquals(probability, 0.75 ** mask.kept * 0.25 ** (3 - mask.kept));
  }
  const certain = Array.from(enumerateMasks(2, 1), ({ probability }) => probability);
  assertEquals(certain, [1, 0, 0, 0]);
});

Deno.test("n outside [0, 20] and what is not a probability are refused", () => {
  const first = (n: number, p: number) => enumerateMasks(n, p).next().value!;
  for (const n of [-1, 21, 1.5, NaN]) {
    assertThrows(
      () => first(n, 0.5),
      RangeError,
      `enumerateMasks: n must be an integer in [0, 20], got ${n}`,
    );
  }
  assertThrows(() => first(2, 1.5), RangeError, "Dropout probability must be in [0, 1], got 1.5");
  assertThrows(() => exactExpectation(() => 0, 21, 0.5), RangeError, "an integer in [0, 20], got 21");
  assertEquals(first(20, 0.5).probability, 2 ** -20);
});

// Exact laws of dropout

const dropWith = (x: Tensor, p: number) => (mask: Mask) => applyMask(x, mask, survivorScale(p));

Deno.test("E[inverted dropout] = x and Var = x²·p/(1−p), for every element", () => {
  for (const n of [1, 2, 5, 10]) {
    const x = normals([n], n);
    for (const p of PROBABILITIES.filter((p) => p < 1)) {
      const result = exactExpectation(dropWith(x, p), n, p);
      assertEquals([result.masks, result.mean.shape], [2 ** n, [n]]);
      x.data.forEach((value, i) => {
        // Scale, powers and products round a few times each; the compensated sum adds a rounding of its own.
        assertRounded(result.mean.data[i], value, Math.abs(value), 2 * n + 20);
        // Every term is at most (x/(1−p))² before its probability; the mean's error enters squared and crosswise.
        const size = value ** 2 / (1 - p);
        assertRounded(result.variance.data[i], (value ** 2 * p) / (1 - p), size, 8 * (2 * n + 20));
      });
    }
  }
});

Deno.test("a scale that is wrong by one part in 10¹² does not pass for the identity", () => {
  const x = tensor([1, 2, 3]);
  const { mean } = exactExpectation((mask) => applyMask(x, mask, 2 * (1 + 1e-12)), 3, 0.5);
  assert(Math.abs(mean.data[0] - 1) > 26 * 2 ** -53);
});

Deno.test("without the scale, the expectation is (1−p)·x: standard dropout", () => {
  const { mean } = exactExpectation((mask) => applyMask(tensor([8, -4]), mask, 1), 2, 0.25);
  assertEquals(mean.toArray(), [6, -3]);
});

Deno.test("dropout does not commute with ReLU: for x = [1, −1], w = [1, 1], p = ½, E = ½, yet ReLU(E) = 0", () => {
  const x = tensor([1, -1]);
  const preactivation = (mask: Mask) => sum(dropWith(x, 0.5)(mask));
  const relu = (v: number) => Math.max(v, 0);
  // The four sums are 0, 2, −2 and 0; only 2 survives, with probability ¼.
  assertEquals(exactExpectation((mask) => relu(preactivation(mask)), 2, 0.5).mean, 0.5);
  assertEquals(relu(exactExpectation(preactivation, 2, 0.5).mean), 0);
});

Deno.test("numbers and tensors give the same expectation", () => {
  const f = (mask: Mask) => mask.kept ** 2;
  const asNumber = exactExpectation(f, 6, 0.3);
  const asTensor = exactExpectation((mask) => tensor([f(mask)]), 6, 0.3);
  assertEquals([asTensor.mean.toArray(), asTensor.variance.toArray()], [[asNumber.mean], [
    asNumber.variance,
  ]]);
  // The number kept is binomial(6, 0.7): E k² = npq + (nq)².
  assertAlmostEquals(asNumber.mean, 6 * 0.3 * 0.7 + (6 * 0.7) ** 2, 1e-13);
});

Deno.test("no element at all has one mask", () => {
  assertEquals(exactExpectation((mask) => mask.size + 5, 0, 0.5), { mean: 5, variance: 0, masks: 1 });
});

Deno.test("what never happens does not count, even if it is infinite", () => {
  const perKept = (mask: Mask) => 1 / mask.kept; // infinite for the empty mask, which p = 0 excludes
  assertEquals(exactExpectation(perKept, 2, 0), { mean: 0.5, variance: 0, masks: 4 });
  assertEquals(exactExpectation(perKept, 2, 0.5).mean, Infinity);
});

Deno.test("sums are compensated: a plain sum loses what is left of large terms", () => {
  // ±2⁵³ cancel, the ones remain: masks 0 … 7 of equal probability.
  const values = [2 ** 53, 1, 1, 1, 1, 1, 1, -(2 ** 53)];
  const { mean } = exactExpectation((mask) => values[mask.bits[0]], 3, 0.5);
  assertEquals(mean, 6 / 8);
  assert(values.reduce((a, b) => a + b / 8, 0) !== 6 / 8, "the fault that the test would catch");
});

Deno.test("all values must have the same shape", () => {
  const message = "All samples must have the same shape";
  const shifting = (i: number) => i === 0 ? zeros([2]) : zeros([1, 2]);
  assertThrows(() => exactExpectation((mask) => shifting(mask.kept), 2, 0.5), TypeError, message);
  assertThrows(() => monteCarlo(shifting, 3), TypeError, message);
  assertThrows(() => monteCarlo((i) => (i === 0 ? 1 : zeros([])) as number, 3), TypeError, message);
});

// Sampling

Deno.test("Monte Carlo's mean and standard error are those of the two-pass formulas", () => {
  const samples = normals([1000], 3).map((v) => 1e6 + v);
  const result = monteCarlo((i) => samples.data[i], 1000);
  assertEquals(result.n, 1000);
  // Welford's updates: three roundings of a number of size 10⁶ for each of 1000 samples.
  assertLess(Math.abs(result.mean - mean(samples)), 3 * 1000 * 2 ** -53 * 1e6);
  const twoPass = Math.sqrt(variance(samples, { correction: 1 }) / 1000);
  // A rounding of 10⁶ is 10⁻¹⁰ of a sample's distance from the mean, which is about 1.
  assertLess(Math.abs(result.standardError / twoPass - 1), 1e-9);
  // The fault: E x² − (E x)² in one pass loses ten digits here.
  const onePass = Math.sqrt((mean(multiply(samples, samples)) - mean(samples) ** 2) / 999);
  assert(!(Math.abs(onePass / twoPass - 1) < 1e-9));
});

Deno.test("Monte Carlo works element by element, in float64, and copies what it is given", () => {
  const reused = new Tensor(new Float32Array(2));
  const result = monteCarlo((i) => {
    reused.data.set([i, 10 * i]);
    return reused;
  }, 3);
  assertEquals(result.mean, tensor([1, 10]));
  assertEquals(result.standardError.dtype, "float64");
  assertAlmostEquals(result.standardError.at(1), 10 / Math.sqrt(3), 1e-14);
});

Deno.test("the sampled mean lies within 5 standard errors of the exact one, and a biased one does not", () => {
  // Σ of 8 elements under dropout; |z| > 5 has probability 6·10⁻⁷, ten seeds: false alarm below 10⁻⁵.
  const x = tensor([1, -2, 3, -4, 5, -6, 7, -8]);
  const p = 0.3;
  const exact = exactExpectation((mask) => sum(dropWith(x, p)(mask)), 8, p);
  const exactError = Math.sqrt(exact.variance / 4000);
  for (let seed = 0; seed < 10; seed++) {
    const rng = defaultRng(seed);
    const sampled = monteCarlo(() => sum(invertedDropout(x, p, { rng }).output), 4000);
    assertLess(Math.abs(sampled.mean - exact.mean) / exactError, 5);
    // The sample variance of n draws has a relative error of √((κ − 1)/n) with κ ≤ 3 here (a sum of independent
    // two-point variables of p = 0.3, each with κ < 3): below 2.3 %, half of that for its root. 5 of them: 6 %.
    assertLess(Math.abs(sampled.standardError / exactError - 1), 0.06);
    // The fault: no scale. The mean is (1 − p) · (−4) instead of −4, 1.2 away; one standard error is about 0.15.
    const biased = monteCarlo(() => sum(invertedDropout(x, p, { rng }).output) * (1 - p), 4000);
    assert(Math.abs(biased.mean - exact.mean) > 5 * exactError);
  }
});

Deno.test("Monte Carlo needs two trials at least", () => {
  for (const trials of [1, 0, -1, 2.5, NaN]) {
    const message =
      `monteCarlo: trials, for a standard error, must be an integer of at least 2, got ${trials}`;
    assertThrows(() => monteCarlo(() => 0, trials), RangeError, message);
  }
  assertEquals(monteCarlo((i) => i, 2), { mean: 0.5, standardError: 0.5, n: 2 });
});

Deno.test("a sample is drawn once for each trial, and told which", () => {
  for (const trials of [2, 3, 10]) {
    const told: number[] = [];
    monteCarlo((trial) => told.push(trial), trials);
    assertEquals(told, Array.from({ length: trials }, (_, i) => i));
  }
});
