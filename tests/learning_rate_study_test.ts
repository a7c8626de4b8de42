/** The study of learning rates: what its runs share, how they are summarized and compared, and the gradient's noise. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import * as study from "../lib/experiments/learning_rate_study.ts";
import {
  type OptimizerName,
  type Setting,
  type TrainingRun,
  trainOnce,
} from "../lib/experiments/learning_rate_study.ts";
import { type Data, sampleData } from "../lib/experiments/two_layer_net.ts";
import {
  Adam,
  defaultRng,
  InvertedDropout,
  Linear,
  mean,
  monteCarlo,
  mseLoss,
  multiply,
  ReLU,
  Sequential,
  SGD,
  Tensor,
} from "../lib/mod.ts";

const SEEDS = [0, 1, 2, 3, 4];
const BOTH = ["trainLoss", "heldOutLoss"] as const;
const SGD_RUN: Setting = { optimizer: "SGD", p: 0.5, lr: 0.04 };

/** The samples of a seed: 128 to train on, 256 others. */
const dataOf = (seed: number) => [sampleData(128, 8, 2 * seed), sampleData(256, 8, 2 * seed + 1)];
const atZero = ({ y }: Data) => mean(multiply(y, y));

/** The study's network, built and trained a second time from its description. */
function trained(
  { optimizer: name, p, lr }: Setting,
  seed: number,
  steps: number,
): [Linear, Linear, Sequential] {
  const rng = defaultRng([seed, 0]);
  const [hidden, output] = [new Linear(8, 32, { rng }), new Linear(32, 1, { rng })];
  const model = new Sequential(
    hidden,
    new ReLU(),
    new InvertedDropout(p, { rng: defaultRng([seed, 1]) }),
    output,
  );
  const optimizer = new { SGD, Adam }[name](model.parameters(), { lr });
  const [{ x, y }] = dataOf(seed);
  for (let step = 0; step < steps; step++) {
    const first = 8 * (step % 16);
    const [inputs, targets] = [x.data.slice(8 * first, 8 * first + 64), y.data.slice(first, first + 8)];
    model.backward(mseLoss(model(new Tensor(inputs, [8, 8])), new Tensor(targets, [8, 1])).grad);
    optimizer.step();
  }
  model.eval();
  return [hidden, output, model];
}

// One training

Deno.test("a run repeats bit for bit, and is the training that its description names", () => {
  const settings: Setting[] = [
    SGD_RUN,
    { ...SGD_RUN, p: 0 },
    { ...SGD_RUN, lr: 0.08 }, // the same masks at another learning rate
    { optimizer: "Adam", p: 0.8, lr: 0.016 },
  ];
  for (const seed of SEEDS) {
    for (const setting of settings) {
      const run = trainOnce(setting, seed, { steps: 40 });
      assertEquals(run, trainOnce(setting, seed, { steps: 40 }));
      const [, , model] = trained(setting, seed, 40);
      const losses = dataOf(seed).map((data) => Math.min(mseLoss(model(data.x), data.y).loss, atZero(data)));
      assertEquals([run.trainLoss, run.heldOutLoss], losses);
      assertEquals({ ...setting, seed }, { optimizer: run.optimizer, p: run.p, lr: run.lr, seed: run.seed });
    }
  }
  assertEquals(trainOnce(SGD_RUN, 0), trainOnce(SGD_RUN, 0, { steps: 160 }), "the default");
  assert(trainOnce(SGD_RUN, 0, { steps: 39 }).trainLoss !== trainOnce(SGD_RUN, 0, { steps: 40 }).trainLoss);
});

Deno.test("all settings of a seed start from the same weights; other seeds have others", () => {
  const untrained = (seed: number) =>
    (["SGD", "Adam"] as const).flatMap((optimizer) =>
      [0, 0.5, 0.8].map((p) => trainOnce({ optimizer, p, lr: 0 }, seed, { steps: 3 }))
    );
  const losses = Array.from({ length: 16 }, (_, seed) => {
    const runs = untrained(seed);
    for (const measure of BOTH) assertEquals(new Set(runs.map((run) => run[measure])).size, 1);
    return runs[0];
  });
  assertEquals(new Set(losses.flatMap((run) => BOTH.map((measure) => run[measure]))).size, 2 * 16);
  // Where the loss was not capped it tells of the weights, not of the data alone.
  assertGreater(losses.filter((run) => !run.failed).length, 0);
});

Deno.test("no loss exceeds that of always answering 0; whoever reaches it on the training samples has failed", () => {
  for (const seed of SEEDS) {
    const [zero, zeroOthers] = dataOf(seed).map(atZero);
    for (const [optimizer, lr] of [["SGD", 10], ["SGD", 1e9], ["SGD", 1e300], ["Adam", 1e9]] as const) {
      const { trainLoss, heldOutLoss, failed } = trainOnce({ optimizer, p: 0.5, lr }, seed);
      assertEquals([trainLoss, heldOutLoss, failed], [zero, zeroOthers, true], `${optimizer}, ${lr}`);
    }
    for (const optimizer of ["SGD", "Adam"] as const) {
      for (const lr of study.LEARNING_RATES[optimizer]) {
        const { trainLoss, heldOutLoss, failed } = trainOnce({ optimizer, p: 0.8, lr }, seed, { steps: 32 });
        assert(trainLoss <= zero && heldOutLoss <= zeroOthers);
        assertEquals(failed, trainLoss === zero);
      }
      const learned = trainOnce({ optimizer, p: 0, lr: study.LEARNING_RATES[optimizer][3] }, seed);
      assertLess(learned.trainLoss, 0.5 * zero);
      assert(!learned.failed);
    }
  }
});

Deno.test("steps, rates and seeds out of range are refused", () => {
  for (const steps of [0, -1, 2.5, NaN, Infinity]) {
    const message = `The number of steps must be a positive integer, got ${steps}`;
    assertThrows(() => trainOnce(SGD_RUN, 0, { steps }), RangeError, message);
    assertThrows(() => study.learningRateStudy({ seeds: [0], steps }), RangeError, message);
  }
  for (const p of [1, -0.1, NaN]) {
    const message = `Dropout probability must be in [0, 1), got ${p}`;
    assertThrows(() => trainOnce({ ...SGD_RUN, p }, 0), RangeError, message);
    assertThrows(() => study.measureGradientNoise({ rates: [p], masks: 2, steps: 1 }), RangeError, message);
  }
  for (const lr of [-0.1, NaN, Infinity]) {
    for (const optimizer of ["SGD", "Adam"] as const) {
      assertThrows(() => trainOnce({ optimizer, p: 0, lr }, 0), RangeError, `lr must be`);
    }
  }
  for (const seed of [-1, 0.5, NaN]) {
    const message = `A seed must be a non-negative integer, got ${seed}`;
    assertThrows(() => trainOnce(SGD_RUN, seed), RangeError, message);
    assertThrows(() => study.measureGradientNoise({ seed }), RangeError, message);
  }
  const fewMasks = "at least 2, got 1";
  assertThrows(() => study.measureGradientNoise({ masks: 1, steps: 1 }), RangeError, fewMasks);
});

// The grid

Deno.test("the default grid: 2 optimizers, 4 drop probabilities, 7 doubling learning rates, 16 seeds, each once", () => {
  const runs = study.learningRateStudy({ steps: 1 });
  assertEquals(runs.length, 2 * 4 * 7 * 16);
  assertEquals(
    new Set(runs.map(({ optimizer, p, lr, seed }) => `${optimizer} ${p} ${lr} ${seed}`)).size,
    896,
  );
  for (const rates of Object.values(study.LEARNING_RATES)) {
    rates.slice(1).forEach((lr, i) => assertAlmostEquals(lr / rates[i], 2, 1e-15));
  }
});

Deno.test("a study is its runs: the options are heard, in this order", () => {
  const learningRates = { SGD: [0.02], Adam: [0.01, 0.004] };
  const runs = study.learningRateStudy({ rates: [0.5, 0], learningRates, seeds: [7, 3], steps: 4 });
  const settings = runs.map(({ optimizer, p, lr, seed }) => [optimizer, p, lr, seed]);
  assertEquals(settings.slice(0, 5), [
    ["SGD", 0.5, 0.02, 7],
    ["SGD", 0.5, 0.02, 3],
    ["SGD", 0, 0.02, 7],
    ["SGD", 0, 0.02, 3],
    ["Adam", 0.5, 0.01, 7],
  ]);
  assertEquals(runs.length, 2 * (1 + 2) * 2);
  for (const run of runs) assertEquals(run, trainOnce(run, run.seed, { steps: 4 }));
  const [last] = study.learningRateStudy({
    optimizers: ["Adam"],
    rates: [0],
    learningRates,
    seeds: [3],
    steps: 4,
  });
  assertEquals(last, runs[9]);
});

// Summaries of hand-made runs

/** Runs of one setting: one for each loss, with seeds 0, 1, …; what is held out is ten times as high. */
function handMade(optimizer: OptimizerName, lr: number, losses: number[], p = 0.5): TrainingRun[] {
  return losses.map((loss, seed) => (
    { optimizer, p, lr, seed, trainLoss: loss, heldOutLoss: 10 * loss, failed: loss >= 100 }
  ));
}

Deno.test("a cell holds the geometric mean and one standard error as a factor", () => {
  // Logarithms 0 and ln 4: mean ln 2, sample variance 2·(ln 2)², standard error ln 2. The arithmetic mean is 2.5.
  const runs = [
    ...handMade("SGD", 0.1, [1, 4]),
    ...handMade("SGD", 0.2, [3, 3, 100]),
    ...handMade("Adam", 0.1, [5, 5]),
  ];
  const [two, failing, even, ...more] = study.summarizeCells(runs, "trainLoss");
  assertEquals(more, []);
  assertAlmostEquals(two.loss, 2, 1e-14);
  assertAlmostEquals(two.errorFactor, 2, 1e-14);
  assertAlmostEquals(failing.loss, 900 ** (1 / 3), 1e-13);
  assertEquals([even.loss.toFixed(12), even.errorFactor], ["5.000000000000", 1]);
  assertEquals([two, failing, even].map(({ failed, n }) => [failed, n]), [[0, 2], [1, 3], [0, 2]]);
  assertEquals([two, failing, even].map(({ optimizer, lr }) => [optimizer, lr]), [
    ["SGD", 0.1],
    ["SGD", 0.2],
    ["Adam", 0.1],
  ]);
  assertAlmostEquals(study.summarizeCells(runs, "heldOutLoss")[0].loss, 20, 1e-13);
  assertEquals(study.bestCell([failing, two, even]), two);
  assertEquals(study.bestCell([two, { ...two, lr: 0.3 }]), two, "of equals, the first");
  const alone = () => study.summarizeCells(handMade("SGD", 0.1, [1]), "trainLoss");
  assertThrows(alone, RangeError, "at least 2, got 1");
});

/** Losses between 0.01 and 100, evenly on the logarithmic scale. */
const losses = (n: number) =>
  fc.array(fc.integer({ min: -200, max: 200 }).map((i) => 10 ** (i / 100)), { minLength: n, maxLength: n });

Deno.test("a cell's loss scales with its losses, its error factor does not, and order does not matter", () => {
  fc.assert(fc.property(losses(6), fc.integer({ min: 1, max: 99 }), (values, scale) => {
    const summary = (list: number[]) => study.summarizeCells(handMade("SGD", 0.1, list), "trainLoss")[0];
    const [cell, scaled] = [summary(values), summary(values.map((loss) => scale * loss))];
    // Each logarithm is at most 9.3 and has an error of a few 10⁻¹⁶ of that; their mean is exponentiated.
    assertAlmostEquals(scaled.loss / cell.loss, scale, 1e-13 * scale);
    assertAlmostEquals(scaled.errorFactor / cell.errorFactor, 1, 1e-13);
    assertAlmostEquals(summary(values.toReversed()).loss / cell.loss, 1, 1e-13);
    assert(cell.loss >= Math.min(...values) * (1 - 1e-13) && cell.loss <= Math.max(...values) * (1 + 1e-13));
  }));
});

Deno.test("each seed has its own best learning rate; of equals, the first", () => {
  const runs = [
    ...handMade("SGD", 0.25, [1, 5, 3]),
    ...handMade("SGD", 0.5, [2, 4, 3]),
    ...handMade("SGD", 2, [3, 1, 4]),
    ...handMade("Adam", 4, [0.1, 0.1, 0.1]),
    ...handMade("SGD", 8, [0.1, 0.1, 0.1], 0.8),
  ];
  assertEquals(study.bestRates(runs, "SGD", 0.5, "trainLoss"), [-2, 1, -2]);
  assertEquals(study.bestRates(runs, "Adam", 0.5, "heldOutLoss"), [2, 2, 2]);
  const other = runs.map((run) => run.seed === 0 ? { ...run, heldOutLoss: -run.lr } : run);
  assertEquals(study.bestRates(other, "SGD", 0.5, "heldOutLoss"), [1, 1, -2], "the other measure");
  const none = "The study has no runs of Adam with p = 0.8";
  assertThrows(() => study.bestRates(runs, "Adam", 0.8, "trainLoss"), RangeError, none);
  const neither = "The study has no runs of SGD with p = 0.3";
  assertThrows(() => study.compareOptimizers(runs, 0.3, "trainLoss"), RangeError, neither);
});

// SGD against Adam

Deno.test("even seeds choose for odd ones and odd for even: another answer than choosing for oneself", () => {
  // SGD's even seeds like 0.1, its odd ones 0.2; so the even ones are judged at 0.2, and the odd ones at 0.1.
  const runs = [
    ...handMade("SGD", 0.1, [1, 8, 1, 8]),
    ...handMade("SGD", 0.2, [4, 2, 4, 2]),
    ...handMade("Adam", 0.01, [1, 1, 1, 1]),
  ];
  const { mean, standardError, n } = study.compareOptimizers(runs, 0.5, "trainLoss");
  assertAlmostEquals(mean, (Math.log(4) + Math.log(8)) / 2, 1e-14);
  // ln 4 and ln 8, twice each: deviations of ½·ln 2, so √(4·(½·ln 2)²/3/4).
  assertAlmostEquals(standardError, Math.log(2) / Math.sqrt(12), 1e-14);
  assertEquals(n, 4);
  // Planted: each half at the rate that it likes best, so ln 1 and ln 2.
  assertAlmostEquals(choosingForOneself(runs), Math.log(2) / 2, 1e-14);
});

/** The fault: every half of the seeds is judged at the rate that it chose. */
function choosingForOneself(runs: TrainingRun[]): number {
  const least = (optimizer: OptimizerName, parity: number) =>
    Math.log(
      study.bestCell(study.summarizeCells(
        runs.filter((run) => run.optimizer === optimizer && run.seed % 2 === parity),
        "trainLoss",
      )).loss,
    );
  return [0, 1].reduce((total, parity) => total + least("SGD", parity) - least("Adam", parity), 0) / 2;
}

Deno.test("whoever has more rates to choose from gains nothing by luck; choosing for oneself, it does", () => {
  // Losses are noise: neither optimizer is better. SGD has seven rates to choose from, Adam one.
  for (const seed of SEEDS) {
    const rng = defaultRng(seed);
    const noise = () => Array.from(rng.standardNormal(16), Math.exp);
    const studies = Array.from({ length: 200 }, () => [
      ...study.LEARNING_RATES.SGD.flatMap((lr) => handMade("SGD", lr, noise())),
      ...handMade("Adam", 0.01, noise()),
    ]);
    const fair = monteCarlo(
      (i) => study.compareOptimizers(studies[i], 0.5, "trainLoss").mean,
      studies.length,
    );
    const biased = monteCarlo((i) => choosingForOneself(studies[i]), studies.length);
    // |z| > 4.5 has probability 7·10⁻⁶ in each of five seeds.
    assertLess(Math.abs(fair.mean), 4.5 * fair.standardError);
    assertLess(
      biased.mean,
      -4.5 * biased.standardError,
      "planted: the best of seven is chosen and judged at once",
    );
  }
});

Deno.test("exchanging the optimizers' names changes the sign and nothing else", () => {
  const fourLosses = fc.tuple(losses(6), losses(6), losses(6), losses(6));
  fc.assert(fc.property(fourLosses, fc.constantFrom(...BOTH), ([a, b, c, d], measure) => {
    const runs = [
      ...[...handMade("SGD", 1, a), ...handMade("SGD", 2, b)],
      ...[...handMade("Adam", 1, c), ...handMade("Adam", 2, d)],
    ];
    const swapped = runs.map((run): TrainingRun => ({
      ...run,
      optimizer: run.optimizer === "SGD" ? "Adam" : "SGD",
    }));
    const [there, back] = [runs, swapped].map((list) => study.compareOptimizers(list, 0.5, measure));
    // Logarithms below 10, each rounded by 10⁻¹⁵, and six of them added.
    assertAlmostEquals(there.mean, -back.mean, 1e-13);
    assertAlmostEquals(there.standardError, back.standardError, 1e-13);
  }));
});

Deno.test("runs are compared seed by seed: what all runs of a seed share cancels", () => {
  const shared = [1, 50, 3, 0.2, 7, 11];
  const runs = [...handMade("SGD", 1, shared.map((loss) => 3 * loss)), ...handMade("Adam", 1, shared)];
  const { mean, standardError } = study.compareOptimizers(runs, 0.5, "heldOutLoss");
  assertAlmostEquals(mean, Math.log(3), 1e-14);
  assertAlmostEquals(standardError, 0, 1e-14);
});

// The noise of the gradient

/**
 * The exact noise of one batch's gradient. With s = 1/(1 − p), a sample's error is e = c + Σⱼ aⱼ·s·mⱼ, where
 * aⱼ = wⱼ·hⱼ and c = b − y. All gradients are 2/8 times a sum over samples of e·s·mⱼ (times hⱼ, wⱼ or wⱼ·x), or of e.
 * E[s·m] = 1 and E[(s·m)²] = s give Var[e] = (s − 1)·Σa², and with μ and V, mean and variance of e without its
 * own unit j, Var[e·s·mⱼ] = (s − 1)·(μ + s·aⱼ)² + s·V.
 */
function exactNoise(p: number, seed: number, steps: number): number {
  const [hidden, output] = trained({ optimizer: "SGD", p: 0, lr: 0.1 }, seed, steps);
  const [w, b] = output.parameters().map(({ value }) => value.data);
  const [{ x, y }] = dataOf(seed);
  const before = hidden(x);
  const s = 1 / (1 - p);
  let noise = 0;
  for (let i = 0; i < 8; i++) {
    const h = Array.from(w, (_, j) => Math.max(0, before.at(i, j)));
    const a = h.map((value, j) => value * w[j]);
    const [sum, squares] = [a.reduce((t, v) => t + v), a.reduce((t, v) => t + v * v, 0)];
    const error = b[0] - y.data[i] + sum;
    const inputs = Array.from(x.data.slice(8 * i, 8 * i + 8)).reduce((t, v) => t + v * v, 1); // 1: the bias
    noise += (s - 1) * squares;
    a.forEach((aj, j) => {
      const variance = (s - 1) * (error - aj + s * aj) ** 2 + s * (s - 1) * (squares - aj * aj);
      noise += variance * (h[j] ** 2 + (h[j] > 0 ? w[j] ** 2 * inputs : 0));
    });
  }
  return noise * (2 / 8) ** 2;
}

Deno.test("in whatever order runs are listed, the same seeds are paired; seeds without a partner are refused", () => {
  const runs = study.learningRateStudy({
    rates: [0.5],
    learningRates: { SGD: [0.08], Adam: [0.008] },
    seeds: [0, 1, 2, 3],
    steps: 16,
  });
  const compare = (runs: study.TrainingRun[]) => study.compareOptimizers(runs, 0.5, "trainLoss");
  assertEquals(compare(runs.toReversed()), compare(runs));
  const { mean } = compare(runs);
  const log = (optimizer: string) =>
    runs.filter((run) => run.optimizer === optimizer).reduce(
      (total, run) => total + Math.log(run.trainLoss),
      0,
    ) / 4;
  assertAlmostEquals(mean, log("SGD") - log("Adam"), 1e-14);
  const unpaired = runs.map((run) => run.optimizer === "Adam" && run.seed === 3 ? { ...run, seed: 5 } : run);
  assertThrows(() => compare(unpaired), RangeError, "SGD and Adam need runs with the same seeds at p = 0.5");
});

Deno.test("the gradient's noise is the derived one, for several seeds; noise in proportion to the odds is not", () => {
  const rates = [0.05, 0.2, 0.5, 0.8];
  for (const seed of SEEDS) {
    const measured = study.measureGradientNoise({ rates, masks: 600, seed });
    measured.forEach(({ p, noise, standardError }) => {
      // 600 squares; |z| > 4.5 has probability 7·10⁻⁶ if their mean is normal, and there are 20 of them.
      assertLess(Math.abs(noise - exactNoise(p, seed, 100)), 4.5 * standardError, `p = ${p}, seed ${seed}`);
    });
    measured.slice(1).forEach(({ noise, standardError }, i) => {
      assertGreater(noise - measured[i].noise, 4.5 * Math.hypot(standardError, measured[i].standardError));
    });
    // Planted: the noise at 0.05 carried on in proportion to p/(1 − p), as if all errors stayed as they are.
    const [{ noise: small }, , , { noise: large, standardError }] = measured;
    assertGreater(large - small * (0.8 / 0.2) / (0.05 / 0.95), 4.5 * standardError);
  }
});

Deno.test("without dropout there is no noise; a rate's masks do not depend on the other rates", () => {
  for (const seed of SEEDS) {
    const [none, half] = study.measureGradientNoise({ rates: [0, 0.5], masks: 50, seed, steps: 20 });
    // 50 equal gradients: their mean is off by at most 50 roundings of each entry. ‖g‖ stays below 100.
    assertLess(none.noise, (50 * 2 ** -53 * 100) ** 2);
    assertLess(none.standardError, (50 * 2 ** -53 * 100) ** 2);
    assertEquals([half], study.measureGradientNoise({ rates: [0.5], masks: 50, seed, steps: 20 }));
    const others = [{ steps: 21 }, { seed: seed + 1 }, { masks: 51 }].map((changed) =>
      study.measureGradientNoise({ rates: [0.5], masks: 50, seed, steps: 20, ...changed })[0].noise
    );
    assertEquals(new Set([half.noise, ...others]).size, 4, "the options are heard");
  }
  assertEquals(study.measureGradientNoise({ masks: 2, steps: 1 }).map(({ p }) => p), [
    0.05,
    0.1,
    0.2,
    0.35,
    0.5,
    0.65,
    0.8,
    0.9,
  ]);
});
