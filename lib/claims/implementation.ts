/**
 * Section 3: the implementation and its demonstration.
 * @module
 */

import {
  applyMask,
  defaultRng,
  drawMask,
  exactExpectation,
  gradcheck,
  mean,
  multiply,
  survivorScale,
  Tensor,
  tensor,
} from "../mod.ts";
import { compareStandardVsInverted, type Comparison } from "../article/compare_standard_vs_inverted.ts";
import { type Claim, defineClaim, show } from "./claim.ts";

/** The demonstration takes seconds, and two claims rest on it. */
let demonstration: Comparison | undefined;

/** {@linkcode Claim} of section 3. */
export const scaleIsUnique = defineClaim({
  id: "scale-is-unique",
  section: 3,
  by: "article",
  claim: "Scaling by 1/(1 − p) keeps the expected value; at p = 0.8 the survivors work five times harder.",
  holds: "holds",
  known: "enumerated",
}, () => {
  const average = (p: number, scale: number) =>
    exactExpectation((mask) => applyMask(tensor([3]), mask, scale).data[0], 1, p).mean;
  const rates = [0.1, 0.5, 0.8];
  const kept = rates.every((p) => Math.abs(average(p, survivorScale(p)) - 3) <= 6 * Number.EPSILON);
  const lost = rates.every((p) => Math.abs(average(p, 1.01 * survivorScale(p)) - 3) > 0.02);
  return {
    supports: kept && lost && Math.abs(survivorScale(0.8) - 5) < 1e-14,
    summary: `1/(1 − 0.8) = ${
      survivorScale(0.8)
    } keeps the mean exactly; a scale that is 1 % larger does not`,
  };
});

/** {@linkcode Claim} of section 3. */
export const sameMaskBackward = defineClaim({
  id: "same-mask-backward",
  section: 3,
  by: "article",
  claim: "The backward pass uses the mask and the scale of the forward pass.",
  holds: "holds",
  known: "tested",
}, () => {
  const x = new Tensor(defaultRng(1).standardNormal(20));
  const [mask, other] = [
    drawMask([20], 0.5, { rng: defaultRng(2) }),
    drawMask([20], 0.5, { rng: defaultRng(3) }),
  ];
  const forward = (value: Tensor) => applyMask(value, mask, 2);
  const right = gradcheck(forward, (g) => applyMask(g, mask, 2), x);
  const wrong = gradcheck(forward, (g) => applyMask(g, other, 2), x);
  return {
    supports: right.ok && !wrong.ok,
    summary:
      `a gradient check of ${right.checked} entries passes with the forward mask and fails with a new one`,
  };
});

/** {@linkcode Claim} of section 3. */
export const digitsReproduced = defineClaim({
  id: "digits-reproduced",
  section: 3,
  by: "article",
  claim: "The demonstration's averages over 10,000 masks lie close to its inference outputs.",
  holds: "holds",
  known: "tested",
}, () => {
  const { standard, inverted } = demonstration ??= compareStandardVsInverted();
  const digits = [standard, inverted].map(({ trainMean, inference }) =>
    [mean(trainMean), mean(inference)].map((value) => value.toFixed(6)).join(" and ")
  );
  const within = [standard, inverted].every(({ progress, grandMeanSpread, elementSpread }) => {
    const { grandMeanError, elementError } = progress.at(-1)!;
    return grandMeanError < 4.5 * grandMeanSpread / 100 &&
      elementError < (1 + 4.5 * 0.022) * elementSpread / 100; // an RMS of some 1000 errors: 2.2 %
  });
  return {
    supports: within && digits.join("; ") === "0.002291 and 0.002220; 0.004672 and 0.004440",
    summary: `means ${digits.join("; ")}, as printed; single outputs are off by ` +
      `${show(standard.progress.at(-1)!.elementError, 2)} and ${
        show(inverted.progress.at(-1)!.elementError, 2)
      }, ` +
      "as 10,000 masks leave them",
  };
});

/** {@linkcode Claim} of section 3. */
export const equivalentResults = defineClaim({
  id: "equivalent-results",
  section: 3,
  by: "article",
  claim: "The demonstration shows that both schemes produce equivalent inference results.",
  holds: "false",
  known: "tested",
  but:
    "Every inference output of one scheme is twice that of the other; each is met by its own training average.",
}, () => {
  const { standard, inverted } = demonstration ??= compareStandardVsInverted();
  const twice = multiply(standard.inference, 2).data;
  return {
    supports: inverted.inference.data.every((value, i) => value === twice[i]),
    summary: `all ${twice.length} inference outputs differ by exactly the factor 2; the means are ` +
      `${mean(standard.inference).toFixed(6)} and ${mean(inverted.inference).toFixed(6)}`,
  };
});

/** The claims of section 3. */
export const implementationClaims: readonly Claim[] = [
  scaleIsUnique,
  sameMaskBackward,
  digitsReproduced,
  equivalentResults,
];
