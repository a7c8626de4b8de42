/**
 * Section 2: the equivalence of both schemes, and its limits.
 * @module
 */

import { applyMask, exactExpectation, sum, survivorScale, tensor } from "../mod.ts";
import { bernoulliExpectation, proveEqual } from "../symbolic.ts";
import { trainBothSchemes } from "../experiments/train_both_schemes.ts";
import { type Claim, show } from "./claim.ts";

/** The claims of section 2. */
export const equivalenceClaims: readonly Claim[] = [
  {
    id: "expectations-match",
    section: 2,
    claim: "With either scheme, the expected training output is the inference output.",
    verdict: "proved",
    evidence: expectationsMatch,
  },
  {
    id: "same-weights",
    section: 2,
    claim: "Both schemes have identical expected values at inference.",
    verdict: "refuted",
    instead:
      "With the same weights they differ by the factor 1 − p; they agree only if W_inverted = (1 − p)·W_standard.",
    evidence: sameWeights,
  },
  {
    id: "sgd-rates",
    section: 2,
    claim: "The only difference is when the compensation happens.",
    verdict: "tested",
    instead:
      "Under gradient descent also the step length: the same network is trained only if η_inverted = (1 − p)²·η_standard.",
    evidence: sgdRates,
  },
  {
    id: "through-nonlinearity",
    section: 2,
    claim: "Matching expectations make inference equal to the average over training.",
    verdict: "refuted",
    instead:
      "Only up to the next nonlinearity: behind a ReLU the training average is never below the inference output.",
    evidence: throughNonlinearity,
  },
  {
    id: "variance-added",
    section: 2,
    claim: "Inverted dropout keeps the mean of each activation (and is silent about the variance).",
    verdict: "proved",
    evidence: varianceAdded,
  },
];

function expectationsMatch() {
  const standard = proveEqual(bernoulliExpectation("W*x*m", "m", "1-p"), "(1-p)*W*x");
  const inverted = proveEqual(bernoulliExpectation("W*x*m/(1-p)", "m", "1-p"), "W*x");
  return {
    holds: standard.proved && inverted.proved,
    summary:
      `both differences simplify to 0 and vanish at ${standard.points + inverted.points} test points; ` +
      `condition: ${inverted.conditions.map(({ expression }) => `${expression} ≠ 0`).join(", ")}`,
  };
}

function sameWeights() {
  const { proved, counterexample } = proveEqual("(1-p)*W*x", "W*x");
  return {
    holds: !proved && counterexample !== undefined,
    summary: `(1 − p)·W·x and W·x differ, for example at ` +
      Object.entries(counterexample ?? {}).map(([name, value]) => `${name} = ${show(value, 3)}`).join(", "),
  };
}

function sgdRates() {
  const gap = (p: number, rateRatio: number) => trainBothSchemes({ p, seed: 1, rateRatio }).at(-1)!.weightGap;
  const matched = Math.max(gap(0.2, 0.8 ** 2), gap(0.5, 0.5 ** 2));
  const equal = Math.min(gap(0.2, 1), gap(0.5, 1));
  return {
    holds: matched < 200 * 100 * Number.EPSILON && equal > 0.01, // 200 steps of at most 100 roundings
    summary:
      `after 200 steps the weights differ by ${matched.toExponential(0)} with the matched step length, ` +
      `by ${show(100 * equal, 2)} % or more with equal ones`,
  };
}

function throughNonlinearity() {
  const x = tensor([1, -1]);
  const { mean } = exactExpectation((mask) => Math.max(0, sum(applyMask(x, mask, 2))), 2, 0.5);
  return {
    holds: mean === 0.5,
    summary: `for x = [1, −1], w = [1, 1] and p = ½, E[ReLU] = ${mean} over the four masks, but ReLU(E) = 0`,
  };
}

function varianceAdded() {
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
    holds: proved && close,
    summary: "the mean stays x; a variance of x²·p/(1 − p) is added (proved, and enumerated at three rates)",
  };
}
