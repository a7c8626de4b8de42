/**
 * Section 1: the original dropout and its problem.
 * @module
 */

import {
  applyMask,
  defaultRng,
  exactExpectation,
  inferenceWeight,
  matmul,
  multiply,
  sum,
  Tensor,
} from "../mod.ts";
import { resumeTraining } from "../experiments/resume_training.ts";
import { scalingMistakes } from "../experiments/scaling_mistakes.ts";
import { type Claim, defineClaim, show } from "./claim.ts";

/** {@linkcode Claim} of section 1. */
export const scaledWeightsMatch = defineClaim({
  id: "scaled-weights-match",
  section: 1,
  by: "article",
  claim: "Multiplying the weights by 1 − p at test time makes inference match the training statistics.",
  holds: "holds",
  known: "enumerated",
}, () => {
  const rng = defaultRng(42);
  const [x, w] = [new Tensor(rng.standardNormal(10), [1, 10]), new Tensor(rng.standardNormal(10), [10, 1])];
  const rates = [0.1, 0.25, 0.5, 0.8, 1];
  const errors = rates.map((p) => {
    const masked = (scale: Tensor) => matmul(x, scale).data[0];
    const { mean } = exactExpectation(
      (mask) => matmul(applyMask(x, mask.reshape([1, 10]), 1), w).data[0],
      10,
      p,
    );
    return Math.abs(mean - masked(inferenceWeight(w, p)));
  });
  const size = sum(multiply(x.map(Math.abs), w.map(Math.abs).reshape([1, 10])));
  const worst = Math.max(...errors);
  return {
    supports: worst <= 11 * Number.EPSILON * size, // a sum of ten products, rounded at most eleven times
    summary: `over all 1024 masks of a linear unit and ${rates.length} rates, the largest difference is ` +
      `${worst.toExponential(1)}`,
  };
});

/** {@linkcode Claim} of section 1. */
export const mistakesGrow = defineClaim({
  id: "mistakes-grow",
  section: 1,
  by: "article",
  claim: "With a rate per layer, scaling weights at inference is error-prone.",
  holds: "holds",
  known: "tested",
}, () => {
  const wrong = scalingMistakes({ depths: [1, 8] }).filter(({ mistake }) => mistake === "wrong rate");
  const [shallow, deep] = wrong;
  const gap = (deep.error - shallow.error) / Math.hypot(deep.standardError, shallow.standardError);
  return {
    supports: gap > 6,
    summary:
      `0.4 in place of 0.5 everywhere is wrong by ${show(100 * shallow.error, 3)} % after 1 layer and by ` +
      `${show(100 * deep.error, 3)} % after 8 (50 random networks each, ${
        show(gap, 3)
      } standard errors apart)`,
  };
});

/** {@linkcode Claim} of section 1. */
export const twoCheckpoints = defineClaim({
  id: "two-checkpoints",
  section: 1,
  by: "article",
  claim: "Training and inference need different weight matrices, which complicates checkpoints.",
  holds: "holds",
  known: "tested",
}, () => {
  const ratios = Array.from({ length: 10 }, (_, seed) => {
    const run = resumeTraining({ seed, after: 1 });
    return run.at(-1)!.loss / run.at(-2)!.loss;
  });
  return {
    supports: ratios.every((ratio) => ratio > 1.1),
    summary: `resumed from inference weights, the loss is ${show(Math.min(...ratios), 3)} to ` +
      `${show(Math.max(...ratios), 3)} times as high, in 10 of 10 networks`,
  };
});

/** The claims of section 1. */
export const originalClaims: readonly Claim[] = [scaledWeightsMatch, mistakesGrow, twoCheckpoints];
