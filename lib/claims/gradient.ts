/**
 * Section 5: gradients through dropout.
 * @module
 */

import { applyMask, exactExpectation, gradcheck, Mask, multiply, sum, tensor } from "../mod.ts";
import { derivative, proveEqual } from "../symbolic.ts";
import { analyzeGradientVariance, demonstrateGradientFlow } from "../article/gradient_flow.ts";
import { compareOptimizers, learningRateStudy } from "../experiments/learning_rate_study.ts";
import { type Claim, defineClaim, show } from "./claim.ts";

const gradOutput = tensor([0.1, 0.2, 0.3, 0.4, 0.5]);

/** {@linkcode Claim} of section 5. */
export const gradientFormula = defineClaim({
  id: "gradient-formula",
  section: 5,
  by: "article",
  claim: "The gradient of x·m/(1 − p) with respect to x is m/(1 − p): same mask, same scale.",
  holds: "holds",
  known: "proved",
}, () => {
  const { proved } = proveEqual(derivative("x*m/(1-p)", "x"), "m/(1-p)");
  const mask = Mask.of(0, 1, 1, 1, 0);
  const check = gradcheck(
    (x) => applyMask(x, mask, 2),
    (g) => applyMask(g, mask, 2),
    tensor([1, 2, 3, 4, 5]),
  );
  return {
    supports: proved && check.ok,
    summary:
      `the derivative simplifies to m/(1 − p), and a gradient check of ${check.checked} entries passes`,
  };
});

/** {@linkcode Claim} of section 5. */
export const gradientMeanPreserved = defineClaim({
  id: "gradient-mean-preserved",
  section: 5,
  by: "article",
  claim: "Without the scale, gradients would be smaller on average; with it, their expectation is kept.",
  holds: "holds",
  known: "enumerated",
}, () => {
  const mean = (scale: number) => exactExpectation((mask) => applyMask(gradOutput, mask, scale), 5, 0.5).mean;
  const distance = (scale: number) =>
    Math.max(...mean(scale).data.map((g, i) => Math.abs(g - gradOutput.data[i])));
  return {
    supports: distance(2) < 1e-15 && distance(1) > 0.04,
    summary: `over all 32 masks each component's mean is kept; the largest distance is ${
      distance(2)
    }; without the scale it halves`,
  };
});

/** {@linkcode Claim} of section 5. */
export const gradientNormPreserved = defineClaim({
  id: "gradient-norm-preserved",
  section: 5,
  by: "article",
  claim: "Inverted scaling preserves the expected gradient magnitude.",
  holds: "false",
  known: "tested",
  but: "The expectation of each component is preserved; the norm grows, and E‖g‖² = ‖g‖²/(1 − p).",
}, () => {
  const { originalNorm, exactNorm, predictedRootMeanSquareNorm, sampledNorm } = demonstrateGradientFlow();
  const square = exactExpectation(
    (mask) => {
      const g = applyMask(gradOutput, mask, 2);
      return sum(multiply(g, g));
    },
    5,
    0.5,
  ).mean;
  const predicted = originalNorm ** 2 / 0.5;
  return {
    supports: exactNorm.mean > 1.3 * originalNorm && Math.abs(square - predicted) < 1e-14 &&
      Math.abs(predictedRootMeanSquareNorm ** 2 - predicted) < 1e-14 &&
      Math.abs(sampledNorm.mean - exactNorm.mean) < 4.5 * sampledNorm.standardError,
    summary:
      `‖g‖ = ${originalNorm.toFixed(4)} arrives, E‖g‖ = ${
        exactNorm.mean.toFixed(6)
      } leaves (all 32 masks); ` +
      `E‖g‖² = ${show(square)} = ‖g‖²/(1 − p)`,
  };
});

/** {@linkcode Claim} of section 5. */
export const gradientVarianceGrows = defineClaim({
  id: "gradient-variance-grows",
  section: 5,
  by: "article",
  claim: "A higher dropout rate gives gradients of higher variance.",
  holds: "holds",
  known: "tested",
}, () => {
  const { spreads } = analyzeGradientVariance();
  const random = spreads.filter(({ p }) => p > 0);
  // A standard deviation of 100 values has a relative standard error of 1/√198.
  const close = random.every(({ stdGrad, predictedStdGrad }) =>
    Math.abs(stdGrad / predictedStdGrad - 1) < 4.5 / Math.sqrt(198)
  );
  const grows = random.every(({ stdGrad }, i) => i === 0 || stdGrad > random[i - 1].stdGrad);
  const list = (of: (spread: typeof random[number]) => number) =>
    random.map((s) => of(s).toFixed(6)).join(", ");
  return {
    supports: close && grows,
    summary: `standard deviations ${list((s) => s.stdGrad)} at p = 0.2, 0.5, 0.8, as printed; ` +
      `√(p/(1 − p)·Σg²)/N gives ${list((s) => s.predictedStdGrad)}`,
  };
});

/** {@linkcode Claim} of section 5. */
export const lowerLearningRate = defineClaim({
  id: "lower-learning-rate",
  section: 5,
  by: "article",
  claim: "Networks with high dropout often benefit from lower learning rates.",
  holds: "holds if",
  known: "tested",
  but: "Shown for SGD at p = 0.8 in one small network; at 0.2 and 0.5 no shift was established there.",
}, () => {
  const learningRates = { SGD: [0.16], Adam: [] };
  const runs = learningRateStudy({ optimizers: ["SGD"], rates: [0, 0.8], learningRates });
  const failed = (p: number) => runs.filter((run) => run.p === p && run.failed).length;
  return {
    supports: failed(0) === 0 && failed(0.8) === 16,
    summary:
      `SGD with a learning rate of 0.16 fails in ${failed(0)} of 16 runs without dropout, and in ${
        failed(0.8)
      } of 16 ` +
      "at p = 0.8",
  };
});

/** {@linkcode Claim} of section 5. */
export const adamHelps = defineClaim({
  id: "adam-helps",
  section: 5,
  by: "article",
  claim: "Alternatively one may use an adaptive optimizer such as Adam.",
  holds: "holds if",
  known: "tested",
  but: "It ends lower than SGD without dropout, too: a better optimizer there, not a remedy for dropout.",
}, () => {
  const learningRates = { SGD: [0.04, 0.08, 0.16, 0.32], Adam: [0.004, 0.008, 0.016, 0.032] };
  const runs = learningRateStudy({ rates: [0, 0.8], learningRates });
  const [without, at80] = [0, 0.8].map((p) => compareOptimizers(runs, p, "heldOutLoss"));
  const ratio = ({ mean, standardError }: typeof without) =>
    `${Math.exp(mean).toFixed(2)} (${(mean / standardError).toFixed(1)} SE from 1)`;
  return {
    supports: [without, at80].every(({ mean, standardError }) => mean > 3 * standardError),
    summary:
      `16 seeds, each optimizer at its best learning rate, on samples not trained on: SGD's loss divided by ` +
      `Adam's is ${ratio(without)} without dropout and ${ratio(at80)} at p = 0.8`,
  };
});

/** The claims of section 5. */
export const gradientClaims: readonly Claim[] = [
  gradientFormula,
  gradientMeanPreserved,
  gradientNormPreserved,
  gradientVarianceGrows,
  lowerLearningRate,
  adamHelps,
];
