/** Dropout and batch normalization in small networks: the ratios against theory, and what re-estimation changes. */

import { assert, assertAlmostEquals, assertEquals, assertLess, assertThrows } from "@std/assert";
import {
  buildNet,
  evaluate,
  type Layout,
  linearShiftTheory,
  probeBatchNorms,
  reestimationRuns,
  settleStatistics,
  stackShift,
  trainNet,
} from "../lib/experiments/batch_norm_orders.ts";
import { varianceShiftTheory } from "../lib/experiments/li_variance_shift.ts";
import { BatchNorm, defaultRng, InvertedDropout, Linear, mean, Sequential, tensor } from "../lib/mod.ts";
import { normals } from "./helpers.ts";

const layouts: Layout[] = [
  "neither",
  "BN only",
  "dropout only",
  "dropout → BN",
  "BN → dropout",
  "dropout after the last BN",
];

/** Mean and standard error. */
function summary(values: number[]): { mean: number; error: number } {
  const center = mean(tensor(values));
  const squares = values.reduce((total, value) => total + (value - center) ** 2, 0);
  return { mean: center, error: Math.sqrt(squares / (values.length - 1) / values.length) };
}

/** 100 batches of 64 samples with 32 features. */
function* batches(seed: number) {
  for (let i = 0; i < 100; i++) yield normals([64, 32], 1000 * seed + i);
}

Deno.test("dropout in front: the ratio is 1 − p; behind: 1; a rate off by 0.05 is caught", () => {
  // n = 6400 samples. The fourth moment of a normal number after dropout is 3/(1−p) times its squared variance, so a
  // running variance is known to √((3/(1−p) − 1)/n), the variance met to √(2/n); 32 independent features.
  const bound = (p: number) => 4.5 * (1 - p) * Math.sqrt((3 / (1 - p) - 1 + 2) / 6400 / 32);
  for (const seed of [1, 2, 3]) {
    for (const p of [0.2, 0.5]) {
      const ratioOf = (...layers: (BatchNorm | InvertedDropout)[]) => {
        const model = new Sequential(...layers);
        settleStatistics(model, batches(seed));
        return probeBatchNorms(model, normals([6400, 32], 999 + seed))[0].ratio;
      };
      const before = ratioOf(new InvertedDropout(p, { rng: defaultRng(seed) }), new BatchNorm(32));
      const behind = ratioOf(new BatchNorm(32), new InvertedDropout(p, { rng: defaultRng(seed) }));
      // 1/running is biased upward by its relative variance, below a tenth of the bound.
      assertLess(Math.abs(before - (1 - p)), 1.1 * bound(p));
      assertLess(Math.abs(behind - 1), 1.1 * bound(0));
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

Deno.test("theory behind a linear layer: independent inputs give the law without one, at any width", () => {
  const weight = new Linear(16, 40, { rng: defaultRng(1), bias: false }).weight;
  const h = normals([20_000, 16]).map((value) => value + 1);
  const theory = linearShiftTheory(weight, h, 0.5);
  assertEquals(theory.shape, [40]);
  // Each variance and mean square of the samples is known to about √(2/20000) = 1 %.
  for (const value of theory.data) assertAlmostEquals(value, varianceShiftTheory(0.5, 1), 0.05);
  assertEquals([...linearShiftTheory(weight, h, 0).data], Array(40).fill(1));
  assertThrows(() => linearShiftTheory(weight, h, 1), RangeError, "Dropout probability must be in [0, 1)");
});

Deno.test("in a stack the first ratio is 1, the second what theory says for the weights; the law without is caught", () => {
  for (const p of [0.2, 0.5]) {
    const runs = Array.from(
      { length: 20 },
      (_, seed) => stackShift(buildNet("BN → dropout", { p, seed }), p, seed),
    );
    const first = summary(runs.map((run) => run.first - 1));
    const relative = runs.map(({ units }) => mean(tensor(units.map((u) => u.measured / u.theory - 1))));
    const second = summary(relative);
    // Student's t of 20 seeds beyond 4.5: 2.5·10⁻⁴. Batches of 256 know their own mean and variance: 2/256 allowed.
    assertLess(Math.abs(first.mean), 4.5 * first.error + 2 / 256);
    assertLess(Math.abs(second.mean), 4.5 * second.error + 2 / 256);
    const planted = summary(runs.map((run) => run.second - 1));
    assert(Math.abs(planted.mean) > 4.5 * planted.error + 2 / 256, "planted: no shift");
    for (const { second, units } of runs) {
      assertAlmostEquals(second, mean(tensor(units.map((u) => u.measured))), 1e-12);
    }
  }
  assertThrows(
    () => stackShift(buildNet("dropout → BN"), 0.5),
    TypeError,
    "needs a Linear in front of the second",
  );
});

Deno.test("each layout has its layers, trains, and predicts better than the mean", () => {
  const norms = layouts.map((layout) =>
    buildNet(layout).children().filter((layer) => layer instanceof BatchNorm).length
  );
  assertEquals(norms, [0, 2, 0, 2, 2, 2]);
  for (const layout of layouts) {
    const { model, heldOut } = trainNet(layout, { p: 0.2, width: 16, steps: 100, seed: 3 });
    const { error, slope } = evaluate(model, heldOut);
    const spread = summary([...heldOut.y.data]).error ** 2 * heldOut.y.size;
    assertLess(error, 0.8 * spread, layout);
    assert(slope > 0.5 && slope < 2, layout);
    assert(model.training);
  }
});

Deno.test("without gamma and beta there is nothing of them to train, and the shift stays", () => {
  const { model } = trainNet("dropout → BN", { affine: false, steps: 50, width: 16 });
  assert(model.parameters().every(({ name }) => name.endsWith("weight") || name.endsWith("bias")));
  assertEquals(model.parameters().length, 6, "three linear layers with weight and bias");
  settleStatistics(model, Array.from({ length: 20 }, (_, i) => normals([256, 8], i)));
  assertLess(probeBatchNorms(model, normals([4096, 8], 99))[0].ratio, 0.6);
});

Deno.test("re-estimation brings the ratios to 1, and moves the error in opposite directions", () => {
  const options = { p: 0.5, width: 32 };
  for (const [layout, sign] of [["dropout → BN", 1], ["BN → dropout", -1]] as const) {
    const runs = reestimationRuns(layout, [100, 101, 102, 103, 104, 105], options);
    for (const run of runs) {
      assertEquals([run.layout, run.p], [layout, 0.5]);
      assertLess(run.ratios[1], 0.8);
      // Unit variances of 512 training samples against 2000 others, correlated units: some 7 % at one sigma at most.
      run.ratiosAfter.forEach((ratio) => assertAlmostEquals(ratio, 1, 4.5 * 0.07));
      assert(run.slopeAfter < run.slope, "predictions grow");
    }
    // All six by chance: 1 in 64 for each layout, were there no effect.
    assertEquals(runs.filter((run) => sign * (run.errorAfter - run.error) > 0).length, 6, layout);
  }
  const [plain] = reestimationRuns("dropout only", [1], { steps: 20 });
  assertEquals([plain.errorAfter, plain.ratios, plain.p], [plain.error, [], 0.5]);
});
