/**
 * Section 2: the equivalence of both schemes, and its limits.
 * @module
 */

import { applyMask, exactExpectation, sum, survivorScale, tensor } from "../mod.ts";
import { bernoulliExpectation, proveEqual } from "../symbolic.ts";
import { trainBothSchemes } from "../experiments/train_both_schemes.ts";
import { type Claim, defineClaim, show } from "./claim.ts";

/** {@linkcode Claim} of section 2. */
export const expectationsMatch = defineClaim({
  id: "expectations-match",
  section: 2,
  by: "article",
  claim: "With either scheme, the expected training output is the inference output.",
  holds: "holds",
  known: "proved",
}, () => {
  const standard = proveEqual(bernoulliExpectation("W*x*m", "m", "1-p"), "(1-p)*W*x");
  const inverted = proveEqual(bernoulliExpectation("W*x*m/(1-p)", "m", "1-p"), "W*x");
  return {
    supports: standard.proved && inverted.proved,
    summary:
      `both differences simplify to 0 and vanish at ${standard.points + inverted.points} test points; ` +
      `condition: ${inverted.conditions.map(({ expression }) => `${expression} ≠ 0`).join(", ")}`,
  };
});

/** {@linkcode Claim} of section 2. */
export const sameWeights = defineClaim({
  id: "same-weights",
  section: 2,
  by: "article",
  claim: "Both schemes have identical expected values at inference.",
  holds: "false",
  known: "tested",
  but:
    "With the same weights they differ by the factor 1 − p; they agree only if W_inverted = (1 − p)·W_standard.",
}, () => {
  const { proved, counterexample } = proveEqual("(1-p)*W*x", "W*x");
  return {
    supports: !proved && counterexample !== undefined,
    summary: `(1 − p)·W·x and W·x differ, for example at ` +
      Object.entries(counterexample ?? {}).map(([name, value]) => `${name} = ${show(value, 3)}`).join(", "),
  };
});

/** {@linkcode Claim} of section 2. */
export const sgdRates = defineClaim({
  id: "sgd-rates",
  section: 2,
  by: "article",
  claim: "The only difference is when the compensation happens.",
  holds: "holds if",
  known: "tested",
  but:
    "Under gradient descent also the step length: the same network is trained only if η_inverted = (1 − p)²·η_standard.",
}, () => {
  const gap = (p: number, rateRatio: number) => trainBothSchemes({ p, seed: 1, rateRatio }).at(-1)!.weightGap;
  const matched = Math.max(gap(0.2, 0.8 ** 2), gap(0.5, 0.5 ** 2));
  const equal = Math.min(gap(0.2, 1), gap(0.5, 1));
  return {
    supports: matched < 200 * 100 * Number.EPSILON && equal > 0.01, // 200 steps of at most 100 roundings
    summary:
      `after 200 steps the weights differ by ${matched.toExponential(0)} with the matched step length, ` +
      `by ${show(100 * equal, 2)} % or more with equal ones`,
  };
});

/** {@linkcode Claim} of section 2. */
export const throughNonlinearity = defineClaim({
  id: "through-nonlinearity",
  section: 2,
  by: "article",
  claim: "Matching expectations make inference equal to the average over training.",
  holds: "false",
  known: "tested",
  but:
    "Only up to the next nonlinearity: behind a ReLU the training average is never below the inference output.",
}, () => {
  const x = tensor([1, -1]);
  const { mean } = exactExpectation((mask) => Math.max(0, sum(applyMask(x, mask, 2))), 2, 0.5);
  return {
    supports: mean === 0.5,
    summary: `for x = [1, −1], w = [1, 1] and p = ½, E[ReLU] = ${mean} over the four masks, but ReLU(E) = 0`,
  };
});

/** {@linkcode Claim} of section 2. */
export const varianceAdded = defineClaim({
  id: "variance-added",
  section: 2,
  by: "article",
  claim: "Inverted dropout keeps the mean of each activation (and is silent about the variance).",
  holds: "holds",
  known: "proved",
}, () => {
  const { proved } = proveEqual("(1-p)*(x/(1-p))^2 - x^2", "x^2*p/(1-p)");
  const rates = [0.1, 0.5, 0.8];
  const exact = rates.map((p) =>
    exactExpectation((mask) => applyMask(tensor([3]), mask, survivorScale(p)).data[0], 1, p)
  );
  const close = exact.every(({ mean, variance }, i) => {
    const theory = 9 * rates[i] / (1 - rates[i]);
    return Math.abs(mean - 3) < 1e-14 && Math.abs(variance - theory) < 1e-13 * theory;
  });
  return {
    supports: proved && close,
    summary: "the mean stays x; a variance of x²·p/(1 − p) is added (proved, and enumerated at three rates)",
  };
});

/** The claims of section 2. */
export const equivalenceClaims: readonly Claim[] = [
  expectationsMatch,
  sameWeights,
  sgdRates,
  throughNonlinearity,
  varianceAdded,
];
