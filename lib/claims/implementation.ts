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
import { type Claim, defineClaim, show } from "./claim.ts";

/** What a reader may change. */
export interface Values {
  /** Drop probability, in [0, 1). */
  p?: number;
  /** Seed of inputs and masks. */
  seed?: number;
}

/** The article's demonstration draws 20,000 masks; two claims rest on it. */
let demonstration: Comparison | undefined;

/** The one scale that keeps the expected value is 1/(1 − p). */
export const scaleIsUnique: Claim<Values> = defineClaim({
  id: "scale-is-unique",
  section: 3,
  by: "article",
  claim: "Survivors must be scaled by 1/(1 − p) to keep the expected value, fivefold where 80 % are dropped.",
  holds: "holds",
  known: "enumerated",
}, ({ p = 0.5 }: Values = {}) => {
  const x = tensor([3, -1, 0.5]);
  const average = (rate: number, scale: number) =>
    exactExpectation((mask) => applyMask(x, mask, scale), x.size, rate).mean;
  // The average is linear in the scale, with the slope (1 − p)·x: so no other scale gives x.
  const distance = (rate: number, scale: number) =>
    Math.max(...subtract(average(rate, scale), multiply(x, (1 - rate) * scale)).data.map(Math.abs));
  const rates = [p, 0.8];
  const worst = Math.max(
    ...rates.flatMap((rate) => [0, 1, survivorScale(rate)].map((s) => distance(rate, s))),
  );
  const five = survivorScale(0.8);
  return {
    // Eight terms of at most 3·scale, each a product of four numbers: a dozen roundings.
    supports: worst <= 12 * Number.EPSILON * 3 * Math.max(...rates.map(survivorScale)) &&
      Math.abs(five - 5) <= 8 * Number.EPSILON,
    summary: `over all 8 masks of three entries, the average is (1 − p)·s·x for the scales s = 0, 1 and ` +
      `1/(1 − p), within ${worst.toExponential(0)}, at the drop probabilities ${
        rates.join(" and ")
      }: it is x ` +
      `for s = 1/(1 − p) only; 1/(1 − 0.8) = ${five}`,
  };
});

/** Only the mask of the forward pass makes a backward pass right. */
export const sameMaskBackward: Claim<Values> = defineClaim({
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
  const otherScale = masks.filter((mask) => mask.kept > 0 && passes(mask, mask, 1.01));
  const agree = (p * p + (1 - p) ** 2) ** entries;
  return {
    supports: asItShould.length === pairs.length && otherScale.length === 0,
    summary:
      `of ${pairs.length} pairs of masks of ${entries} entries, a gradient check passes the ${masks.length} ` +
      `that are equal and fails the other ${
        pairs.length - masks.length
      }; it fails a scale that is 1 % off, too. ` +
      `Two masks drawn apart are equal in ${show(100 * agree, 3)} % of all cases`,
  };
});

/** Averaging hides a redrawn mask only from a linear loss. */
export const redrawnOnAverage: Claim<Values> = defineClaim({
  id: "redrawn-on-average",
  section: 3,
  by: "here",
  claim: "A backward pass that draws a mask of its own is right on average.",
  holds: "holds if",
  known: "enumerated",
  but:
    "The loss must be linear in the output. With ½(y − t)² the average gradient is x − t in place of x/(1 − p) − t.",
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
  const squared = averageOf((y) => subtract(y, t));
  const offBy = norm(subtract(squared.redrawn, squared.reused));
  const predicted = norm(multiply(x, p * scale));
  const rounding = 40 * Number.EPSILON * scale * scale * (norm(x) + norm(t)); // 32 terms, two products each
  return {
    supports: norm(subtract(linear.redrawn, linear.reused)) <= rounding &&
      Math.abs(offBy - predicted) <= rounding && (p === 0 || offBy > rounding),
    summary:
      `over all ${4 ** entries} pairs of masks of ${entries} entries, the average gradients of Σ t·y agree ` +
      `within ${rounding.toExponential(0)}; those of Σ ½(y − t)² differ by ` +
      `${show(100 * offBy / norm(squared.reused), 3)} % of the norm, which is ‖x‖·p/(1 − p)`,
  };
});

/** The article's layer forgets, when its mode is changed, what its last forward pass did. */
export const backwardKeepsItsPass: Claim<Values> = defineClaim({
  id: "backward-keeps-its-pass",
  section: 3,
  by: "article",
  claim: "The article's layer handles gradients properly: in training mode it masks them, in evaluation not.",
  holds: "holds if",
  known: "tested",
  but:
    "The mode must not change between a forward and its backward pass: the gradient belongs to the forward pass.",
}, ({ p = 0.5, seed = 42 }: Values = {}) => {
  const x = ones([100]);
  const fresh = () => new InvertedDropout(p, { rng: defaultRng(seed) }); // from the same seed, with the same mask
  const layer = fresh();
  const y = layer(x);
  const slope = numericalGradient((value) => sum(fresh()(value)), x);
  layer.eval();
  const ours = layer.backward(ones([100]));
  const articles = layer.training ? y : ones([100]); // "if not self._training: return grad_output"
  const wrong = (gradient: Tensor) =>
    gradient.data.filter((value, i) => Math.abs(value - slope.data[i]) > 1e-6 * survivorScale(p)).length;
  const inOrder = wrong(layer.train().backward(ones([100])));
  return {
    supports: wrong(ours) === 0 && inOrder === 0 && (p === 0 || wrong(articles) === 100),
    summary:
      `after a training pass and eval(), the article's rule returns the gradient unmasked, which is wrong in ` +
      `${wrong(articles)} of 100 entries; the library's layer keeps to its pass, and is wrong in ${
        wrong(ours)
      }`,
  };
});

/** Noise averages out over entries only where each has a draw of its own. */
export const noiseAveragesOut: Claim<Values> = defineClaim({
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
      `over all ${2 ** n} masks, the average of ${n} entries of ${x} has the variance ${show(own, 4)}, an ` +
      `${n}th of ${show(ofEntry, 4)} = ${x}²·p/(1 − p); with one draw for all it has ${show(shared, 4)}`,
  };
});

/** The article's demonstration comes out as printed, and as 10,000 masks leave it. */
export const digitsReproduced: Claim = defineClaim({
  id: "digits-reproduced",
  section: 3,
  by: "article",
  claim: "The demonstration's averages over 10,000 masks lie close to its inference outputs.",
  holds: "holds",
  known: "tested",
}, () => {
  const { standard, inverted, trials } = demonstration ??= compareStandardVsInverted();
  const printed = [standard, inverted].map(({ trainMean, inference }) =>
    [mean(trainMean), mean(inference)].map((value) => value.toFixed(6)).join(" and ")
  );
  const margin = 4.5 / Math.sqrt(2 * independentErrors());
  const within = [standard, inverted].every(({ progress, grandMeanSpread, elementSpread }) => {
    const { grandMeanError, elementError } = progress.at(-1)!;
    const ratio = elementError / (elementSpread / Math.sqrt(trials));
    return grandMeanError < 4.5 * grandMeanSpread / Math.sqrt(trials) && Math.abs(ratio - 1) < margin;
  });
  const off = (scheme: typeof standard) => show(scheme.progress.at(-1)!.elementError, 2);
  return {
    supports: within && printed.join("; ") === "0.002291 and 0.002220; 0.004672 and 0.004440",
    summary:
      `the article's means come out digit for digit, ${printed.join("; ")}; single outputs are off by ` +
      `${off(standard)} and ${off(inverted)} (root mean square), within ${show(100 * margin, 2)} % of what ` +
      `${trials} masks leave`,
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
      `${equal} of the article's ${twice.length} inference outputs differ by exactly the factor 2; the means ` +
      `are ${mean(standard.inference).toFixed(6)} and ${mean(inverted.inference).toFixed(6)}`,
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
