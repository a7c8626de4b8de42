/**
 * Section 2: the equivalence of both schemes, and what inference has to do with the average over training.
 * @module
 */

import {
  add,
  applyMask,
  defaultRng,
  drawMask,
  enumerateMasks,
  exactExpectation,
  type Mask,
  matmul,
  monteCarlo,
  multiply,
  subtract,
  sum,
  survivorScale,
  Tensor,
  tensor,
} from "../mod.ts";
import { readStudy } from "../study/mod.ts";
import { estimateDifference, selectRows } from "../study/rows.ts";
import type { SchemesMeasured, SchemesSettings } from "../study/schemes.ts";
import type { UncertaintyRow } from "../study/uncertainty.ts";
import { bernoulliExpectation, derivative, proveEqual } from "../symbolic.ts";
import { type Claim, defineClaim, show, type Values } from "./claim.ts";

const largest = (x: Tensor) => Math.max(...x.data.map(Math.abs));

/** With the same weights, the outputs of both schemes at inference are not the same: they differ by 1 − p. */
export const sameWeights: Claim = defineClaim({
  id: "same-weights",
  section: 2,
  by: "article",
  claim: "Both schemes have identical expected values at inference.",
  holds: "false",
  known: "proved",
  but:
    "With the same weights they differ by the factor 1 − p, the bias aside; they agree if W′ = (1 − p)·W, W′ being the inverted network's.",
}, ({ p = 0.5 }: Values = {}) => {
  const [standard, inverted] = [1 - p, 1];
  const factor = proveEqual("(1-p)*W*x", "(1-p)*(W*x)").proved;
  return {
    supports: factor && !proveEqual("(1-p)*W*x", "W*x").proved && standard !== inverted,
    summary: `for W = x = 1 and p = ${p}, standard dropout gives ${show(standard)} at inference, inverted 1`,
  };
});

/** With W′ = (1 − p)·W both schemes are one function, for each mask, whatever nonlinearity follows. */
export const sameFunction: Claim = defineClaim({
  id: "same-function",
  section: 2,
  by: "here",
  claim:
    "If each mask goes straight into a weight matrix, and W′ = (1 − p)·W there, both schemes give the same output, for each mask and at inference, whatever nonlinearity follows.",
  holds: "holds",
  known: "proved",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  const training = proveEqual("((1-p)*W) * (x*m/(1-p))", "W*(x*m)");
  const [inputs, units] = [6, 4];
  const rng = defaultRng([seed, 20]);
  const [x, first, second] = [[1, inputs], [inputs, units], [units, 2]].map((shape) =>
    rng.standardNormal(shape)
  );
  const network = (mask: Mask, factor: number, scale: number, bend: (z: number) => number) => {
    const m = mask.toTensor().data;
    const cut = (start: number, end: number) => new Tensor(m.slice(start, end), [1, end - start]);
    const layer = (input: Tensor, kept: Tensor, weight: Tensor) =>
      matmul(multiply(multiply(input, kept), scale), multiply(weight, factor));
    const hidden = layer(x, cut(0, inputs), first).map(bend);
    return layer(hidden, cut(inputs, inputs + units), second);
  };
  const bends = [(z: number) => Math.max(0, z), Math.tanh, Math.sin];
  const masks = Array.from(enumerateMasks(inputs + units, p), ({ mask }) => mask);
  const distances = bends.flatMap((bend) =>
    masks.map((mask) =>
      largest(subtract(network(mask, 1, 1, bend), network(mask, 1 - p, survivorScale(p), bend)))
    )
  );
  // Two layers of at most 6 products: some 20 roundings, relative to Σ|w||x| of both (ReLU and the others only shrink).
  const size = sum(matmul(matmul(x.map(Math.abs), first.map(Math.abs)), second.map(Math.abs)));
  return {
    supports: training.proved && Math.max(...distances) < 20 * Number.EPSILON * size,
    summary:
      `what enters the next unit is the same, (1 − p)·W·x·m/(1 − p) = W·x·m (${training.difference} remains), and so on ` +
      `layer by layer; at p = ${p}, seed ${seed}, outputs after ReLU, tanh and sine differ by at most ` +
      `${show(Math.max(...distances), 1)} in all ${masks.length} masks`,
  };
});

/** Under gradient descent the pair stays one function if η′ = (1 − p)²·η, and parts at another rate. */
export const sgdRates: Claim = defineClaim({
  id: "sgd-rates",
  section: 2,
  by: "article",
  claim: "The only difference is when the compensation happens.",
  holds: "holds if",
  known: "proved",
  but:
    "If the learning rate is counted, too: a pair with W′ = (1 − p)·W remains one under gradient descent if η′ = (1 − p)²·η for the weights (biases: η), and at any other rate it ends in the first step that changes a weight.",
}, async (_: Values = {}) => {
  const [standard, inverted] = [derivative("g*W*x*m", "W"), derivative("g*V*x*m/(1-p)", "V")];
  const apart = proveEqual(
    `((1-p)*W - r*(${inverted})) - (1-p)*(W - eta*(${standard}))`,
    "((1-p)^2*eta - r) * g*x*m/(1-p)",
  );
  const rows = await readStudy<SchemesSettings & SchemesMeasured>("schemes");
  const [scaled, equal] = (["scaled", "equal"] as const).map((rates) => selectRows(rows, { rates }));
  const gap = Math.max(...scaled.flatMap(({ weightGap }) => weightGap));
  const answers = equal.map(({ disagreement }) => 100 * disagreement.at(-1)!);
  return {
    // 200 steps of at most 100 roundings each; one in a hundred of 4,000 answers is more than rounding can change.
    supports: apart.proved && gap < 200 * 100 * Number.EPSILON && Math.min(...answers) > 1 &&
      scaled.every(({ disagreement }) => disagreement.every((share) => share === 0)),
    summary:
      "after a step W′ - (1 - p)·W = ((1 - p)²·η - η′)·g·x·m/(1 - p), which is 0, where g·x·m is not, only if " +
      `η′ = (1 - p)²·η; in the study's ${scaled.length} pairs on digits with matched rates, weights differ by ` +
      `${show(gap, 2)} after 200 steps and no answer does; with equal rates ${
        Math.floor(Math.min(...answers))
      } to ` +
      `${Math.ceil(Math.max(...answers))} % of the answers do`,
  };
});

/** The average of a linear layer over all masks is its output at inference, in both schemes. */
export const expectationsMatch: Claim = defineClaim({
  id: "expectations-match",
  section: 2,
  by: "article",
  claim: "With either scheme, the expected output of a linear layer in training is its output at inference.",
  holds: "holds",
  known: "proved",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  const proofs = [
    proveEqual(bernoulliExpectation("W*x*m", "m", "1-p"), "(1-p)*W*x"),
    proveEqual(bernoulliExpectation("W*x*m/(1-p)", "m", "1-p"), "W*x"),
  ];
  const rng = defaultRng([seed, 21]);
  const [x, W, b] = [[1, 8], [8, 3], [1, 3]].map((shape) => rng.standardNormal(shape));
  const distances = [[1, 1 - p], [survivorScale(p), 1]].map(([scale, factor]) => {
    const training = (mask: Mask) => add(matmul(applyMask(x, mask.reshape([1, 8]), scale), W), b);
    const inference = add(matmul(x, multiply(W, factor)), b);
    return largest(subtract(exactExpectation(training, 8, p).mean, inference));
  });
  // 8 products and a bias, and 256 terms of the average: each rounds relative to Σ|W||x|/(1 − p) + |b|.
  const size = sum(matmul(x.map(Math.abs), W.map(Math.abs))) * survivorScale(p) + sum(b.map(Math.abs));
  return {
    supports: proofs.every(({ proved }) => proved) &&
      Math.max(...distances) < (10 + 256) * Number.EPSILON * size,
    summary:
      `both differences simplify to ${
        proofs[0].difference
      }, for p ≠ 1; with p = ${p}, seed ${seed}, all 256 ` +
      `masks of 8 inputs average to the inference output within ${show(Math.max(...distances), 1)}`,
  };
});

/** Inverted dropout keeps the mean of an activation x and adds the variance x²·p/(1 − p). */
export const varianceAdded: Claim = defineClaim({
  id: "variance-added",
  section: 2,
  by: "here",
  claim: "Inverted dropout keeps the mean of an activation x, and gives it the variance x²·p/(1 − p).",
  holds: "holds",
  known: "proved",
}, ({ p = 0.5 }: Values = {}) => {
  const second = bernoulliExpectation("(x*m/(1-p))^2", "m", "1-p");
  const { proved, difference } = proveEqual(`${second} - x^2`, "x^2*p/(1-p)");
  const exact = exactExpectation((mask) => applyMask(tensor([3]), mask, survivorScale(p)).data[0], 1, p);
  const theory = 9 * p / (1 - p);
  return {
    // A handful of roundings, relative to the largest of the two outputs and to its square.
    supports: proved && Math.abs(exact.mean - 3) < 8 * Number.EPSILON * 3 * survivorScale(p) &&
      Math.abs(exact.variance - theory) < 8 * Number.EPSILON * 9 * survivorScale(p) ** 2,
    summary:
      `E[y²] - x² minus x²·p/(1 - p) simplifies to ${difference}; for x = 3 and p = ${p}, both masks give the ` +
      `mean ${show(exact.mean)} and the variance ${show(exact.variance)}`,
  };
});

/** A sampled average shows what shifts it by several standard errors σ/√T, and nothing less. */
export const samplingAgrees: Claim = defineClaim({
  id: "sampling-agrees",
  section: 2,
  by: "here",
  claim:
    "An average over T masks agrees with the exact one within a few σ/√T, and rarely finds a fault well below that.",
  holds: "holds",
  known: "tested",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  const [n, T, streams] = [8, 10_000, 10];
  const terms = defaultRng([seed, 22]).standardNormal([n]); // w·x, one for each input
  const unit = (mask: Mask) => sum(applyMask(terms, mask, survivorScale(p)));
  const exact = exactExpectation(unit, n, p);
  const se = Math.sqrt(exact.variance / T);
  const scores = Array.from({ length: streams }, (_, stream) => {
    const rng = defaultRng([seed, 23, stream]);
    return (monteCarlo(() => unit(drawMask([n], p, { rng })), T).mean - exact.mean) / se;
  });
  // Planted faults are constants added to each output, so that the scores move by as many standard errors.
  const found = (fault: number) => scores.filter((score) => Math.abs(score + fault) > 6).length;
  return {
    supports: found(0) === 0 && found(12) === streams && found(1) === 0,
    summary: `${streams} averages of ${T} masks (8 inputs, p = ${p}, seed ${seed}) lie within ` +
      `${
        show(Math.max(...scores.map(Math.abs)), 2)
      } standard errors of the exact one; at a limit of 6, a fault ` +
      `of 12 standard errors is found in ${found(12)} of ${streams}, one of 1 in ${found(1)}`,
  };
});

/** After a nonlinearity, the average over training is not the inference output. */
export const throughNonlinearity: Claim = defineClaim({
  id: "through-nonlinearity",
  section: 2,
  by: "article",
  claim: "Matching expectations make inference equal to the average over training.",
  holds: "false",
  known: "enumerated",
  but:
    "They do where all from the masks to the output is linear; after a ReLU whose input depends linearly on the masks, the average over training is never below the inference output, and above it if masks take that input to both sides of 0; after further layers it may be on either side.",
}, async ({ p = 0.5 }: Values = {}) => {
  const x = tensor([1, -1]);
  const { mean } = exactExpectation((mask) => Math.max(0, sum(applyMask(x, mask, survivorScale(p)))), 2, p);
  const rows = selectRows(await readStudy<UncertaintyRow>("uncertainty"), { p: 0.3, n: 1000 });
  const [passes, one] = (["MC dropout", "dropout off"] as const).map((method) =>
    selectRows(rows, { method })
  );
  const loss = estimateDifference(passes, one, ({ testLoss }) => testLoss);
  return {
    supports: Math.abs(mean - p) < 8 * Number.EPSILON && Math.abs(loss.mean) > 4.5 * loss.standardError,
    summary:
      `for x = [1, -1], w = [1, 1], p = ${p}, all four masks give E[ReLU] = ${
        show(mean)
      }, but ReLU(E) = 0; in the ` +
      `study's ${passes.length} digit networks (p = 0.3) the mean of passes and one evaluation pass differ in loss by ` +
      `${show(loss.mean, 2)} ± ${show(loss.standardError, 1)}`,
  };
});

/** The claims of section 2. */
export const equivalenceClaims: readonly Claim[] = [
  sameWeights,
  sameFunction,
  sgdRates,
  expectationsMatch,
  varianceAdded,
  samplingAgrees,
  throughNonlinearity,
];
