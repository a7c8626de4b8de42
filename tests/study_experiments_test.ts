/** The study's experiments on optimizers, gradient noise, batch normalization and uncertainty: laws that their numbers obey. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import {
  Adam,
  applyMask,
  BatchNorm,
  defaultRng,
  exactExpectation,
  InvertedDropout,
  Linear,
  mean,
  monteCarlo,
  mseLoss,
  multiply,
  Sequential,
  SGD,
  softmax,
  subtract,
  sum,
  survivorScale,
  Tensor,
  tensor,
  zeros,
} from "../lib/mod.ts";
import type { Data } from "../lib/experiments/two_layer_net.ts";
import * as norms from "../lib/study/batch_norm.ts";
import * as coverage from "../lib/study/coverage.ts";
import type { Experiment, Values } from "../lib/study/experiment.ts";
import { gradientNoise, measureNoise, summarizeNoise } from "../lib/study/gradient_noise.ts";
import { estimate, estimateDifference, estimateRatio, groupRows, selectRows } from "../lib/study/rows.ts";
import * as optimizers from "../lib/study/optimizers.ts";
import { constantLoss, evaluationLoss, makeProblem, trainModel } from "../lib/study/problem.ts";
import { rotateImages } from "../lib/study/rotate.ts";
import * as uncertainty from "../lib/study/uncertainty.ts";
import { normals } from "./helpers.ts";

// deno-lint-ignore no-explicit-any
const EXPERIMENTS: Experiment<any, Values>[] = [
  gradientNoise,
  optimizers.stability,
  optimizers.optimizers,
  norms.batchNormOrders,
  norms.batchNormBeta,
  norms.batchNormWidth,
  coverage.coverage,
  uncertainty.uncertainty,
];

// Runs

/** Of each experiment, the settings that run fastest. */
const QUICK: Values[] = [
  { problem: "digits", trained: "with dropout", p: 0.5, steps: 3, seed: 0 },
  { problem: "small", optimizer: "SGD + momentum", p: 0.8, steps: 40, seed: 1 },
  { problem: "digits", optimizer: "Adam, β₁ = 0", p: 0.5, steps: 3, seed: 1 },
  { problem: "digits", layout: "dropout → BN", places: "both", p: 0.5, lr: 0.01, steps: 3, seed: 0 },
  { problem: "small", when: "during training", beta: 1, seed: 0 },
  { problem: "small", width: 8, seed: 2 },
  { method: "MC dropout", p: 0.1, n: 10, decay: "fixed", network: 1, seed: 0 },
  { method: "dropout off", p: 0.3, n: 1000, seed: 0 },
];

Deno.test("a run is a function of its settings: it repeats whatever ran before, and its seed matters", async () => {
  const first = await Promise.all(EXPERIMENTS.map(async ({ run }, i) => await run(QUICK[i])));
  for (let i = EXPERIMENTS.length - 1; i >= 0; i--) {
    const { name, run } = EXPERIMENTS[i];
    assertEquals(await run(QUICK[i]), first[i], name);
    const other = await run({ ...QUICK[i], seed: 3 });
    assertEquals(Object.keys(other), Object.keys(first[i]), name);
    if (name !== "stability") assertNotEquals(other, first[i], name); // limits are multiples of ⁴√2
    assertEquals(Object.keys(first[i]).filter((key) => key in QUICK[i]), [], `${name}: no name twice`);
  }
});

// Groups

Deno.test("rows are grouped, selected, averaged and paired", () => {
  const rows = [[0, "a", 1], [1, "a", 3], [1, "b", 10], [0, "b", 4]].map(([seed, kind, value]) => (
    { seed: Number(seed), kind: String(kind), value: Number(value) }
  ));
  const [a, b] = groupRows(rows, "kind");
  assertEquals([a, b], [rows.slice(0, 2), rows.slice(2)]);
  assertEquals(selectRows(rows, { seed: 1, kind: "b" }), [rows[2]]);
  assertEquals(estimate(a, (row) => row.value), { mean: 2, standardError: 1 });
  assertEquals(estimateDifference(b, a, (row) => row.value), { mean: 5, standardError: 2 }, "3 and 7");
  // (3 + 10)/(1 + 4); around it, 3 − 2.6 and 10 − 2.6·4, over 2.5, have the mean 0 and the standard error 0.16.
  const { mean: ratio, standardError } = estimateRatio(
    [[3, 1], [10, 4]],
    ([above]) => above,
    ([, below]) => below,
  );
  assertAlmostEquals(ratio, 2.6, 1e-15);
  assertAlmostEquals(standardError, 0.16, 1e-15);
  assertThrows(() => selectRows(rows, { kind: "c" }), RangeError, 'There is no row with {"kind":"c"}');
  assertThrows(() => groupRows([], "kind"), RangeError, "no rows");
  assertThrows(() => estimateDifference(a.slice(1), b, (row) => row.value), RangeError, "same seeds");
});

// Problems

Deno.test("the constant answer is the best one for the training samples, and depends on the seed", async () => {
  for (const name of ["digits", "small"] as const) {
    for (const seed of [0, 1, 2]) {
      const { train, constant, lossOf, validation, test } = await makeProblem(name, 100, seed);
      const best = constantLoss(train, constant, lossOf);
      for (const step of [-0.05, 0.05]) {
        const moved = constant.map((value, i) => i === 0 ? value + step : value);
        assertGreater(constantLoss(train, moved, lossOf), best);
      }
      assertEquals(train.x.shape[0], 100);
      assert(validation.x.shape[0] >= 1000 && test.x.shape[0] >= 2000);
      const other = await makeProblem(name, 100, seed + 3);
      assertNotEquals(other.train.y.data, train.y.data);
    }
  }
  await assertRejects(() => makeProblem("large" as "small", 10, 0), RangeError, '"digits" or "small"');
});

/** Remembers which samples it was given; its gradient is 0. */
class Recorder extends Linear {
  readonly seen: number[][] = [];
  override forward(x: Tensor): Tensor {
    this.seen.push(Array.from(x.data));
    return super.forward(x);
  }
}

Deno.test("each pass over the samples has each once, in an order of its own; what fills no batch is left out", () => {
  const x = new Tensor(Float64Array.from({ length: 10 }, (_, i) => i), [10, 1]);
  const model = new Recorder(1, 1, { seed: 1 });
  const rates: number[] = [];
  const optimizer = new SGD(model.parameters(), { lr: 0.01 });
  const step = optimizer.step.bind(optimizer);
  optimizer.step = () => {
    rates.push(optimizer.lr);
    step();
  };
  const plan = { steps: 6, batch: 3, rng: defaultRng(1), schedule: (done: number) => 1 - done };
  assert(trainModel(model, optimizer, { train: { x, y: x }, lossOf: mseLoss }, plan));
  const passes = [model.seen.slice(0, 3).flat(), model.seen.slice(3).flat()];
  for (const pass of passes) assertEquals(new Set(pass).size, 9);
  assertNotEquals(passes[0], passes[1]);
  rates.forEach((rate, i) => assertAlmostEquals(rate, 0.01 * (1 - i / 6), 1e-15));
  assertEquals(optimizer.lr, 0.01, "the optimizer's own rate is back");
});

Deno.test("training stops when the loss is no number, and says so", () => {
  const x = normals([8, 2]);
  const train = { x, y: normals([8, 1], 2) };
  const model = new Linear(2, 1, { seed: 1 });
  const plan = { steps: 2000, batch: 8, rng: defaultRng(1) };
  assertEquals(
    trainModel(model, new SGD(model.parameters(), { lr: 1e3 }), { train, lossOf: mseLoss }, plan),
    false,
  );
  const tame = new Linear(2, 1, { seed: 1 });
  assert(trainModel(tame, new Adam(tame.parameters()), { train, lossOf: mseLoss }, plan));
  assertLess(evaluationLoss(tame, train, mseLoss), mseLoss(new Linear(2, 1, { seed: 1 })(x), train.y).loss);
});

// Optimizers

Deno.test("optimizers are what their names say; another name is refused", () => {
  const model = new Linear(2, 1, { seed: 1 });
  const [plain, heavy, adam, whole] = optimizers.OPTIMIZERS.map((name) =>
    optimizers.makeOptimizer(name, model, 0.1)
  );
  assertEquals([(plain as SGD).momentum, (heavy as SGD).momentum], [0, 0.9]);
  assertEquals([(adam as Adam).betas, (whole as Adam).betas], [[0, 0.999], [0.9, 0.999]]);
  assert([plain, heavy, adam, whole].every(({ lr }) => lr === 0.1));
  const wrong = "RMSprop" as optimizers.OptimizerName;
  assertThrows(() => optimizers.makeOptimizer(wrong, model, 0.1), RangeError, 'got "RMSprop"');
});

Deno.test("settings of a seed share samples and initial weights, whatever p is; a failed training counts as constant", async () => {
  for (const problem of ["digits", "small"] as const) {
    const untrained = await Promise.all(
      [0, 0.5, 0.8].flatMap((p) =>
        optimizers.OPTIMIZERS.map((optimizer) =>
          optimizers.trainAt({ problem, optimizer, p, steps: 2, seed: 0 }, 0)
        )
      ),
    );
    for (const result of untrained) assertEquals(result, untrained[0]);
    const settings = { problem, optimizer: "SGD" as const, p: 0.5, steps: 20, seed: 0 };
    const { constant, lossOf, ...parts } = await optimizers.problemOf(settings);
    const constants = [parts.train, parts.validation, parts.test].map((part) =>
      constantLoss(part, constant, lossOf)
    );
    for (const lr of [1e3, 1e30]) {
      const { trainLoss, validationLoss, testLoss, failed } = await optimizers.trainAt(settings, lr);
      assertEquals([trainLoss, validationLoss, testLoss, failed], [...constants, true]);
    }
    const rate = problem === "small" ? 0.05 : 0.4;
    const good = await optimizers.trainAt({ ...settings, p: 0, steps: 100 }, rate);
    assert(!good.failed && good.trainLoss < 0.9 * constants[0] && good.testLoss < constants[2]);
  }
});

Deno.test("training works at the limit of stability and fails at a rate 19 % above it", async () => {
  for (const seed of [0, 1, 2, 3]) {
    for (const optimizer of ["SGD", "SGD + momentum"] as const) {
      const settings = { problem: "small" as const, optimizer, p: 0.5, steps: 60, seed };
      const limit = await optimizers.stabilityLimit(settings);
      const [at, above] = [limit, limit * 2 ** 0.25].map((lr) => optimizers.trainAt(settings, lr));
      assertEquals([(await at).failed, (await above).failed], [false, true]);
    }
  }
});

/** Losses of one optimizer at two rates, the same for two seeds. */
function madeUp(
  optimizer: optimizers.OptimizerName,
  p: number,
  losses: [lr: number, validationLoss: number, testLoss: number][],
): optimizers.OptimizerRow[] {
  return [0, 1].map((seed) => ({
    problem: "small",
    optimizer,
    p,
    steps: 1,
    seed,
    lr: losses.map(([lr]) => lr),
    trainLoss: losses.map(() => 1),
    validationLoss: losses.map(([, validationLoss]) => validationLoss),
    testLoss: losses.map(([, , testLoss]) => testLoss),
    failed: losses.map(([lr]) => Number(lr > 1)),
  }));
}

Deno.test("rates are chosen by validation loss, and test losses are compared at them", () => {
  const rows = [
    ...madeUp("SGD", 0, [[0.5, 0.2, 0.4], [2, 0.3, 0.1]]), // planted: the test alone would choose the other
    ...madeUp("SGD", 0.5, [[0.5, 0.3, 0.8], [0.25, 0.2, 0.6]]),
    ...madeUp("Adam", 0, [[0.1, 0.3, 0.2], [0.2, 0.4, 0.1]]),
    ...madeUp("Adam", 0.5, [[0.1, 0.3, 0.15], [0.2, 0.4, 0.1]]),
  ];
  const [sgd, sgdDropped, adam, adamDropped] = optimizers.summarizeOptimizers(rows);
  assertEquals([sgd, sgdDropped, adam, adamDropped].map(({ lr }) => lr), [0.5, 0.25, 0.1, 0.1]);
  assertAlmostEquals(sgd.loss, 0.4, 1e-15);
  assertEquals(sgdDropped.rateShift, { mean: -1, standardError: 0 });
  assertAlmostEquals(adam.againstSgd!.mean, Math.log(0.2 / 0.4), 1e-15);
  assertAlmostEquals(adamDropped.againstSgd!.mean, Math.log(0.15 / 0.6), 1e-15);
  assertAlmostEquals(adamDropped.againstSgdGrows!.mean, Math.log(0.25 / 0.5), 1e-15);
  assertAlmostEquals(sgdDropped.keptRateCosts!.mean, Math.log(0.8 / 0.6), 1e-15);
  assertEquals([adamDropped.keptRateCosts!.mean, sgd.keptRateCosts], [0, null]);
  assertEquals([sgd.failingRates, adam.failingRates, sgd.againstSgd, sgd.rateShift], [1, 0, null, null]);
});

Deno.test("a run has one training for each learning rate", async () => {
  const settings = { problem: "small" as const, optimizer: "Adam" as const, p: 0.5, steps: 5, seed: 2 };
  const { lr, trainLoss, validationLoss, testLoss, failed } = await optimizers.optimizers.run(settings);
  lr.slice(1).forEach((rate, i) => assertEquals(rate, 2 * lr[i]));
  for (const i of [0, 3, 6]) {
    const alone = await optimizers.trainAt(settings, lr[i]);
    assertEquals([alone.trainLoss, alone.validationLoss, alone.testLoss], [
      trainLoss[i],
      validationLoss[i],
      testLoss[i],
    ]);
    assertEquals(Number(alone.failed), failed[i]);
  }
});

// Gradient noise

Deno.test("without dropout masks make no noise, and the whole set as one batch makes none at all: exactly 0", async () => {
  for (const name of ["digits", "small"] as const) {
    for (const seed of [0, 1]) {
      const problem = await makeProblem(name, 40, seed);
      const model = optimizers.makeModel(problem, [16], 0, seed);
      const whole = measureNoise(model, [problem.train], problem.lossOf, 3);
      assertEquals([whole.maskNoise, whole.batchNoise], [0, 0]);
      assertGreater(whole.signal, 0);
      const half = (start: number): Data => ({
        x: new Tensor(problem.train.x.data.slice(start * problem.inputs, (start + 20) * problem.inputs), [
          20,
          problem.inputs,
        ]),
        y: new Tensor(problem.train.y.data.slice(start, start + 20), name === "small" ? [20, 1] : [20]),
      });
      const halves = measureNoise(model, [half(0), half(20)], problem.lossOf, 3);
      assertEquals(halves.maskNoise, 0);
      assertGreater(halves.batchNoise, 0);
      // The mean of both halves is the whole, up to float32's rounding of some ten terms.
      assertAlmostEquals(halves.signal / whole.signal, 1, 1e-4);
      const dropped = optimizers.makeModel(problem, [16], 0.5, seed);
      assertGreater(measureNoise(dropped, [problem.train], problem.lossOf, 3).maskNoise, 0);
    }
  }
});

const squaredNorm = (x: Tensor) => sum(multiply(x, x));

Deno.test("mask noise and signal are those over all masks; another rate is caught", () => {
  const [inputs, n, p] = [5, 3, 0.4];
  const [x, y] = [normals([n, inputs], 3), normals([n, 1], 4)];
  const linear = new Linear(inputs, 1, { seed: 5, bias: false });
  /** The gradient if dropout draws this mask, the same for all samples. */
  const gradientOf = (batch: Data, mask: Tensor | null, model: Linear) => {
    model.backwardParameters(mseLoss(model.forward(mask ?? batch.x), batch.y).grad);
    return model.ownParameters()[0].grad.clone();
  };
  // One sample each, so that 2⁵ masks are all that there are.
  const batches = Array.from({ length: n }, (_, i): Data => ({
    x: new Tensor(x.data.slice(i * inputs, (i + 1) * inputs), [1, inputs]),
    y: new Tensor(y.data.slice(i, i + 1), [1, 1]),
  }));
  const exact = batches.map((batch) =>
    exactExpectation(
      (mask) => gradientOf(batch, applyMask(batch.x, mask.reshape([1, inputs]), survivorScale(p)), linear),
      inputs,
      p,
    )
  );
  const maskNoise = exact.reduce((total, { variance }) => total + sum(variance) / n, 0);
  const center = exact.reduce(
    (total, { mean }) => total.map((value, i) => value + mean.data[i] / n),
    zeros([1, inputs]),
  );
  const signal = squaredNorm(center);
  const batchNoise = exact.reduce((total, { mean }) => total + squaredNorm(subtract(mean, center)), 0) /
    (n - 1);
  const measure = (rate: number) => {
    const model = new Sequential(new InvertedDropout(rate, { seed: 6 }), linear);
    const results = Array.from({ length: 1000 }, () => measureNoise(model, batches, mseLoss, 2));
    return (["maskNoise", "batchNoise", "signal"] as const).map((name) =>
      monteCarlo((i) => results[i][name], results.length)
    );
  };
  [maskNoise, batchNoise, signal].forEach((expected, i) => {
    const { mean, standardError } = measure(p)[i];
    assertLess(Math.abs(mean - expected), 5 * standardError);
  });
  const [planted] = measure(p + 0.1);
  assertGreater(Math.abs(planted.mean - maskNoise), 5 * planted.standardError);
});

Deno.test("growth of the noise is that beyond p/(1 − p)", () => {
  const rows = [0.1, 0.5].flatMap((p) =>
    [0, 1].map((seed) => (
      {
        problem: "small" as const,
        trained: "with dropout" as const,
        steps: 1,
        p,
        seed,
        maskNoise: 3 * p / (1 - p) * (p === 0.5 ? 4 : 1),
        batchNoise: 1,
        signal: seed === 0 ? 3 : -1, // an estimate may be negative, their mean is not
      }
    ))
  );
  const [first, second] = summarizeNoise(rows);
  assertEquals(first.growth, null);
  assertAlmostEquals(second.growth!.mean, 2, 1e-14);
  assertAlmostEquals(second.noiseToSignal.mean, 13, 1e-14);
  assertAlmostEquals(second.maskShare.mean, 12 / 13, 1e-14);
});

// Batch normalization

const LAYOUTS = ["neither", "BN", "dropout", "dropout → BN", "BN → dropout"] as const;

Deno.test("layouts of a seed begin with the same weights, and have dropout and BN in the places that they name", async () => {
  const problem = await makeProblem("small", 64, 0);
  const models = LAYOUTS.flatMap((layout) =>
    (["none", "first", "last", "both"] as const).map((places) => {
      const model = norms.buildModel(problem, { problem: "small", layout, places, p: 0.5, seed: 0 });
      return { layout, places, layers: model.children() };
    })
  );
  const weights = (layers: readonly unknown[]) =>
    layers.filter((layer) => layer instanceof Linear).map((l) => l.weight.data);
  for (const { layout, places, layers } of models) {
    assertEquals(weights(layers), weights(models[0].layers));
    const kinds = layers.map((layer) => layer.constructor.name);
    const count = (kind: string) => kinds.filter((other) => other === kind).length;
    assertEquals(count("BatchNorm"), layout.includes("BN") ? 2 : 0);
    assertEquals(count("InvertedDropout"), { none: 0, first: 1, last: 1, both: 2 }[places]);
    const [drop, last] = [kinds.indexOf("InvertedDropout"), kinds.lastIndexOf("Linear")];
    if (layout === "dropout → BN" && drop > 0) assertEquals(kinds[drop + 1], "BatchNorm");
    if (layout === "BN → dropout" && places === "last") assertEquals(drop, last - 1, "after the last BN");
    if (places === "first") assertLess(drop, kinds.indexOf("Linear", 1));
  }
});

Deno.test("without dropout the ratios are 1 and (n − 1)/n; before a BN they follow the law of Li et al.", async () => {
  for (const seed of [0, 1, 2]) {
    const problem = await makeProblem("small", 512, seed);
    const build = (layout: norms.Layout, p: number) =>
      norms.buildModel(problem, { problem: "small", layout, places: "first", p, seed });
    const [first, second] = norms.varianceRatios(build("BN", 0), problem);
    assertAlmostEquals(first, 1, 1e-12);
    // The first BN divides by the variance over n − 1 in evaluation, over n in training; eps and ReLU change little more.
    assertAlmostEquals(second, 511 / 512, 1e-4);
    // In front of BN, dropout acts on the linear layer's outputs themselves: unit by unit (1 − p)/(1 + p·μ²/σ²).
    const model = build("dropout → BN", 0.5);
    const z = (model.children()[0] as Linear).forward(problem.train.x);
    const units = Array.from({ length: z.shape[1] }, (_, unit) => {
      const column = tensor(Array.from({ length: 512 }, (_, i) => z.at(i, unit)));
      const center = mean(column);
      return center ** 2 / mean(column.map((value) => (value - center) ** 2));
    });
    const theory = (p: number) => mean(tensor(units.map((moment) => (1 - p) / (1 + p * moment))));
    const [ratio] = norms.varianceRatios(model, problem);
    // A variance with dropout comes from 8·512 masks; its fourth moment is below 12 times its square, so that one unit is
    // known to √(11/4096) = 5 %, and the mean over 32 units to 1 % of the ratio.
    assertLess(Math.abs(ratio - theory(0.5)), 5 * 0.01 * ratio);
    assertGreater(Math.abs(ratio - theory(0.4)), 5 * 0.01 * ratio, "planted: another rate");
  }
});

Deno.test("after a linear layer the measured ratio is the law's, at any β of the first BN", async () => {
  for (const beta of [-1, 0, 2]) {
    const results = await Promise.all(Array.from({ length: 12 }, async (_, seed) => {
      const problem = await makeProblem("small", 512, seed);
      const model = norms.buildModel(problem, {
        problem: "small",
        layout: "BN → dropout",
        places: "first",
        p: 0.5,
        seed,
      });
      (model.children()[1] as BatchNorm).bias!.data.fill(beta);
      return norms.secondRatio(model, problem);
    }));
    const { mean: difference, standardError } = monteCarlo((i) => results[i].ratio - results[i].theory, 12);
    // Student's t with 11 degrees of freedom is beyond 5.5 once in 5,000. Batch statistics are biased by some 1/512.
    assertLess(Math.abs(difference), 5.5 * standardError + 2 / 512);
    const moments = monteCarlo((i) => results[i].meanSquaredOverVariance, 12).mean;
    // Of max(0, z + β) with z normal: 0.4669 at β = 0, and more the larger β is.
    if (beta === 0) assertLess(Math.abs(moments - 1 / (Math.PI - 1)), 0.05);
    else assert(beta > 0 ? moments > 3 : moments < 0.2);
  }
});

Deno.test("the table of orders compares at the same rate: with the last place, and with no dropout", () => {
  const row = (layout: norms.Layout, places: norms.Places, p: number, testLoss: number): norms.LayoutRow[] =>
    [0, 1].flatMap((seed) =>
      [0.1, 0.2].map((lr) => ({
        problem: "small" as const,
        layout,
        places,
        p,
        lr,
        steps: 1,
        seed,
        validationLoss: lr,
        testLoss: lr === 0.1 ? testLoss : 0, // planted: a lower test loss where validation is worse
        reestimated: layout.includes("BN") ? [testLoss + 1, testLoss - 1] : [],
        ratios: layout.includes("BN") ? [1, 0.5] : [],
      }))
    );
  const rows = [
    ...row("neither", "none", 0, 5),
    ...row("BN", "none", 0, 7),
    ...row("dropout", "first", 0.5, 4),
    ...row("dropout", "last", 0.5, 3.5),
    ...row("dropout → BN", "first", 0.5, 9),
    ...row("BN → dropout", "last", 0.5, 6),
    ...row("BN → dropout", "first", 0.5, 8),
    ...row("BN → dropout", "last", 0.2, 100),
  ];
  const cells = norms.summarizeOrders(rows);
  const find = (layout: norms.Layout) => cells.find((cell) => cell.layout === layout)!;
  assertEquals(find("dropout").againstNone!.mean, -1);
  assertEquals([find("dropout → BN").againstNone!.mean, find("dropout → BN").againstLast!.mean], [2, 3]);
  assertEquals([find("BN → dropout").againstNone!.mean, find("BN → dropout").againstLast], [-1, null]);
  assertEquals(find("BN").reestimation.map((change) => change.mean), [1, -1]);
  assertEquals(find("dropout").againstLast!.mean, 0.5, "without BN, like with like");
  assertEquals(find("dropout → BN").againstOtherOrder!.mean, 1);
  assertEquals([find("neither").againstNone, find("dropout").againstOtherOrder], [null, null]);
});

Deno.test("of each family the layout with the lowest mean validation loss counts, whatever the test says", () => {
  const row = (
    layout: norms.Layout,
    p: number,
    validationLoss: number,
    testLoss: number,
  ): norms.LayoutRow[] =>
    [0, 1].map((seed) => ({
      ...{ problem: "small" as const, layout, places: "both" as const, p, lr: 0.1, steps: 1, seed },
      ...{ validationLoss: validationLoss + seed, testLoss: testLoss + seed, reestimated: [], ratios: [] },
    }));
  const cells = norms.summarizeFamilies([
    ...row("neither", 0, 1, 10),
    ...row("BN", 0, 1, 11),
    ...row("dropout", 0.2, 2, 12),
    ...row("dropout", 0.5, 1, 13),
    ...row("dropout → BN", 0.2, 2, 1), // planted: a lower test loss where validation is worse
    ...row("BN → dropout", 0.2, 1, 14),
  ]);
  assertEquals(cells.map(({ family, layout, p, loss }) => [family, layout, p, loss.mean]), [
    ["neither", "neither", 0, 10.5],
    ["BN", "BN", 0, 11.5],
    ["dropout", "dropout", 0.5, 13.5],
    ["both", "BN → dropout", 0.2, 14.5],
  ]);
  assertEquals(cells[3].runs.map(({ seed }) => seed), [0, 1]);
});

// Coverage

Deno.test("weight decay and τ are each other's inverse, and give the loss of Gal and Ghahramani times two", () => {
  const positive = fc.integer({ min: -300, max: 300 }).map((i) => 10 ** (i / 100));
  fc.assert(
    fc.property(
      positive,
      positive,
      fc.integer({ min: 0, max: 95 }),
      fc.integer({ min: 1, max: 5000 }),
      (tau, lengthScale, percent, n) => {
        const options = { p: percent / 100, n, lengthScale };
        const weightDecay = coverage.weightDecayFor({ ...options, tau });
        assertAlmostEquals(coverage.tauOf({ ...options, weightDecay }) / tau, 1, 1e-12);
        // Theirs: (1/N)·Σ½e² + λ‖M‖², with λ = (1 − p)·l²/(2Nτ). Ours: (1/N)·Σe² + ½·weightDecay·‖W‖², with W = (1 − p)·M.
        const lambda = (1 - options.p) * lengthScale ** 2 / (2 * n * tau);
        const m = 0.7;
        const ours = 0.5 * weightDecay * ((1 - options.p) * m) ** 2;
        assertAlmostEquals(ours / (2 * lambda * m ** 2), 1, 1e-12);
      },
    ),
  );
  assertThrows(() => coverage.weightDecayFor({ p: 0.1, n: 10, tau: 0 }), RangeError, "must be above 0");
  assertThrows(() => coverage.tauOf({ p: 1, n: 10, weightDecay: 1 }), RangeError, "[0, 1)");
});

Deno.test("coverage counts inputs, region by region, and the regions are those of the samples", () => {
  const x = tensor([[-1], [-0.3], [0.25], [0.9]]);
  const inputs = [-2, -1, -0.5, -0.3, -0.29, 0, 0.24, 0.25, 0.9, 0.91];
  const predict = (shift: number, spread: number) =>
    coverage.compareWithTruth(
      inputs.map((input) => ({ input, mean: coverage.truth(input) + (input === 0 ? 10 : shift), spread })),
      x,
      0.03 ** 2,
      1,
    );
  // Data: −1, −0.5, −0.3, 0.25, 0.9. Hole: −0.29, 0, 0.24, of which 0 is predicted wrongly. Outside: −2 and 0.91.
  const covered = predict(0.1, 0.06);
  assertEquals(covered.covered, [1, 2 / 3, 1]);
  assertEquals(predict(0.1, 0.04).covered, [0, 0, 0]);
  covered.error.forEach((error, i) => assertAlmostEquals(error, [0.1, Math.sqrt(100.02 / 3), 0.1][i], 1e-12));
  covered.spread.forEach((spread) => assertAlmostEquals(spread, 0.06, 1e-15));
  assertEquals(predict(0, 100).coveredNoisy, [1, 1, 1]);
  assertEquals(
    coverage.compareWithTruth([{ input: 1, mean: 0, spread: 1 }], x, undefined, 1).coveredNoisy,
    [],
  );
});

Deno.test("noisy samples are covered as often as normal numbers lie within two deviations", () => {
  const x = tensor([[-1], [1]]); // all inputs between lie in the hole
  const inputs = Array.from({ length: 20_000 }, (_, i) => -1 + 2 * (i + 0.5) / 20_000);
  for (const seed of [1, 2, 3]) {
    const predict = (noise: number) =>
      coverage.compareWithTruth(
        inputs.map((input) => ({ input, mean: coverage.truth(input), spread: 0 })),
        x,
        noise,
        seed,
      )
        .coveredNoisy[1];
    const standardError = Math.sqrt(0.9545 * 0.0455 / inputs.length);
    assertLess(Math.abs(predict(0.03 ** 2) - 0.9545), 5 * standardError);
    assertGreater(Math.abs(predict(0.028 ** 2) - 0.9545), 5 * standardError, "planted: another noise");
  }
});

// Digits

const probabilities = (n: number, seed: number) => softmax(normals([n, 10], seed).map((value) => 3 * value));

Deno.test("entropy is between 0 and ln 10, disagreement between 0 and entropy", () => {
  for (const seed of [1, 2, 3]) {
    const passes = Array.from({ length: 7 }, (_, i) => probabilities(50, 10 * seed + i));
    const { mean, spread, entropy, information } = uncertainty.combine(passes);
    entropy.forEach((value, i) => {
      assert(value >= 0 && value <= Math.log(10) + 1e-12);
      assert(information[i] > 0 && information[i] <= value);
    });
    assertAlmostEquals(sum(mean), 50, 1e-9);
    const values = passes.map(({ data }) => data[3]);
    assertAlmostEquals(spread.data[3], monteCarlo((i) => values[i], 7).standardError * Math.sqrt(7), 1e-12);
    const alike = uncertainty.combine([passes[0], passes[0], passes[0]]);
    alike.information.forEach((value) => assertAlmostEquals(value, 0, 1e-12));
    assertLess(Math.max(...alike.spread.data), 1e-15);
    assertEquals(Math.max(...uncertainty.combine([passes[0]]).spread.data), 0);
  }
  const even = new Tensor(new Float64Array(10).fill(0.1), [1, 10]);
  const sure = new Tensor(Float64Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0), [1, 10]);
  const other = new Tensor(Float64Array.of(0, 1, 0, 0, 0, 0, 0, 0, 0, 0), [1, 10]);
  assertAlmostEquals(uncertainty.combine([even]).entropy[0], Math.log(10), 1e-12);
  assertEquals(uncertainty.combine([sure]).entropy[0], 0);
  const torn = uncertainty.combine([sure, other]);
  assertAlmostEquals(torn.information[0], Math.log(2), 1e-12, "each is sure, and they disagree");
  assertThrows(() => uncertainty.combine([]), RangeError);
});

Deno.test("a calibrated classifier has a small calibration error, a bold or a timid one a large one", () => {
  const n = 20_000;
  for (const seed of [1, 2, 3]) {
    const predicted = probabilities(n, seed);
    const rng = defaultRng(100 + seed);
    const labels = Array.from({ length: n }, (_, i) => {
      let rest = rng.random();
      for (let c = 0; c < 9; c++) {
        rest -= predicted.at(i, c);
        if (rest < 0) return c;
      }
      return 9;
    });
    const calibrated = uncertainty.reliability(predicted, labels);
    // In each bin the difference is noise of at most ½/√(share·n); ten bins: at most ½·√(10/n) together, on average.
    assertLess(calibrated.calibrationError, 2 * 0.5 * Math.sqrt(10 / n));
    assertAlmostEquals(calibrated.share.reduce((total, share) => total + share, 0), 1, 1e-12);
    calibrated.confidence.forEach((value, bin) => {
      if (value !== null) assert(value > bin / 10 - 1e-12 && value <= (bin + 1) / 10 + 1e-12);
    });
    for (const sharpness of [0.5, 2]) {
      const changed = softmax(predicted.map((value) => sharpness * Math.log(value)));
      assertGreater(uncertainty.reliability(changed, labels).calibrationError, 4 * 0.5 * Math.sqrt(10 / n));
    }
  }
  const rows = tensor([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0, 1]]);
  const { calibrationError, share, confidence, accuracy } = uncertainty.reliability(rows, [0, 1, 0, 1]);
  assertEquals([share[8], share[5], share[9]], [0.5, 0.25, 0.25], "0.9 belongs to the bin that ends there");
  assertEquals([accuracy[8], accuracy[5], accuracy[9], accuracy[0]], [0.5, 1, 1, null]);
  assertEquals([confidence[9], confidence[0]], [1, null]);
  assertAlmostEquals(calibrationError, 0.5 * 0.4 + 0.25 * 0.4, 1e-15);
});

Deno.test("the chance of the higher value: 1, 0, one half, and what is left for the other", () => {
  assertEquals(uncertainty.chanceOfHigher([3, 4], [1, 2]), 1);
  assertEquals(uncertainty.chanceOfHigher([1, 2], [3, 4]), 0);
  assertEquals(uncertainty.chanceOfHigher([1, 1], [1]), 0.5);
  const values = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 20 });
  fc.assert(fc.property(values, values, (a, b) => {
    assertAlmostEquals(uncertainty.chanceOfHigher(a, b) + uncertainty.chanceOfHigher(b, a), 1, 1e-12);
  }));
});

Deno.test("what is measured of a classifier of digits fits together", async () => {
  const off = await uncertainty.uncertainty.run({ method: "dropout off", p: 0.3, n: 1000, seed: 0 });
  const { ANGLES } = uncertainty;
  for (
    const column of [off.turnedError, off.turnedEntropy, off.turnedInformation, off.oneClass, off.oneSpread]
  ) {
    assertEquals(column.length, ANGLES.length);
  }
  assertLess(off.testError, 0.15);
  assert(
    off.turnedError[ANGLES.indexOf(90)] > 3 * off.turnedError[0],
    "a classifier of digits, not of turned ones",
  );
  assertEquals([off.oneClass[0], Math.max(...off.oneSpread)], [1, 0]);
  for (const value of [...off.turnedEntropy, ...off.noiseEntropy]) {
    assert(value >= 0 && value <= Math.log(10));
  }
  off.turnedInformation.forEach((value) => assertAlmostEquals(value, 0, 1e-12));
  const right = off.accuracy.reduce<number>((total, value, bin) => total + (value ?? 0) * off.share[bin], 0);
  assertAlmostEquals(1 - right, off.testError, 1e-12);
});

// Turned images

Deno.test("turning by multiples of 90° moves pixels, counterclockwise", () => {
  const image = tensor([[1, 2, 3, 4, 5, 6, 7, 8, 9]]);
  const close = (turned: Tensor, expected: number[]) =>
    expected.forEach((value, i) => assertAlmostEquals(turned.data[i], value, 1e-13));
  assertEquals(rotateImages(image, 0).data, image.data, "exactly");
  close(rotateImages(image, 90), [3, 6, 9, 2, 5, 8, 1, 4, 7]);
  close(rotateImages(image, -90), [7, 4, 1, 8, 5, 2, 9, 6, 3]);
  for (const side of [2, 5, 14]) {
    const random = normals([3, side * side], side);
    const reversed = Array.from(
      { length: 3 },
      (_, i) => Array.from(random.data.slice(i * side * side, (i + 1) * side * side)).reverse(),
    ).flat();
    close(rotateImages(random, 180), reversed);
    close(rotateImages(rotateImages(random, 90), 90), reversed);
    close(rotateImages(rotateImages(random, 37), 0), Array.from(rotateImages(random, 37).data));
    close(rotateImages(random, 397), Array.from(rotateImages(random, 37).data));
  }
});

Deno.test("turning is linear, keeps what is even, and interpolates a slope exactly", () => {
  const side = 9;
  const [a, b] = [normals([2, side * side], 1), normals([2, side * side], 2)];
  const both = rotateImages(a.map((value, i) => 2 * value - b.data[i]), 30);
  const [turnedA, turnedB] = [rotateImages(a, 30), rotateImages(b, 30)];
  both.data.forEach((value, i) => assertAlmostEquals(value, 2 * turnedA.data[i] - turnedB.data[i], 1e-12));
  // Far enough from the border, bilinear interpolation of a plane is the plane.
  for (const degrees of [10, 45, 123]) {
    const [cos, sin] = [Math.cos(degrees * Math.PI / 180), Math.sin(degrees * Math.PI / 180)];
    const plane = new Tensor(
      Float64Array.from({ length: side * side }, (_, i) => 3 + i % side - 4 + 2 * (Math.floor(i / side) - 4)),
      [1, side * side],
    );
    const turned = rotateImages(plane, degrees);
    for (let row = 2; row <= 6; row++) {
      for (let column = 2; column <= 6; column++) {
        const [right, down] = [column - 4, row - 4];
        const expected = 3 + (cos * right - sin * down) + 2 * (sin * right + cos * down);
        assertAlmostEquals(turned.at(0, row * side + column), expected, 1e-12);
      }
    }
  }
  assertThrows(() => rotateImages(zeros([2, 5]), 10), TypeError, "[n, side²]");
  assertThrows(() => rotateImages(zeros([2, 4]), Infinity), RangeError, "finite");
});

Deno.test("turning and combining leave what they are given alone", () => {
  const image = softmax(normals([2, 16], 1));
  const before = image.data.slice();
  rotateImages(image, 33);
  uncertainty.combine([image, image]);
  assertEquals(image.data, before);
});
