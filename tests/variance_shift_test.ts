/** Dropout and batch normalization: the article's numbers digit by digit, and the general law behind them. */

import { assert, assertAlmostEquals, assertEquals, assertLess, assertThrows } from "@std/assert";
import fc from "fast-check";
import { varianceShiftLines } from "../lib/article/block4.ts";
import {
  type Distribution,
  distributions,
  linearShiftTheory,
  measureVarianceShift,
  probeBatchNorms,
  settleStatistics,
  varianceShiftTheory,
} from "../lib/experiments/li_variance_shift.ts";
import { analyzeVarianceShift, type Shift, type VarianceShift } from "../lib/article/variance_shift.ts";
import {
  BatchNorm,
  defaultRng,
  divide,
  InvertedDropout,
  Linear,
  mean,
  monteCarlo,
  ReLU,
  Sequential,
  standardDeviation,
  tensor,
  variance,
} from "../lib/mod.ts";
import { normals } from "./helpers.ts";

const read = (name: string) => Deno.readTextFileSync(new URL(`fixtures/${name}`, import.meta.url));
const numpy = JSON.parse(read("article_block4.json"));

/** The demonstration takes a second, so that each seed runs once. */
const results = new Map<number, VarianceShift>();
function demonstration(seed: number): VarianceShift {
  if (!results.has(seed)) results.set(seed, analyzeVarianceShift({ seed }));
  return results.get(seed)!;
}

/**
 * A few normal numbers may differ from NumPy's by 2 ulp, and then whatever is computed from them; averages over
 * thousands of elements dilute that to a few roundings of numbers below 3.
 */
const TOLERANCE = 3 * 8 * Number.EPSILON;

function assertShift(actual: Shift, train: number, evaluation: number, shift: number): void {
  assertAlmostEquals(actual.train, train, TOLERANCE);
  assertAlmostEquals(actual.evaluation, evaluation, TOLERANCE);
  assertAlmostEquals(actual.shift, shift, TOLERANCE);
}

Deno.test("block 4 of the article is printed byte for byte", () => {
  assertEquals(varianceShiftLines(demonstration(42)).join("\n") + "\n", read("article_block4.txt"));
});

Deno.test("the demonstration's averages and single passes are NumPy's", () => {
  const { dropoutFirst, batchNormFirst } = demonstration(42);
  assertShift(dropoutFirst.output, numpy.avg_train_var, numpy.avg_eval_var, numpy.shift1);
  assertShift(batchNormFirst.output, numpy.avg_train_var2, numpy.avg_eval_var2, numpy.shift2);
  const { train_var, eval_var, shift } = numpy.bn_only_setup2;
  assertShift(batchNormFirst.batchNormOutput, train_var, eval_var, shift);
  assertEquals(dropoutFirst.batchNormOutput, dropoutFirst.output, "batch normalization comes last");
  const passes: [number[], [number, number][]][] = [
    [dropoutFirst.output.trainPasses, numpy.train_stats_first3],
    [dropoutFirst.output.evaluationPasses, numpy.eval_stats_first3],
    [batchNormFirst.output.trainPasses, numpy.train_stats2_first3],
    [batchNormFirst.output.evaluationPasses, numpy.eval_stats2_first3],
  ];
  for (const [variances, expected] of passes) {
    assertEquals(variances.length, 100);
    expected.forEach(([, v], i) => assertAlmostEquals(variances[i], v, TOLERANCE));
  }
  assertAlmostEquals(
    standardDeviation(tensor(batchNormFirst.output.trainPasses)),
    numpy.train_var2_sd,
    TOLERANCE,
  );
});

Deno.test("the running variances are NumPy's, and what batch normalization meets", () => {
  const { dropoutFirst, batchNormFirst } = demonstration(42);
  assertAlmostEquals(dropoutFirst.runningVarMean, numpy.bn1_running_var_mean, TOLERANCE);
  assertAlmostEquals(Math.min(...dropoutFirst.runningVar.data), numpy.bn1_running_var_min, TOLERANCE);
  assertAlmostEquals(Math.max(...dropoutFirst.runningVar.data), numpy.bn1_running_var_max, TOLERANCE);
  assertAlmostEquals(batchNormFirst.runningVarMean, numpy.bn2_running_var_mean, TOLERANCE);
  for (let i = 0; i < 4; i++) {
    assertAlmostEquals(dropoutFirst.runningVar.at(i), numpy.bn1_running_var_first4[i], TOLERANCE);
    assertAlmostEquals(batchNormFirst.runningVar.at(i), numpy.bn2_running_var_first4[i], TOLERANCE);
  }
  for (const { evaluationInputVariance } of [dropoutFirst, batchNormFirst]) {
    assertAlmostEquals(mean(evaluationInputVariance), numpy.x_var_axis0_mean, TOLERANCE);
  }
});

Deno.test("batch normalization meets half of the variance that it learned, or all of it, by the order", () => {
  for (const seed of [0, 42]) {
    const { dropoutFirst, batchNormFirst } = demonstration(seed);
    assertAlmostEquals(batchNormFirst.inputRatio, 1, 1e-14);
    assertAlmostEquals(batchNormFirst.batchNormOutput.shift, 0, 1e-14);
    // A batch of 128 knows a variance to √(2/128) = 12.5 %; after dropout at ½ with kurtosis 6, to √(5/128) = 20 %.
    // A running average is some 19 batches of one x; 64 features: below 20 %/√64 = 2.5 % of 0.5. 4.5 of those.
    assertLess(Math.abs(dropoutFirst.inputRatio - 0.5), 4.5 * 0.0125);
    const learned = mean(divide(dropoutFirst.evaluationInputVariance, dropoutFirst.trainInputVariance));
    assertLess(Math.abs(learned - 0.5), 4.5 * 0.0125);
  }
});

Deno.test("which order's end-to-end shift is larger depends on the seed, as it does with NumPy", () => {
  const signs = [0, 42].map((seed) => {
    const expected = numpy.seed_sweep.find((run: { seed: number }) => run.seed === seed);
    const { dropoutFirst, batchNormFirst } = demonstration(seed);
    assertAlmostEquals(dropoutFirst.output.shift, expected.shift_dropout_bn, TOLERANCE);
    assertAlmostEquals(batchNormFirst.output.shift, expected.shift_bn_dropout, TOLERANCE);
    return Math.sign(dropoutFirst.output.shift - batchNormFirst.output.shift);
  });
  assertEquals(signs, [1, -1]);
});

Deno.test("without dropout there is no shift, and the options are heard", () => {
  const options = { seed: 5, p: 0, warmUp: 300, measured: 7, batchSize: 16, features: 3 };
  const { dropoutFirst, batchNormFirst, seed, p } = analyzeVarianceShift(options);
  assertEquals([seed, p], [5, 0]);
  for (const { output, runningVar, inputRatio } of [dropoutFirst, batchNormFirst]) {
    assertEquals([output.trainPasses.length, output.evaluationPasses.length, runningVar.shape], [7, 7, [3]]);
    // 0.9³⁰⁰ = 2·10⁻¹⁴ of the running variance is still its initial 1.
    assertAlmostEquals(output.shift, 0, 1e-12);
    assertAlmostEquals(inputRatio, 1, 1e-12);
  }
  const cold = analyzeVarianceShift({ ...options, warmUp: 0, measured: 1 });
  assert(Math.abs(cold.dropoutFirst.inputRatio - 1) > 0.01, "planted: no warm-up");
});

Deno.test("counts and rates out of range are refused", () => {
  assertThrows(
    () => analyzeVarianceShift({ measured: 0 }),
    RangeError,
    "measured must be a positive integer, got 0",
  );
  assertThrows(
    () => analyzeVarianceShift({ warmUp: -1 }),
    RangeError,
    "warmUp must be a non-negative integer, got -1",
  );
  assertThrows(() => analyzeVarianceShift({ p: 2, warmUp: 1 }), RangeError, "Dropout probability must be");
});

// The law in general

Deno.test("theory: 1 − p for zero mean, and the known values for the positive part of a normal number", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 99 }), fc.double({ min: 0, max: 100, noNaN: true }), (i, r) => {
      const p = i / 100;
      assertAlmostEquals(varianceShiftTheory(p, 0), 1 - p, 1e-15);
      // Var / (Var + p/(1−p)·E[x²]) with Var = 1, E[x²] = 1 + r.
      assertAlmostEquals(varianceShiftTheory(p, r), 1 / (1 + p / (1 - p) * (1 + r)), 1e-15);
    }),
  );
  const relu = [0.1, 0.2, 0.3, 0.5].map((p) => varianceShiftTheory(p, distributions.relu).toFixed(3));
  assertEquals(relu, ["0.860", "0.732", "0.614", "0.405"]);
});

Deno.test("measured ratios lie within 4.5 standard errors of theory; the zero-mean formula is caught", () => {
  // 100 batches: Student's t beyond 4.5 has probability 2·10⁻⁵; 24 measurements, a false alarm of 5·10⁻⁴ in a new seed.
  for (const seed of [1, 2]) {
    for (const distribution of Object.keys(distributions) as Distribution[]) {
      for (const p of [0.1, 0.3, 0.5]) {
        const measured = measureVarianceShift({ p, distribution, samples: 40_000, seed });
        const { ratio, standardError, theory } = measured;
        assertLess(Math.abs(ratio - theory), 4.5 * standardError, `${distribution}, p = ${p}, seed ${seed}`);
        // Planted: the mean forgotten.
        if (distribution !== "normal") assert(Math.abs(ratio - (1 - p)) > 4.5 * standardError);
      }
    }
  }
});

Deno.test("the standard error is honest: the ratios of independent runs scatter by as much", () => {
  const runs = Array.from({ length: 60 }, (_, seed) => measureVarianceShift({ p: 0.5, samples: 5000, seed }));
  const z = tensor(runs.map(({ ratio, standardError, theory }) => (ratio - theory) / standardError));
  // The variance of 60 values is known to √(2/59) = 18 %; 4.5 of those. Half or double the standard error is caught.
  const spread = variance(z, { correction: 1 });
  assert(spread > 1 / (1 + 4.5 * 0.184) && spread < 1 + 4.5 * 0.184, `variance of z: ${spread}`);
});

Deno.test("p = 0 gives exactly 1 without error; the same seed gives the same numbers", () => {
  assertEquals(measureVarianceShift({ p: 0, samples: 2000 }), { ratio: 1, standardError: 0, theory: 1 });
  const again = () => measureVarianceShift({ p: 0.2, distribution: "uniform", samples: 2000, seed: 7 });
  assertEquals(again(), again());
});

Deno.test("what cannot be measured is refused", () => {
  assertThrows(() => varianceShiftTheory(1, 0), RangeError, "Dropout probability must be in [0, 1), got 1");
  assertThrows(() => varianceShiftTheory(0.5, -1), RangeError, "E[x]²/Var[x] must be at least 0, got -1");
  assertThrows(() => varianceShiftTheory(0.5, NaN), RangeError, "got NaN");
  const samples = "samples must be an integer of at least 200, got 100";
  assertThrows(() => measureVarianceShift({ p: 0.5, samples: 100 }), RangeError, samples);
  const distribution = "gamma" as Distribution;
  const known = 'must be one of normal, relu, shifted normal, uniform, got "gamma"';
  assertThrows(() => measureVarianceShift({ p: 0.5, distribution }), RangeError, known);
});

// What normalizations have learned and receive

/** 100 batches of 64 samples with 32 features. */
function* batches(seed: number) {
  for (let i = 0; i < 100; i++) yield normals([64, 32], 1000 * seed + i);
}

Deno.test("dropout before: the ratio is 1 − p; after: 1; a rate off by 0.05 is caught", () => {
  // n = 6400 samples. The fourth moment of a normal number after dropout is 3/(1−p) times its squared variance, so a
  // running variance is known to √((3/(1−p) − 1)/n), that at evaluation to √(2/n); 32 independent features.
  const bound = (p: number) => 4.5 * (1 - p) * Math.sqrt((3 / (1 - p) - 1 + 2) / 6400 / 32);
  for (const seed of [1, 2, 3]) {
    for (const p of [0.2, 0.5]) {
      const ratioOf = (...layers: (BatchNorm | InvertedDropout)[]) => {
        const model = new Sequential(...layers);
        settleStatistics(model, batches(seed));
        return probeBatchNorms(model, normals([6400, 32], 999 + seed))[0].ratio;
      };
      const before = ratioOf(new InvertedDropout(p, { rng: defaultRng(seed) }), new BatchNorm(32));
      const after = ratioOf(new BatchNorm(32), new InvertedDropout(p, { rng: defaultRng(seed) }));
      // 1/running is biased upward by its relative variance, below a tenth of the bound.
      assertLess(Math.abs(before - (1 - p)), 1.1 * bound(p));
      assertLess(Math.abs(after - 1), 1.1 * bound(0));
      const planted = ratioOf(new InvertedDropout(p - 0.05, { rng: defaultRng(seed) }), new BatchNorm(32));
      assert(Math.abs(planted - (1 - p)) > 1.1 * bound(p), "planted: another rate");
    }
  }
});

Deno.test("a probe leaves modes, statistics and momenta as they were; so does settling the momenta", () => {
  const dropout = new InvertedDropout(0.5, { rng: defaultRng(1) });
  const norm = new BatchNorm(32, { momentum: 0.3 });
  const model = new Sequential(dropout.eval(), norm, new BatchNorm(32, { trackRunningStats: false }));
  const before = norm.runningVar!.clone();
  const probes = probeBatchNorms(model, normals([50, 32]));
  assertEquals([dropout.training, norm.training], [false, true]);
  assertEquals(norm.runningVar!.data, before.data);
  assertEquals(probes.map(({ position }) => position), [1], "no running statistics, no probe");
  settleStatistics(model, batches(1));
  assertEquals([norm.momentum, norm.numBatchesTracked, dropout.training], [0.3, 100, true]);
  assert(norm.runningVar!.data.some((value, i) => value !== before.data[i]));
  assertEquals(probes[0].runningVar.data, before.data, "a copy");
});

Deno.test("theory after a linear layer: independent inputs give the law without one, at any width", () => {
  const weight = new Linear(16, 40, { rng: defaultRng(1), bias: false }).weight;
  const h = normals([20_000, 16]).map((value) => value + 1);
  const theory = linearShiftTheory(weight, h, 0.5);
  assertEquals(theory.shape, [40]);
  // Each variance and mean square of the samples is known to about √(2/20000) = 1 %.
  for (const value of theory.data) assertAlmostEquals(value, varianceShiftTheory(0.5, 1), 0.05);
  assertEquals([...linearShiftTheory(weight, h, 0).data], Array(40).fill(1));
  assertThrows(() => linearShiftTheory(weight, h, 1), RangeError, "Dropout probability must be in [0, 1)");
});

/** BN → ReLU → dropout → linear → BN with fresh weights. */
function freshStack(p: number, seed: number): Sequential {
  const rng = defaultRng(seed);
  const dropout = new InvertedDropout(p, { seed });
  const first = [new Linear(8, 16, { rng }), new BatchNorm(16), new ReLU(), dropout];
  return new Sequential(...first, new Linear(16, 16, { rng }), new BatchNorm(16));
}

Deno.test("in a stack the first ratio is 1, the second what theory says for the weights; the law without is caught", () => {
  for (const p of [0.2, 0.5]) {
    const runs = Array.from({ length: 20 }, (_, seed) => {
      const model = freshStack(p, seed);
      settleStatistics(model, Array.from({ length: 20 }, (_, i) => normals([256, 8], 100 * seed + i)));
      const x = normals([4096, 8], 5000 + seed);
      const [first, second] = probeBatchNorms(model, x);
      const layers = model.eval().children();
      const h = layers.slice(0, 3).reduce((value, layer) => layer.forward(value), x);
      const theory = linearShiftTheory((layers[4] as Linear).weight, h, p);
      return {
        first: first.ratio - 1,
        relative: mean(divide(second.ratios, theory)) - 1,
        second: second.ratio - 1,
      };
    });
    // Student's t of 20 seeds beyond 4.5: 2.5·10⁻⁴. Batches of 256 know their own mean and variance: 2/256 allowed.
    const isZero = (of: (run: typeof runs[number]) => number) => {
      const { mean, standardError } = monteCarlo((i) => of(runs[i]), runs.length);
      return Math.abs(mean) < 4.5 * standardError + 2 / 256;
    };
    assert(isZero((run) => run.first) && isZero((run) => run.relative));
    assert(!isZero((run) => run.second), "planted: no shift");
  }
});
