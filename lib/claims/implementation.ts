/**
 * Section 3: the implementation and its demonstration.
 * @module
 */

import {
  applyMask,
  defaultRng,
  enumerateMasks,
  exactExpectation,
  gradcheck,
  InvertedDropout,
  invertedDropout,
  invertedDropoutBackward,
  type Mask,
  matmul,
  mean,
  multiply,
  numericalGradient,
  ones,
  RandomState,
  subtract,
  sum,
  survivorScale,
  Tensor,
  tensor,
  transpose,
} from "../mod.ts";
import { compareStandardVsInverted, type Comparison } from "../article/compare_standard_vs_inverted.ts";
import { type Claim, defineClaim, show, type Values } from "./claim.ts";

/** The article's demonstration draws 20,000 masks; two claims rest on it. */
let demonstration: Comparison | undefined;

/** The one scale that keeps the expected value is 1/(1 − p). */
export const scaleIsUnique: Claim = defineClaim({
  id: "scale-is-unique",
  section: 3,
  by: "article",
  claim: "Survivors must be scaled by 1/(1 − p) to keep the expected value, fivefold where 80 % are dropped.",
  holds: "holds",
  known: "enumerated",
}, ({ p = 0.5 }: Values = {}) => {
  const entries = 3;
  // How often each entry is kept; every entry of s·m·x is linear in it, whatever the scale s is.
  const keptOnAverage = (rate: number) =>
    exactExpectation((mask) => mask.toTensor(), entries, rate).mean.data;
  const rates = [p, 0.8];
  const worst = Math.max(
    ...rates.flatMap((rate) => Array.from(keptOnAverage(rate), (kept) => Math.abs(kept - (1 - rate)))),
  );
  const scales = rates.map((rate) => show(survivorScale(rate)));
  return {
    // Eight terms of at most 1, each a product of three numbers: a dozen roundings.
    supports: worst <= 12 * Number.EPSILON && scales.at(-1) === "5",
    summary:
      `over all ${
        2 ** entries
      } masks of ${entries} entries, each entry is kept with a probability of 1 − p, ` +
      `within ${worst.toExponential(0)}, at the drop probabilities ${
        rates.join(" and ")
      }; so the average of s·m·x is ` +
      `(1 − p)·s·x for any scale s, which is x for s = 1/(1 − p) only: ${scales.join(" and ")}`,
  };
});

/** Only the mask of the forward pass makes a backward pass right. */
export const sameMaskBackward: Claim = defineClaim({
  id: "same-mask-backward",
  section: 3,
  by: "article",
  claim: "The backward pass must use the mask and the scale of the forward pass.",
  holds: "holds",
  known: "enumerated",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  const entries = 3;
  const x = new Tensor(defaultRng([seed, 0]).standardNormal(entries));
  const scale = survivorScale(p);
  const passes = (forward: Mask, backward: Mask, factor = 1) =>
    gradcheck((value) => applyMask(value, forward, scale), (g) => applyMask(g, backward, factor * scale), x)
      .ok;
  const masks = Array.from(enumerateMasks(entries, p), ({ mask }) => mask);
  const pairs = masks.flatMap((forward) => masks.map((backward) => ({ forward, backward })));
  const asItShould = pairs.filter(({ forward, backward }) =>
    passes(forward, backward) === (forward === backward)
  );
  const notEmpty = masks.filter(({ kept }) => kept > 0);
  const otherScale = notEmpty.filter((mask) => passes(mask, mask, 1.01));
  const bothOff = masks.filter((mask) =>
    gradcheck((value) => applyMask(value, mask, 1.01 * scale), (g) => applyMask(g, mask, 1.01 * scale), x).ok
  );
  const agree = (p * p + (1 - p) ** 2) ** entries;
  return {
    supports: asItShould.length === pairs.length && otherScale.length === 0 &&
      bothOff.length === masks.length,
    summary:
      `of ${pairs.length} pairs of masks of ${entries} entries, a gradient check passes the ${masks.length} ` +
      `that are equal and fails the other ${
        pairs.length - masks.length
      }; it fails a scale that is 1 % off in one pass, and passes one that is in both. ` +
      `Two masks drawn apart are equal in ${show(100 * agree, 3)} % of all cases`,
  };
});

/** Averaging hides a redrawn mask if the loss is linear in each entry, and not from a squared one. */
export const redrawnOnAverage: Claim = defineClaim({
  id: "redrawn-on-average",
  section: 3,
  by: "here",
  claim: "A backward pass that draws a mask of its own is right on average.",
  holds: "holds if",
  known: "enumerated",
  but:
    "It is enough that the loss is linear in each entry of the output, as Σ t·y and y₁·y₂ are. With ½(y − t)² the average gradient is x − t in place of x/(1 − p) − t.",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  const entries = 5;
  const rng = defaultRng([seed, 1]);
  const [x, t] = [0, 1].map(() => new Tensor(rng.standardNormal(entries)));
  const scale = survivorScale(p);
  // Averages over all masks of the forward pass; a redrawn mask is averaged over all masks by itself.
  const redraw = (g: Tensor) => exactExpectation((mask) => applyMask(g, mask, scale), entries, p).mean;
  const averageOf = (gradOf: (y: Tensor) => Tensor) => {
    const over = (backward: (g: Tensor, mask: Mask) => Tensor) =>
      exactExpectation((mask) => backward(gradOf(applyMask(x, mask, scale)), mask), entries, p).mean;
    return { reused: over((g, mask) => applyMask(g, mask, scale)), redrawn: over(redraw) };
  };
  const norm = (g: Tensor) => Math.sqrt(sum(multiply(g, g)));
  const linear = averageOf(() => t);
  const product = averageOf(({ data: [first, second] }) => tensor([second, first, 0, 0, 0]));
  const squared = averageOf((y) => subtract(y, t));
  const offBy = norm(subtract(squared.redrawn, squared.reused));
  const predicted = norm(multiply(x, p * scale));
  const rounding = 40 * Number.EPSILON * scale * scale * (norm(x) + norm(t)); // 32 terms, two products each
  const hidden = [linear, product].every(({ redrawn, reused }) =>
    norm(subtract(redrawn, reused)) <= rounding
  );
  return {
    supports: hidden && Math.abs(offBy - predicted) <= rounding && (p === 0 || offBy > rounding),
    summary:
      `over all ${
        4 ** entries
      } pairs of masks of ${entries} entries, the average gradients of Σ t·y agree, and those ` +
      `of y₁·y₂, within ${
        rounding.toExponential(0)
      }; for Σ ½(y − t)² their difference has the norm ‖x‖·p/(1 − p), ` +
      `${show(100 * offBy / norm(squared.reused), 3)} % of the right gradient's`,
  };
});

/** A layer remembers one pass, and the article's forgets even that when its mode is changed; a function forgets none. */
export const backwardKeepsItsPass: Claim = defineClaim({
  id: "backward-keeps-its-pass",
  section: 3,
  by: "article",
  claim: "The article's layer handles gradients properly: in training mode it masks them, in evaluation not.",
  holds: "holds if",
  known: "tested",
  but:
    "Between a forward and its backward pass, its mode must not change, and nothing else may pass through it.",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  const x = ones([100]);
  const rng = () => defaultRng(seed); // the same seed, and so the same mask
  const layer = new InvertedDropout(p, { rng: rng() });
  layer(x);
  const { pass } = invertedDropout(x, p, { rng: rng() });
  const slope = numericalGradient((value) => sum(invertedDropout(value, p, { rng: rng() }).output), x);
  const wrong = (gradient: Tensor) =>
    gradient.data.filter((value, i) => Math.abs(value - slope.data[i]) > 1e-6 * survivorScale(p)).length;
  const articles = () => layer.training ? layer.backward(x) : x; // in evaluation, the gradient as it came
  const inOrder = [wrong(articles()), wrong(layer.backward(x))];
  layer.eval();
  const switched = [wrong(articles()), wrong(layer.backward(x))];
  layer(x);
  layer.train();
  const measured = [wrong(articles()), wrong(layer.backward(x)), wrong(invertedDropoutBackward(x, pass))];
  const all = p === 0 ? 0 : x.size;
  return {
    supports: `${[inOrder, switched, measured]}` === `${[[0, 0], [all, 0], [all, all, 0]]}`,
    summary:
      `the article's rule is wrong in ${
        inOrder[0]
      } of ${x.size} entries of the gradient if no more happens ` +
      `between the passes, and in ${switched[0]} after eval(); the library's layer in ${
        switched[1]
      } after eval(), ` +
      `but after an evaluation pass in ${measured[1]}; invertedDropoutBackward, which is given the pass, in ${
        measured[2]
      }`,
  };
});

/** Noise averages out over entries only where each has a draw of its own. */
export const noiseAveragesOut: Claim = defineClaim({
  id: "noise-averages-out",
  section: 3,
  by: "here",
  claim: "Dropout gives an entry the variance x²·p/(1 − p), and the average of n equal entries 1/n of that.",
  holds: "holds if",
  known: "enumerated",
  but: "Each entry needs a draw of its own: with one draw for all, the average is as noisy as one entry.",
}, ({ p = 0.5 }: Values = {}) => {
  const [n, x] = [8, 3];
  const variance = (draws: number, noiseShape: readonly (number | null)[]) =>
    exactExpectation(
      (mask) =>
        mean(
          invertedDropout(new Tensor(new Float64Array(n).fill(x)), p, {
            mask: mask.reshape(noiseShape as number[]),
          }).output,
        ),
      draws,
      p,
    ).variance;
  const [own, shared] = [variance(n, [n]), variance(1, [1])];
  const ofEntry = x * x * p / (1 - p);
  const rounding = 2 ** n * Number.EPSILON * ofEntry;
  return {
    supports: Math.abs(own - ofEntry / n) <= rounding && Math.abs(shared - ofEntry) <= rounding,
    summary:
      `at the drop probability ${p}, over all ${
        2 ** n
      } masks, the average of ${n} entries, each equal to ${x}, has ` +
      `the variance ${show(own, 4)}, an ${n}th of ${
        show(ofEntry, 4)
      } = ${x}²·p/(1 − p); with one draw for all it ` +
      `has ${show(shared, 4)}`,
  };
});

/** The article's demonstration comes out as printed, and as 10,000 masks leave it. */
export const digitsReproduced: Claim = defineClaim({
  id: "digits-reproduced",
  section: 3,
  by: "article",
  claim:
    "With the printed digits, each scheme's average over 10,000 masks comes close to its own inference outputs.",
  holds: "holds",
  known: "tested",
}, () => {
  const { standard, inverted, trials } = demonstration ??= compareStandardVsInverted();
  const printed = [standard, inverted].map(({ trainMean, inference }) =>
    [mean(trainMean), mean(inference)].map((value) => value.toFixed(6)).join(" and ")
  );
  const margin = 4.5 / Math.sqrt(2 * independentErrors());
  const schemes = [standard, inverted].map(({ progress, grandMeanSpread, elementSpread }) => {
    const { grandMeanError, elementError } = progress.at(-1)!;
    const [ofMean, ofElement] = [grandMeanSpread, elementSpread].map((spread) => spread / Math.sqrt(trials));
    const ratio = elementError / ofElement;
    return { elementError, ratio, within: grandMeanError < 4.5 * ofMean && Math.abs(ratio - 1) < margin };
  });
  const [errors, ratios] = [
    schemes.map(({ elementError }) => elementError.toFixed(4)),
    schemes.map(({ ratio }) => ratio.toFixed(2)),
  ].map((texts) => texts.join(" and "));
  return {
    supports: schemes.every(({ within }) => within) &&
      printed.join("; ") === "0.002291 and 0.002220; 0.004672 and 0.004440",
    summary:
      `the article's means come out digit for digit, ${
        printed.join("; ")
      }; single outputs are off by ${errors} (root ` +
      `mean square), ${ratios} times what ${trials} masks leave by the exact variance (4.5 standard errors: 1 ± ` +
      `${show(margin, 2)})`,
  };
});

/**
 * How many independent errors would scatter as much as those of the demonstration's 2048 outputs, of which the 64 of a
 * sample share its mask: (Σ tr C)² / Σ tr C², with the covariance C = Wᵀ·diag(x²)·W of each sample.
 */
function independentErrors(): number {
  const rng = new RandomState(42);
  const square = (a: Tensor) => multiply(a, a);
  const x = square(rng.randn(32, 100));
  const weight = rng.randn(100, 64);
  const traces = sum(matmul(x, square(weight)));
  const tracesOfSquares = sum(multiply(matmul(x, square(matmul(weight, transpose(weight)))), x));
  return traces ** 2 / tracesOfSquares;
}

/** The two inference passes that the article calls equivalent differ by a factor of two. */
export const equivalentResults: Claim = defineClaim({
  id: "equivalent-results",
  section: 3,
  by: "article",
  claim: "The demonstration shows that both schemes produce equivalent inference results.",
  holds: "false",
  known: "tested",
  but:
    "With the same weights, each output of one scheme is twice that of the other, at its rate of ½; each agrees " +
    "with its own training average.",
}, () => {
  const { standard, inverted } = demonstration ??= compareStandardVsInverted();
  const twice = multiply(standard.inference, 2).data;
  const equal = inverted.inference.data.filter((value, i) => value === twice[i]).length;
  return {
    supports: equal === twice.length,
    summary:
      `false as "the same outputs": ${equal} of the article's ${twice.length} inference outputs differ by exactly ` +
      `the factor 2; the means are ${mean(standard.inference).toFixed(6)} and ` +
      `${
        mean(inverted.inference).toFixed(6)
      }. (That each scheme agrees with itself is \`digits-reproduced\`)`,
  };
});

/** The claims of section 3. */
export const implementationClaims: readonly Claim[] = [
  scaleIsUnique,
  sameMaskBackward,
  redrawnOnAverage,
  backwardKeepsItsPass,
  noiseAveragesOut,
  digitsReproduced,
  equivalentResults,
];
