/** Gradients behind dropout: the article's third block of code, and the laws that its numbers follow. */

import { assert, assertAlmostEquals, assertEquals, assertLess, assertThrows } from "@std/assert";
import { gradientFlowLines } from "../lib/article/block3.ts";
import { analyzeGradientVariance, demonstrateGradientFlow } from "../lib/article/gradient_flow.ts";
import { mean, multiply, sum } from "../lib/mod.ts";
import { fixture } from "./helpers.ts";

interface Reference {
  mask: number[];
  output: number[];
  grad_input: number[];
  norm_grad_output: number;
  norm_grad_input: number;
  avg_norm: number;
  se_avg_norm: number;
  mean_grad_input: number[];
  exact_expected_norm: number;
  exact_rms_norm: number;
  grad_output_sumsq: number;
  rates: { p: number; mean: number; std: number; theory: number; first_means: number[] }[];
}
const numpy = await fixture<Reference>("article_block3");

const SEEDS = [0, 1, 2, 3, 4];
const RATES = [0.2, 0.5, 0.8];
const flow = demonstrateGradientFlow();
const spread = analyzeGradientVariance();

/** Half of the distance between 1 and the next number: what one rounding may change, relative to its result. */
const ROUNDING = 2 ** -53;

function assertRelative(actual: number, expected: number, roundings: number) {
  assertAlmostEquals(actual, expected, roundings * ROUNDING * Math.abs(expected));
}

Deno.test("block 3 of the article is printed byte for byte", async () => {
  const printed = await Deno.readTextFile(new URL("fixtures/article_block3.txt", import.meta.url));
  assertEquals(gradientFlowLines().join("\n") + "\n", printed);
});

Deno.test("one gradient: mask, output and gradient are NumPy's bit for bit", () => {
  assertEquals(Array.from(flow.mask.toTensor().data), numpy.mask);
  assertEquals([flow.p, flow.scale], [0.5, 2]);
  assertEquals(flow.output.toArray(), [numpy.output]);
  assertEquals(flow.gradInput.toArray(), [numpy.grad_input]);
  assertEquals(demonstrateGradientFlow({ p: 0.8, trials: 2 }).scale, 5.000000000000001); // 1/(1 − 0.8) in float64
});

Deno.test("norms and their average are NumPy's to rounding", () => {
  // Five squares and four additions in BLAS's order or in ours, each up to 9 roundings from the truth; the root
  // halves them and adds one of its own. An average of such norms, in the same order, stays as close.
  const roundings = 9 + 2;
  assertRelative(flow.originalNorm, numpy.norm_grad_output, roundings);
  assertRelative(flow.actualNorm, numpy.norm_grad_input, roundings);
  assertRelative(flow.sampledNorm.mean, numpy.avg_norm, roundings);
  assertEquals(flow.sampledNorm.n, 10_000);
  // A sum of 10,000 rows, one after the other here as there.
  assertEquals(flow.sampledGradInput.mean.toArray(), [numpy.mean_grad_input]);
  // The reference divides its squares by n, a sample variance by n − 1: a factor of 1 + 1/20,000.
  assertAlmostEquals(flow.sampledNorm.standardError / numpy.se_avg_norm, 1, 1 / 10_000);
});

Deno.test("the exact norms are NumPy's sums over 32 masks", () => {
  // 32 terms of at most 11 roundings each, and the additions.
  assertRelative(flow.exactNorm.mean, numpy.exact_expected_norm, 32 + 11);
  assertRelative(flow.rootMeanSquareNorm, numpy.exact_rms_norm, 32 + 11);
  assertEquals([flow.exactNorm.masks, flow.exactGradInput.masks], [32, 32]);
});

Deno.test("what dropout preserves is each component: E[gradInput] = gradOutput, exactly", () => {
  for (const p of [0, 0.1, ...RATES, 0.99]) {
    const { exactGradInput, gradOutput } = demonstrateGradientFlow({ p, trials: 2 });
    // A mask's probability is a product of powers, and 1 − p is rounded before it is raised to one: up to 5·2
    // roundings; three more for the scale and two products.
    exactGradInput.mean.data.forEach((value, i) => assertRelative(value, gradOutput.data[i], 16));
    // Var = p/(1 − p) · g², of the size E[g'²] = g²/(1 − p) before the mean is taken off.
    exactGradInput.variance.data.forEach((value, i) => {
      const square = gradOutput.data[i] ** 2;
      assertAlmostEquals(value, p / (1 - p) * square, 40 * ROUNDING * square / (1 - p));
    });
  }
});

Deno.test("the norm grows: ‖g‖ < E‖g′‖ < √E‖g′‖² = ‖g‖/√(1 − p)", () => {
  for (const p of [0.01, ...RATES, 0.99]) {
    const { originalNorm, exactNorm, rootMeanSquareNorm, predictedRootMeanSquareNorm } =
      demonstrateGradientFlow({ p, trials: 2 });
    assertRelative(rootMeanSquareNorm, predictedRootMeanSquareNorm, 32);
    assertLess(originalNorm, exactNorm.mean);
    assertLess(exactNorm.mean, rootMeanSquareNorm);
  }
  const still = demonstrateGradientFlow({ p: 0, trials: 2 });
  assertEquals(still.gradInput, still.gradOutput);
  assertEquals([still.exactNorm.mean, still.exactNorm.variance], [still.originalNorm, 0]);
});

Deno.test("averages lie within 4.5 standard errors of the exact values; the article's claim does not", () => {
  // |z| > 4.5 has probability 7·10⁻⁶; eleven values, five seeds, three rates: a false alarm in about 1 of 1000.
  for (const seed of SEEDS) {
    for (const p of RATES) {
      const { sampledNorm, exactNorm, sampledGradInput, gradOutput, originalNorm } = demonstrateGradientFlow({
        seed,
        p,
      });
      const z = (claim: number) => (sampledNorm.mean - claim) / Math.sqrt(exactNorm.variance / sampledNorm.n);
      assertLess(Math.abs(z(exactNorm.mean)), 4.5);
      gradOutput.data.forEach((g, i) => {
        const standardError = Math.sqrt(p / (1 - p) / sampledGradInput.n) * g;
        assertLess(Math.abs(sampledGradInput.mean.data[i] - g), 4.5 * standardError);
        // An estimated variance: known to √((kurtosis − 1)/n) ≤ √(1/(p(1 − p)n)) = 2.5 %; half of that for its root.
        assertLess(Math.abs(sampledGradInput.standardError.data[i] / standardError - 1), 4.5 * 0.0125);
      });
      // The fault: "inverted scaling preserves expected gradient magnitude", E‖g′‖ = ‖g‖.
      assert(z(originalNorm) > 4.5, `seed ${seed}, p = ${p}: z = ${z(originalNorm)}`);
    }
  }
});

Deno.test("gradient spread: means, their average and their deviation are NumPy's to rounding", () => {
  // One randn value in 2000 differs by 2 ulp; behind it each of some 26 additions in a pairwise sum may round the
  // other way, relative to the mean of |g′|, about 0.8 at every rate.
  const tolerance = 2 * 26 * ROUNDING;
  assertRelative(sum(multiply(spread.gradOutput, spread.gradOutput)), numpy.grad_output_sumsq, 64);
  assertEquals(spread.spreads.length, 4);
  spread.spreads.forEach(({ p, means, meanGrad, stdGrad, predictedStdGrad }, row) => {
    const expected = numpy.rates[row];
    assertEquals(p, expected.p);
    assertEquals(means.shape, [100]);
    expected.first_means.forEach((value, i) => assertAlmostEquals(means.data[i], value, tolerance));
    assertAlmostEquals(meanGrad, expected.mean, tolerance);
    assertAlmostEquals(stdGrad, expected.std, tolerance);
    assertAlmostEquals(predictedStdGrad, expected.theory, tolerance);
  });
});

Deno.test("the theory's deviations are the known ones, and 0 at rate 0", () => {
  assertEquals(spread.spreads.map((s) => s.predictedStdGrad.toFixed(6)), [
    "0.000000",
    "0.005514",
    "0.011029",
    "0.022058",
  ]);
  assertEquals(new Set(spread.spreads[0].means.data).size, 1);
  assertEquals(spread.spreads[0].means.data[0], mean(spread.gradOutput));
});

Deno.test("rate 0 draws nothing: the rates behind it see the same masks", () => {
  const [, half] = analyzeGradientVariance({ rates: [0, 0.5], trials: 5 }).spreads;
  assertEquals(half, analyzeGradientVariance({ rates: [0.5], trials: 5 }).spreads[0]);
});

Deno.test("measured deviations follow √(p/(1 − p)·Σg²)/N; a forgotten scale is caught", () => {
  // A standard deviation of 100 nearly normal values is known to 1/√198 = 7.1 %; 4.5 of those.
  const margin = 4.5 * 0.071;
  for (const seed of SEEDS) {
    const { gradOutput, spreads } = analyzeGradientVariance({ seed, rates: RATES });
    for (const { meanGrad, stdGrad, predictedStdGrad } of spreads) {
      assertLess(Math.abs(stdGrad / predictedStdGrad - 1), margin);
      assertLess(Math.abs(meanGrad - mean(gradOutput)), 4.5 * predictedStdGrad / Math.sqrt(100));
    }
    // The fault: masks without a scale spread by √(p(1 − p)·Σg²)/N, at p = 0.8 a fifth.
    const { p, stdGrad, predictedStdGrad } = spreads[2];
    assert(Math.abs(stdGrad / (predictedStdGrad * (1 - p)) - 1) > margin);
  }
});

Deno.test("rates and numbers of trials that make no sense are refused", () => {
  for (const p of [1, -0.1, NaN]) {
    const message = `Dropout probability must be in [0, 1), got ${p}`;
    assertThrows(() => demonstrateGradientFlow({ p }), RangeError, message);
    assertThrows(() => analyzeGradientVariance({ rates: [0.5, p] }), RangeError, message);
  }
  for (const trials of [1, 2.5, NaN]) {
    const message = `trials, for a spread, must be an integer of at least 2, got ${trials}`;
    assertThrows(() => demonstrateGradientFlow({ trials }), RangeError, message);
    assertThrows(() => analyzeGradientVariance({ trials }), RangeError, message);
  }
});
